"""Evaluation of a whole split: its own lanes, its own state; training's is untouched.

Shapes: B rows (lanes), T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from charrnn.contracts import Batch, Task


@dataclass(frozen=True)
class Evaluation:
    """The loss of a split.

    Attributes:
        nats: mean per token.
        count: tokens, each a target exactly once.
        lanes: how many lanes they were read by.
    """

    nats: float
    count: int
    lanes: int


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
    with _only_reading(model):
        state = task.initial_state(model, stream.rows)
        nats = torch.zeros((), dtype=torch.float64, device=device)
        count = torch.zeros((), dtype=torch.int64, device=device)
        for step in range(stream.steps_per_epoch):
            check()
            loss = task.loss(model, stream.batch(step, device), state)
            state = loss.state
            nats += loss.sum.double()
            count += loss.count
    return Evaluation(nats.item() / count.item(), int(count.item()), stream.rows)


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
    a cold start too. The last window of a lane may be short: it
    counts at the positions that it has.

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
    nats_T = torch.zeros(cut[1], dtype=torch.float64, device=device)
    count_T = torch.zeros(cut[1], dtype=torch.int64, device=device)
    with _only_reading(model):
        cold = task.initial_state(model, stream.rows)
        for step in range(stream.steps_per_epoch):
            check()
            batch = stream.batch(step, device)
            place_BT = _since_begin(batch)
            nats_BT = task.loss(model, batch, cold).each.double()
            nats_T.index_add_(0, place_BT.flatten(), nats_BT.flatten())
            count_T.index_add_(0, place_BT.flatten(), batch.counts_BT.flatten().to(torch.int64))
    reached_T = count_T > 0
    return (nats_T[reached_T] / count_T[reached_T]).tolist()


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
