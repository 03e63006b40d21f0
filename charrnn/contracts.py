"""Floor 3: what the training loop knows of a task, a stream and a batch, and nothing more.

Shapes: B rows (lanes), T steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from charrnn.models.core import Draws, State


@dataclass(frozen=True)
class Batch:
    """One step's worth of a stream.

    Attributes:
        x_BT: input symbols.
        y_BT: target symbols; where `mask_BT` is False they mean nothing.
        mask_BT: True where a row holds a symbol.
        counts_BT: True where a target counts; symbols that are only there to be read do not.
        resets: for each column in front of which some row's state begins anew: which rows, as a mask over B.
        keep: the state after so many columns is what the next batch begins with.
        rate: what the learning rate of this step is multiplied by.
    """

    x_BT: Tensor
    y_BT: Tensor
    mask_BT: Tensor
    counts_BT: Tensor
    resets: Mapping[int, Tensor]
    keep: int
    rate: float = 1.0

    @property
    def rows(self) -> int:
        """B."""
        return len(self.x_BT)


@dataclass(frozen=True)
class Loss:
    """A loss as sums and a count, so that parts of a batch, ranks and batches add up exactly.

    Attributes:
        each: nats of every target, 0 where it does not count; with a gradient.
        count: the targets that count; a scalar.
        parts: what training adds to the sum of nats by name: sums with a gradient, over the same targets. They steer
            the weights and are no part of any figure.
        state: the state that the next batch begins with.
    """

    each: Tensor
    count: Tensor
    parts: Mapping[str, Tensor]
    state: State

    @property
    def sum(self) -> Tensor:
        """Nats of all targets that count."""
        return self.each.sum()

    @property
    def objective(self) -> Tensor:
        """What training lowers, per target."""
        return sum(self.parts.values(), self.sum) / self.count


class Stream(Protocol):
    """Batches as a pure function of the step: there is no position to save."""

    @property
    def rows(self) -> int:
        """B."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the split."""

    @property
    def reading(self) -> Mapping[str, int]:
        """How the split is read, as it stands beside every figure: how many lanes, or how many windows."""

    @property
    def positions(self) -> bool:
        """Whether rows begin cold, so that the loss of each position after that is told on its own."""

    def batch(self, step: int, device: torch.device) -> Batch:
        """The batch of one step, counted from the beginning of training."""


class Task(Protocol):
    """Something a user can train: it binds a corpus, its streams, a model, a loss and metrics."""

    def stream(self, split: str, cut: tuple[int, int] | None = None) -> Stream | None:
        """The batches of `train`, `valid` or `test`; None where the split is empty.

        `cut` is the lanes and the chunk to read by, as evaluation reads, in place of the config's.
        """

    def model(self) -> nn.Module:
        """A model with fresh weights, on the CPU."""

    def initial_state(self, model: nn.Module, rows: int) -> State:
        """The state in front of the first step."""

    def loss(self, model: nn.Module, batch: Batch, state: State, draws: Draws | None = None) -> Loss:
        """Run the model over a batch; `draws` is given in training."""

    def metrics(self, nats: float, split: str) -> dict[str, float]:
        """What a mean loss in nats per token of `split` means in the units that users compare."""

    def speed(self, tokens_per_second: float, split: str) -> dict[str, float]:
        """How fast `split` is read, in the unit that users compare."""
