"""Evaluation of a whole split: its own lanes, its own state; training's is untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from charrnn.contracts import Task


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
    task: Task, model: nn.Module, split: str, device: torch.device, check: Callable[[], None]
) -> Evaluation | None:
    """Run `model` once over a split, in evaluation mode; None where the split is empty.

    Args:
        task: what is trained.
        model: its model, on `device`; its training mode is given back as it was.
        split: `train`, `valid` or `test`.
        device: where the batches go.
        check: called before every batch; it may raise to stop.
    """
    stream = task.stream(split)
    if stream is None:
        return None
    training = model.training
    model.eval()
    try:
        state = task.initial_state(model, stream.rows)
        nats = torch.zeros((), dtype=torch.float64, device=device)
        count = torch.zeros((), dtype=torch.int64, device=device)
        with torch.no_grad():
            for step in range(stream.steps_per_epoch):
                check()
                loss = task.loss(model, stream.batch(step, device), state)
                state = loss.state
                nats += loss.sum.double()
                count += loss.count
    finally:
        model.train(training)
    return Evaluation(nats.item() / count.item(), int(count.item()), stream.rows)
