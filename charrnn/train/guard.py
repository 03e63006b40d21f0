"""What is said and written down when a run cannot go on: its loss, gradient or state is not finite any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from charrnn.errors import DivergedError
from charrnn.train.state import TrainState

if TYPE_CHECKING:
    from charrnn.train.step import StepResult


def autopsy(state: TrainState, result: StepResult, rate: float) -> dict[str, Any]:
    """All that helps to find out why a run has diverged, as a JSON value.

    Args:
        state: the run after the last update, which was skipped.
        result: what that update saw.
        rate: its learning rate.

    Returns:
        The update's figures; for each parameter its norm, and that of its last gradient; for each lane the norm of
        the state that it had in front of the update.
    """
    return {
        "step": state.step,
        "skipped_in_a_row": state.skipped,
        "lr": rate,
        "rate_scale": state.rate_scale,
        "loss": {"nats": result.nats, "count": result.count, **result.parts},
        "grad_norm": result.grad_norm,
        "state_norm": result.state_norm,
        "parameters": {
            name: {"norm": _norm(p), "grad_norm": None if p.grad is None else _norm(p.grad)}
            for name, p in state.model.named_parameters()
        },
        "lanes": {name: tensor.flatten(1).double().norm(dim=1).tolist() for name, tensor in state.lanes.items()},
    }


def diverged(dump: Path, state: TrainState, result: StepResult) -> DivergedError:
    """The error that ends the run."""
    why = "there is no earlier checkpoint to go back to" if state.rate_scale == 1.0 else "half the rate did not help"
    loss = f"{result.nats / max(result.count, 1)} nats per token, gradient norm {result.grad_norm}"
    return DivergedError(
        f"the loss or its gradient is not finite in {state.skipped} updates in a row, up to step {state.step}",
        where=dump,
        why=f"{why}; the last: {loss}",
        hint="lower train.optimizer.lr or train.clip_norm; with --resume the run goes on from its last good checkpoint",
    )


def _norm(tensor: Tensor) -> float:
    return float(tensor.detach().double().norm())
