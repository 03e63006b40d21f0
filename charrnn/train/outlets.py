"""Whom a run of training tells, and whom it asks: what its loop wants of them. Other floors build them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from charrnn.train.state import TrainState


class Saver(Protocol):
    """Where checkpoints go."""

    def due(self, step: int, steps_per_epoch: int, shift: int) -> bool:
        """Whether the settings ask for a checkpoint at `step`; epochs are counted from `step` + `shift`."""

    def late(self) -> bool:
        """Whether the settings ask for a checkpoint because of the time since the last one."""

    def save(self, state: TrainState) -> None:
        """Write a checkpoint, move `last` and `best`, and only then remove what is too old."""

    def roll_back(self, state: TrainState) -> bool:
        """Let `state` and the records be those of the last good checkpoint; False where there is none."""

    def dump(self, report: dict[str, Any]) -> Path:
        """Write down what a diverged run came to; returns the file."""


class Log(Protocol):
    """Where records go."""

    def log(self, record: dict[str, Any]) -> None:
        """Write one record."""

    def sample(self, step: int, text: str) -> None:
        """Write one sample."""


Sampler = Callable[[TrainState], str | None]
"""Makes a text from the model as it is; None of a model that writes none."""

Verdict = Callable[[Sequence[dict[str, float]]], str | None]
"""Asked after each validation, with all of them so far: a text ends the run, and says why."""


def never(history: Sequence[dict[str, float]]) -> str | None:
    """The verdict that lets every run go to its end."""
    return None
