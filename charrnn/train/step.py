"""One update: forward, backward, clip, look, and only then step and carry the state on.

Shapes: B rows (lanes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from charrnn.config.schema import Train
from charrnn.contracts import Batch, Loss, Stream, Task
from charrnn.models.core import Draws, State
from charrnn.train.optim import set_rate
from charrnn.train.parts import descend
from charrnn.train.state import Tally, TrainState, running_statistics


@dataclass(frozen=True)
class StepResult:
    """What one update saw.

    Attributes:
        sum: the loss, summed over the targets.
        count: those targets.
        parts: what training added to its loss, summed likewise.
        grad_norm: the gradient's norm before clipping.
        state_norm: the norm of the state that the batch leaves, as a root mean square over the rows.
        skipped: whether one of these is not finite, so that nothing was changed.
        beside: of parts that are losses of other targets: the sum and the count of those.
    """

    sum: float
    count: int
    parts: Mapping[str, float]
    grad_norm: float
    state_norm: float
    skipped: bool
    beside: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def add_to(self, tally: Tally) -> None:
        """Count this update in."""
        if self.skipped:
            tally.skipped += 1
            return
        tally.sum += self.sum
        tally.count += self.count
        tally.grad_norms += self.grad_norm
        tally.state_norms += self.state_norm
        tally.steps += 1
        for name, value in self.parts.items():
            tally.parts[name] = tally.parts.get(name, 0.0) + value
        for name, (total, count) in self.beside.items():
            before = tally.beside.get(name, [0.0, 0.0])
            tally.beside[name] = [before[0] + total, before[1] + count]


def advance(
    task: Task, state: TrainState, stream: Stream, lr: float, settings: Train, device: torch.device
) -> StepResult:
    """Do the next update of a stream at the rate `lr`, times what the batch asks for."""
    batch = stream.batch(state.place, device)
    set_rate(state.optimizer, lr * batch.rate)
    return update(task, state, batch, settings.clip_norm, settings.micro_batches)


def update(task: Task, state: TrainState, batch: Batch, clip_norm: float | None, parts: int = 1) -> StepResult:
    """Do the update after `state.step`, the batch in so many `parts`, and count it.

    Where the loss, the gradient, the state or a running statistic is not finite the update is skipped: weights, running
    statistics, the optimizer and the lanes' state stay as they were in front of it, and only the counts of steps go on.
    """
    model, optimizer = state.model, state.optimizer
    before = {name: tensor.clone() for name, tensor in running_statistics(model).items()}
    optimizer.zero_grad(set_to_none=True)
    loss = descend(task, model, batch, state.lanes, Draws(state.seed, state.step, batch.rows), parts)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if clip_norm is None else clip_norm)
    lanes = {name: tensor.detach() for name, tensor in loss.state.items()}
    result = _look(loss, norm, lanes, running_statistics(model))
    if result.skipped:
        with torch.no_grad():
            for name, tensor in running_statistics(model).items():
                tensor.copy_(before[name])
    else:
        optimizer.step(lambda: (loss.sum / loss.divisor).detach())
        state.lanes = lanes
        if state.average is not None:
            state.average.update(model, state.history)
    state.skipped = state.skipped + 1 if result.skipped else 0
    state.step += 1
    return result


def _look(loss: Loss, grad_norm: Tensor, lanes: State, statistics: Mapping[str, Tensor]) -> StepResult:
    """Bring the figures of an update to the host, all at one look at the device."""
    squares = [tensor.double().square().sum() / len(tensor) for tensor in lanes.values()]
    state_norm = sum(squares, torch.zeros_like(grad_norm, dtype=torch.float64)).sqrt()
    told = [figure for pair in loss.beside.values() for figure in pair]
    # An infinite variance would pass unseen: what it divides is zero.
    moved = [tensor.sum() for tensor in statistics.values()]
    figures = [loss.sum, loss.count, grad_norm, state_norm, *loss.parts.values(), *told, *moved]
    total, count, grad, carried, *more = torch.stack([figure.detach().double() for figure in figures]).tolist()
    parts, pairs = more[: len(loss.parts)], more[len(loss.parts) : len(loss.parts) + len(told)]
    finite = all(map(math.isfinite, (total, grad, carried, *more)))
    beside = dict(zip(loss.beside, zip(pairs[::2], pairs[1::2], strict=True), strict=True))
    return StepResult(total, int(count), dict(zip(loss.parts, parts, strict=True)), grad, carried, not finite, beside)
