"""Evaluation of a whole split: its own lanes or windows, its own state; training's is untouched.

Shapes: B rows (lanes), T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from charrnn.contracts import Batch, Loss, Stream, Task


@dataclass(frozen=True)
class Evaluation:
    """The loss of a split.

    Attributes:
        nats: mean per target.
        count: the targets, all of the stream's, each as often as the stream has it.
        reading: how many lanes, or windows, they were read by.
        positions: mean nats at each position after a cold start, from the first; empty where the stream has no such.
    """

    nats: float
    count: int
    reading: Mapping[str, int]
    positions: list[float] = field(default_factory=list)


def evaluate(
    task: Task,
    model: nn.Module,
    split: str,
    device: torch.device,
    check: Callable[[], None],
    cut: tuple[int, int] | None = None,
) -> Evaluation | None:
    """Run `model` once over a split, in evaluation mode; None where the split is empty.

    Args:
        task: what is trained.
        model: its model, on `device`; its training mode is given back as it was.
        split: `train`, `valid` or `test`.
        device: where the batches go.
        check: called before every batch; it may raise to stop.
        cut: the lanes and the chunk to read by, in place of the config's.
    """
    stream = task.stream(split, cut)
    if stream is None:
        return None
    return _read(task, model, stream, device, check, cold=False)


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
    return _read(task, model, stream, device, check, cold=True).positions


def _read(
    task: Task, model: nn.Module, stream: Stream, device: torch.device, check: Callable[[], None], cold: bool
) -> Evaluation:
    """Run over a stream; `cold`: the state begins anew with every batch, and positions are told."""
    with _only_reading(model):
        begun = state = task.initial_state(model, stream.rows)
        nats = torch.zeros((), dtype=torch.float64, device=device)
        count = torch.zeros((), dtype=torch.int64, device=device)
        places = _Places()
        for step in range(stream.steps_per_epoch):
            check()
            batch = stream.batch(step, device)
            loss = task.loss(model, batch, state)
            state = begun if cold else loss.state
            nats += loss.sum.double()
            count += loss.count
            if cold or stream.positions:
                places.add(batch, loss)
    return Evaluation(nats.item() / count.item(), int(count.item()), stream.reading, places.means())


class _Places:
    """Sums over all rows and batches, place by place after a cold start."""

    def __init__(self) -> None:
        self.nats_T = torch.zeros(0, dtype=torch.float64)
        self.count_T = torch.zeros(0, dtype=torch.int64)

    def add(self, batch: Batch, loss: Loss) -> None:
        place_BT = _since_begin(batch)
        if len(self.nats_T) == 0:  # no batch is wider than the first
            self.nats_T = torch.zeros_like(batch.x_BT[0], dtype=torch.float64)
            self.count_T = torch.zeros_like(batch.x_BT[0], dtype=torch.int64)
        self.nats_T.index_add_(0, place_BT.flatten(), loss.each.double().flatten())
        self.count_T.index_add_(0, place_BT.flatten(), batch.counts_BT.flatten().to(torch.int64))

    def means(self) -> list[float]:
        """Mean nats at each place that any row has reached."""
        reached_T = self.count_T > 0
        return (self.nats_T[reached_T] / self.count_T[reached_T]).tolist()


def _since_begin(batch: Batch) -> Tensor:
    """How many columns lie between each one and the nearest in front of it where its row began: place_BT."""
    width = batch.x_BT.shape[1]
    column_T = torch.arange(width, device=batch.x_BT.device)
    place_BT = column_T.expand(batch.rows, -1).clone()
    for column, rows_B in sorted(batch.resets.items()):
        place_BT[rows_B, column:] = column_T[: width - column]
    return place_BT


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
