"""Evaluation of a whole split: its own stream, its own state; training's is untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from charrnn.contracts import Batch, Loss, Stream, Task
from charrnn.models.core import State
from charrnn.train.parts import joined
from charrnn.train.world import World

_ALONE = World()


@dataclass(frozen=True)
class Evaluation:
    """What a model makes of a split.

    Attributes:
        mean: the loss per target.
        count: the targets, all of the stream's, each as often as the stream has it.
        reading: how many lanes, windows or items they were read by.
        figures: what the task tells besides.
    """

    mean: float
    count: int
    reading: Mapping[str, int]
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, float]:
        """Those of the figures that are single numbers."""
        return {name: value for name, value in self.figures.items() if isinstance(value, int | float)}


def evaluate(
    task: Task,
    model: nn.Module,
    split: str,
    device: torch.device,
    check: Callable[[], None],
    cut: tuple[int, int] | None = None,
    world: World = _ALONE,
) -> Evaluation | None:
    """Run `model` once over a split, in evaluation mode; None where the split is empty.

    Args:
        task: what is trained.
        model: its model, on `device`; its training mode is given back as it was.
        split: `train`, `valid` or `test`.
        device: where the batches go.
        check: called before every batch; it may raise to stop.
        cut: the lanes and the chunk to read by, in place of the config's.
        world: the processes that share the rows; all come to the same figures.
    """
    stream = task.stream(split, cut)
    if stream is None:
        return None
    return _read(task, model, stream, device, check, cold=False, world=world)


def position_losses(
    task: Task,
    model: nn.Module,
    split: str,
    device: torch.device,
    check: Callable[[], None],
    cut: tuple[int, int],
) -> list[float] | None:
    """The mean nats of the k-th token after a cold start, for k from 1; None where the split is empty.

    Every lane is cut into windows, and the state begins anew in front of each, so the k-th token is predicted from the
    k tokens before it and nothing else (from fewer where the split begins). A document that begins within a window is
    a cold start too. The last window of a lane may be short: it counts at the positions that it has.

    Args:
        task: what is trained.
        model: its model, on `device`; its training mode is given back as it was.
        split: `train`, `valid` or `test`.
        device: where the batches go.
        check: called before every batch; it may raise to stop.
        cut: the lanes to read by, and the tokens of a window.

    Returns:
        One figure per position: as many as the window has tokens, or fewer where no lane is so long.
    """
    stream = task.stream(split, cut)
    if stream is None:
        return None
    positions: list[float] = _read(task, model, stream, device, check, cold=True).figures["positions"]
    return positions


def _read(
    task: Task,
    model: nn.Module,
    stream: Stream,
    device: torch.device,
    check: Callable[[], None],
    cold: bool,
    world: World = _ALONE,
) -> Evaluation:
    """Run over a stream; `cold`: the state begins anew with every batch."""
    with _only_reading(model):
        own = world.rows(stream.rows)
        begun = task.initial_state(model, own.stop - own.start)
        total = torch.zeros((), dtype=torch.float64, device=device)
        count = torch.zeros((), dtype=torch.int64, device=device)
        meter = task.meter(stream, cold)
        if not world.alone and not begun:
            found = _whole(task, model, stream, device, check, world)
        else:
            found = _carried(task, model, stream, device, check, begun, cold, world)
        for batch, loss in found:
            total += loss.sum.double()
            count += loss.count
            meter.add(batch.whole or batch, loss)
    targets = int(count.item())
    return Evaluation(total.item() / max(targets, 1), targets, stream.reading, meter.figures())


def _carried(
    task: Task,
    model: nn.Module,
    stream: Stream,
    device: torch.device,
    check: Callable[[], None],
    begun: State,
    cold: bool,
    world: World,
) -> Iterator[tuple[Batch, Loss]]:
    """Every batch with its loss; each process carries on the state of its own rows."""
    state = begun
    for step in range(stream.steps_per_epoch):
        check()
        batch = stream.batch(step, device, world.share)
        loss, after = _shared(task, model, batch, state, world, device)
        state = begun if cold else after
        yield batch, loss


def _whole(
    task: Task, model: nn.Module, stream: Stream, device: torch.device, check: Callable[[], None], world: World
) -> Iterator[tuple[Batch, Loss]]:
    """Every batch with its loss, where nothing is carried on: each process takes whole batches, so that every figure is
    that of one process to the last bit."""
    for begin in range(0, stream.steps_per_epoch, world.size):
        check()
        steps = range(begin, min(begin + world.size, stream.steps_per_epoch))
        batches = [stream.batch(step, device) for step in steps]
        own = task.loss(model, batches[world.rank], {}).seen(torch.device("cpu")) if world.rank < len(steps) else None
        found = world.gathered(own)
        yield from ((batch, loss.seen(device)) for batch, loss in zip(batches, found, strict=False) if loss is not None)


def _shared(
    task: Task, model: nn.Module, batch: Batch, state: State, world: World, device: torch.device
) -> tuple[Loss, State]:
    """The loss of all rows, in every process, and what this process carries on for its own."""
    own = world.own(batch)
    loss = task.loss(model, own, state) if own.rows else None
    if world.alone and loss is not None:
        return loss, loss.state
    found = world.gathered(None if loss is None else loss.seen(torch.device("cpu")))
    return joined([each.seen(device) for each in found if each is not None]), {} if loss is None else loss.state


@contextmanager
def _only_reading(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside the block; the former mode comes back after it."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
