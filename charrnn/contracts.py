"""Floor 3: what the training loop knows of a task, a stream and a batch, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from charrnn.config.schema import Config
from charrnn.models.core import Draws, State
from charrnn.text.vocabulary import Vocabulary

Share = Callable[[int], slice]
"""Which of so many rows are wanted: neighbouring ones."""


class Batch(Protocol):
    """One step's worth of a stream; what else is in it is between the stream and its task."""

    @property
    def rows(self) -> int:
        """B: lanes, or items."""

    @property
    def whole(self) -> Batch | None:
        """The batch that this is a part of, with all that is counted by; the symbols of rows that were not read are
        missing. None where this is all of it."""

    @property
    def rate(self) -> float:
        """What the learning rate of this step is multiplied by."""

    def part(self, rows: slice, state: State) -> tuple[Batch, State]:
        """Some neighbouring rows as a batch of their own, and what of `state`, which is carried on, is theirs.

        What a loss counts by the whole batch stays as it is in the whole: the losses of all parts add up to that of the
        batch, and so do their gradients.
        """


def all_rows(batch: Batch) -> int:
    """The rows of the whole batch that this one is, or is a part of."""
    return (batch.whole or batch).rows


@dataclass(frozen=True)
class Loss:
    """A loss as sums and a count, so that parts of a batch, ranks and batches add up exactly.

    Attributes:
        each: the loss of every target, 0 where it does not count; with a gradient.
        count: the targets that count; a scalar.
        parts: what training adds to the sum by name: sums with a gradient, over the same targets. They steer the
            weights and are no part of any figure.
        state: the state that the next batch begins with; empty where nothing is carried on.
        outputs: what the model said of each row, for the figures of an evaluation; None where they need no more than
            the loss.
        beside: of parts that are losses of other targets: the sum and the count of those, by the name of the part. The
            records tell their mean in the place of the part.
    """

    each: Tensor
    count: Tensor
    parts: Mapping[str, Tensor]
    state: State
    outputs: Tensor | None = None
    beside: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def seen(self, device: torch.device) -> Loss:
        """What an evaluation looks at, on a device: no gradient, nothing that training adds, nothing to carry on."""
        outputs = None if self.outputs is None else self.outputs.to(device)
        return Loss(self.each.detach().to(device), self.count.to(device), {}, {}, outputs)

    @property
    def sum(self) -> Tensor:
        """The loss of all targets that count."""
        return self.each.sum()

    @property
    def objective(self) -> Tensor:
        """What training lowers, per target."""
        return self.total / self.divisor

    @property
    def total(self) -> Tensor:
        """What training lowers, as a sum."""
        return sum(self.parts.values(), self.sum)

    @property
    def divisor(self) -> Tensor:
        """What sums are divided by: the targets, and 1 where there are none."""
        return self.count.clamp(min=1)


class Stream(Protocol):
    """Batches as a pure function of the step: there is no position to save."""

    @property
    def rows(self) -> int:
        """B."""

    @property
    def columns(self) -> int:
        """T: the most steps of a row in a batch."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the split."""

    @property
    def reading(self) -> Mapping[str, int]:
        """How the split is read, as it stands beside every figure: how many lanes, windows or items."""

    def batch(self, step: int, device: torch.device, share: Share | None = None) -> Any:
        """The `Batch` of one step, counted from the beginning of training; with `share`, those of its rows alone, as
        `Batch.part` gives them, and where that can be, no others are read."""

    def carried(self, state: State, rows: slice) -> State:
        """What of `state`, which is carried on for all rows, is that of some."""


class Meter(Protocol):
    """What an evaluation tells besides the mean loss."""

    def add(self, batch: Any, loss: Loss) -> None:
        """Take a batch and what the model made of it into account."""

    def figures(self) -> dict[str, Any]:
        """What has come of all of them, by name."""


class Corpus(Protocol):
    """Prepared data, as far as a run knows them."""

    @property
    def folder(self) -> Path:
        """Where they lie."""

    @property
    def digest(self) -> str:
        """What they are, from their settings and their content."""

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The symbols of their texts, where they hold any."""


class Task(Protocol):
    """Something a user can train: it binds a corpus, its streams, a model, a loss and metrics.

    Attributes:
        figure: what a mean loss is called: `nats`, `mse`.
    """

    figure: str

    @property
    def config(self) -> Config:
        """The whole config."""

    @property
    def corpus(self) -> Corpus:
        """What it learns from."""

    def stream(self, split: str, cut: tuple[int, int] | None = None) -> Stream | None:
        """The batches of `train`, `valid` or `test`; None where the split is empty.

        `cut` is the lanes and the chunk to read by, as evaluation reads, in place of the config's.
        """

    def model(self) -> nn.Module:
        """A model with fresh weights, on the CPU."""

    def initial_state(self, model: nn.Module, rows: int) -> State:
        """The state in front of the first step."""

    def loss(self, model: nn.Module, batch: Any, state: State, draws: Draws | None = None) -> Loss:
        """Run the model over a batch of a stream of this task; `draws` is given in training."""

    def meter(self, stream: Any, cold: bool) -> Meter:
        """What to tell of a stream of this task; `cold`: the state begins anew with every batch."""

    def metrics(self, mean: float, split: str) -> dict[str, float]:
        """What a mean loss over `split` means in the units that users compare; `figure` is among them."""

    def remarks(self, split: str) -> Iterable[str]:
        """What a user should be told about a split before any figure of it: who in it was never seen in training."""

    def speed(self, targets_per_second: float, split: str) -> dict[str, float]:
        """How fast `split` is read, in the unit that users compare."""

    def sizes(self) -> dict[str, int]:
        """How large the data make the model: symbols, labels, users."""

    def documents(self) -> dict[str, Any]:
        """What a checkpoint must hold besides the config, so that its model can be used with no other file."""
