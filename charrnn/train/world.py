"""The processes that train one run together: what each of them does alone, and where they come together.

Rows of the global batch are cut into neighbouring slices, one for each process. Sums over rows are added up over the
processes, so gradients, figures and the statistics of BatchNorm are those of the global batch. All processes hold the
same weights and do the same updates; the first one writes the files, and says what there is to say.

The engine is `torch.distributed`. A process that is lost ends the others: `PeerError`.

Shapes: B rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from charrnn.contracts import Batch, Share
from charrnn.errors import CharRnnError, PeerError
from charrnn.models.core import State
from charrnn.models.norm import SequenceBatchNorm
from charrnn.stream.rows import slices

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """This process among those that share a run; alone unless it is told otherwise.

    Attributes:
        rank: the number of this process.
        size: how many there are.
        device: where tensors lie that are added up.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    _names: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def first(self) -> bool:
        """Whether this process writes the files and speaks."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other."""
        return self.size == 1

    def anew(self) -> World:
        """The same processes for another run, whose numbers have other names."""
        return World(self.rank, self.size, self.device)

    def rows(self, count: int) -> slice:
        """Which of so many rows are this process's; some processes have one more than others, if need be."""
        return slices(count, self.size)[self.rank]

    @property
    def share(self) -> Share | None:
        """Which of so many rows are this process's; None where all are."""
        return None if self.alone else self.rows

    def own(self, batch: Batch) -> Batch:
        """This process's rows as a batch; a batch that has no others already stays as it is."""
        return batch if self.alone or batch.whole is not None else batch.part(self.rows(batch.rows), {})[0]

    def add(self, tensor: Tensor) -> Tensor:
        """The sum of the processes' tensors, written into this one's."""
        if not self.alone:
            with _in_company():
                dist.all_reduce(tensor)
        return tensor

    def highest(self, tensor: Tensor) -> Tensor:
        """The highest of the processes' numbers, place by place; the tensor is on the CPU."""
        with _in_company():
            dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return tensor

    def add_with_gradient(self, tensor: Tensor) -> Tensor:
        """The sum of the processes' tensors; the derivative by each of them is the sum of those that they find."""
        with _in_company():
            total: Tensor = _Sum.apply(tensor)
        return total

    def add_by_name(self, what: str, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The sums of the processes' numbers with the same name, in float64; not every process has all names.

        Args:
            what: tells these numbers from others that are added up; their names do not change from call to call.
            sums: scalars by name.
        """
        if self.alone:
            return {name: tensor.double() for name, tensor in sums.items()}
        if what not in self._names:
            self._names[what] = list(dict.fromkeys(chain.from_iterable(self.gathered(list(sums)))))
        names = self._names[what]
        assert sums.keys() <= set(names), f"names of {what} that were not there at first: {sorted(sums)}"
        zero = torch.zeros((), dtype=torch.float64, device=self.device)
        numbers = self.add(torch.stack([sums[name].double() if name in sums else zero for name in names]))
        return dict(zip(names, numbers, strict=True))

    def add_gradients(self, parameters: Iterable[nn.Parameter], count: Tensor) -> Tensor:
        """Let every parameter's gradient be the sum of the processes'; returns the sum of their `count`.

        All travel as one tensor. A parameter that has no gradient in any process has none afterwards.
        """
        learned = [parameter for parameter in parameters if parameter.requires_grad]
        found = [count.new_tensor(parameter.grad is not None) for parameter in learned]
        pieces = [torch.zeros_like(p) if p.grad is None else p.grad for p in learned]
        flat = [piece.reshape(-1) for piece in pieces]
        flat += [number.reshape(1).to(flat[0].dtype) for number in (*found, count)]
        summed = self.add(torch.cat(flat)).split([part.numel() for part in flat])
        gradients, (*having, total) = summed[: len(learned)], summed[len(learned) :]
        for parameter, gradient, there in zip(learned, gradients, torch.cat(having).tolist(), strict=True):
            parameter.grad = gradient.view_as(parameter) if there else None
        return total[0]

    def gathered(self, value: T) -> list[T]:
        """What each process has, in their order; any value that can be copied, of any size."""
        if self.alone:
            return [value]
        values: list[Any] = [None] * self.size
        with _in_company():
            dist.all_gather_object(values, value)
        return values

    def told(self, value: T) -> T:
        """What the first process has."""
        if self.alone:
            return value
        values = [value]
        with _in_company():
            dist.broadcast_object_list(values, src=0)
        return values[0]

    def first_does(self, work: Callable[[], T]) -> T:
        """What comes of work that the first process does, and the others wait for: a value, or the same error."""
        if self.alone:
            return work()
        outcome: T | None = None
        error: CharRnnError | None = None
        if self.first:
            try:
                outcome = work()
            except CharRnnError as caught:
                error = caught
        outcome, error = self.told((outcome, error))
        if error is not None:
            error.told = not self.first
            raise error
        return outcome  # type: ignore[return-value]

    def after_first(self, work: Callable[[], T]) -> T:
        """What work gives in this process; the others begin when the first one has done it, and if it could."""
        done: list[T] = []
        self.first_does(lambda: done.append(work()))
        return done[0] if done else work()

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """A block that all processes go through without meeting; what is wrong for one of them is wrong for all.

        Raises:
            CharRnnError: that of the first process in which there was one.
        """
        wrong: CharRnnError | None = None
        try:
            yield
        except CharRnnError as caught:
            if self.alone:
                raise
            wrong = caught
        found = self.gathered(wrong)
        guilty = next((rank for rank, error in enumerate(found) if error is not None), None)
        if guilty is not None:
            error = wrong if guilty == self.rank else found[guilty]
            assert error is not None, "found among the errors"
            error.told = guilty != self.rank
            raise error

    def joined(self, own: State) -> dict[str, Tensor]:
        """The state of all rows in their order, on the CPU, from what each process carries on for its own; the first
        process has it, and the others nothing: it may be large."""
        if self.alone:
            return dict(own)
        states: list[Any] | None = [None] * self.size if self.first else None
        with _in_company():
            dist.gather_object({name: tensor.detach().cpu() for name, tensor in own.items()}, states)
        return {} if states is None else together(states)


def together(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Rows of several states one under another; not every state has all names."""
    names = dict.fromkeys(name for state in states for name in state)
    return {name: torch.cat([state[name] for state in states if name in state]) for name in names}


def share_statistics(model: nn.Module, world: World) -> None:
    """Let the BatchNorm of a model take its statistics over the rows of all processes."""
    if world.alone:
        return
    for module in model.modules():
        if isinstance(module, SequenceBatchNorm):
            module.add_up = world.add_with_gradient


class _Sum(torch.autograd.Function):
    """A sum over processes, as a part of every process's graph."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.clone()
        with _in_company():
            dist.all_reduce(total)
        return total


@contextmanager
def _in_company() -> Iterator[None]:
    """What goes wrong between processes, as our own error."""
    try:
        yield
    except (RuntimeError, dist.DistBackendError) as error:
        raise PeerError(
            "another process of this run is gone",
            why=str(error).splitlines()[0],
            hint="see what it said; the last checkpoint stands, and --resume goes on from it, on as many processes "
            "as the rows can be shared by",
        ) from error
