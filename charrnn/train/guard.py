"""What is said and written down when a run cannot go on, because something in it is not finite any more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from charrnn.errors import DivergedError
from charrnn.train.state import TrainState


def autopsy(state: TrainState, what: str, figures: Mapping[str, Any], rate: float) -> dict[str, Any]:
    """All that helps to find out why a run has diverged, as a JSON value.

    Args:
        state: the run as it is then.
        what: what was found.
        figures: what the last update, or validation, saw.
        rate: the learning rate of the last update.

    Returns:
        These; for each parameter its norm, and that of its last gradient; for each lane the norm of its state.
    """
    return {
        "what": what,
        "step": state.step,
        "skipped_in_a_row": state.skipped,
        "lr": rate,
        "rate_scale": state.rate_scale,
        "figures": dict(figures),
        "parameters": {
            name: {"norm": _norm(p), "grad_norm": None if p.grad is None else _norm(p.grad)}
            for name, p in state.model.named_parameters()
        },
        "lanes": {name: tensor.flatten(1).double().norm(dim=1).tolist() for name, tensor in state.lanes.items()},
    }


def diverged(dump: Path, what: str, step: int, again: bool) -> DivergedError:
    """The error that ends a run at `step`; `again` where it had gone back before."""
    return DivergedError(
        f"the run has diverged at step {step}: {what}",
        where=dump,
        why="half the rate did not help" if again else "there is no earlier checkpoint to go back to",
        hint="lower train.optimizer.lr or train.clip_norm; with --resume the run goes on from its last good checkpoint"
        if again
        else "lower train.optimizer.lr or train.clip_norm, and begin anew with --force",
    )


def _norm(tensor: Tensor) -> float:
    return float(tensor.detach().double().norm())
