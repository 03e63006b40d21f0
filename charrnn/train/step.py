"""One update: reset what begins anew, forward, backward, clip, step, carry the state on.

Shapes: B rows (lanes).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn.contracts import Batch, Task
from charrnn.errors import DivergedError
from charrnn.models.core import Draws, State
from charrnn.train.state import TrainState


@dataclass(frozen=True)
class StepResult:
    """What one update saw: summed nats, targets counted, and the gradient's norm before clipping."""

    nats: float
    count: int
    grad_norm: float


def reset_rows(state: State, initial: State, reset_B: Tensor) -> State:
    """The state with the rows of `reset_B` begun anew."""
    return {
        name: torch.where(reset_B.view(-1, *[1] * (tensor.ndim - 1)), initial[name], tensor)
        for name, tensor in state.items()
    }


def update(task: Task, state: TrainState, batch: Batch, clip_norm: float | None) -> StepResult:
    """Do the update after `state.step` and count it; truncated back-propagation reaches back one chunk.

    Raises:
        DivergedError: the loss or the gradient is not finite; weights and lanes are as before the call (BatchNorm's
            running statistics are not, so the state must not be saved).
    """
    model, optimizer, rows = state.model, state.optimizer, len(batch.reset_B)
    begun = reset_rows(state.lanes, task.initial_state(model, rows), batch.reset_B)
    loss = task.loss(model, batch, begun, Draws(state.seed, state.step, rows))
    optimizer.zero_grad(set_to_none=True)
    loss.objective.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if clip_norm is None else clip_norm)
    # One look at the device for all three.
    nats, count, grad_norm = torch.stack([t.detach().double() for t in (loss.sum, loss.count, norm)]).tolist()
    result = StepResult(nats, int(count), grad_norm)
    if not (math.isfinite(result.nats) and math.isfinite(result.grad_norm)):
        raise DivergedError(
            f"the loss or its gradient is not finite at step {state.step + 1}",
            why=f"loss {result.nats / max(result.count, 1)} nats per token, gradient norm {result.grad_norm}",
            hint="lower train.optimizer.lr or train.clip_norm, then train again with --resume from the last checkpoint",
        )
    optimizer.step(lambda: (loss.sum / loss.count).detach())
    state.lanes = {name: tensor.detach() for name, tensor in loss.state.items()}
    state.step += 1
    return result
