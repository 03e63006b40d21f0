"""Where a run stands, as far as its records have told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

LOSSES = ("nats", "mse")
"""What a mean loss may be called in a record."""

_COMPARED = ("bits_per_char", "rmse", *LOSSES)
_MOST = 4096
_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass
class Standing:
    """The figures that a console shows.

    Attributes:
        title: what is trained.
        steps: updates in all; 0 until known.
        steps_per_epoch: updates in an epoch.
        train: the latest training record.
        valid: the latest validation record.
        best: the best validation, in the unit that users compare: bits per character, RMSE.
        losses: the training losses; of very many, means of equally many neighbours.
        sample: the step and the text of the latest sample.
    """

    title: str = ""
    steps: int = 0
    steps_per_epoch: int = 0
    train: Mapping[str, Any] = field(default_factory=dict)
    valid: Mapping[str, Any] = field(default_factory=dict)
    best: float | None = None
    losses: list[float] = field(default_factory=list)
    sample: tuple[int, str] | None = None
    _began: tuple[int, float] | None = None
    _each: int = 1
    _latest: list[float] = field(default_factory=list)

    def take(self, record: Mapping[str, Any]) -> None:
        """Learn from a record."""
        if record["split"] == "train":
            self.train = record
            for name in LOSSES:
                if name in record:
                    self._remember(float(record[name]))
        elif record["split"] == "valid":
            self.valid = record
            if record.get("best"):
                self.best = float(next(record[name] for name in _COMPARED if name in record))

    def forget(self) -> None:
        """Know of no records any more; the size of the run stays."""
        self.train, self.valid, self.best, self.sample = {}, {}, None, None
        self.losses.clear()
        self._latest.clear()
        self._each = 1

    def _remember(self, loss: float) -> None:
        """Take a loss in; a run of any length takes as much memory as a picture of it needs."""
        self._latest.append(loss)
        if len(self._latest) == self._each:
            self.losses.append(sum(self._latest) / self._each)
            self._latest.clear()
        if len(self.losses) == _MOST:
            self.losses = [(a + b) / 2 for a, b in zip(self.losses[::2], self.losses[1::2], strict=True)]
            self._each *= 2

    @property
    def step(self) -> int:
        """The latest step."""
        return max(int(record.get("step", 0)) for record in (self.train, self.valid))

    def left(self, now: float) -> float | None:
        """Seconds to the end, from the pace since this was first asked; None while there is no pace to tell."""
        if self._began is None:
            self._began = (self.step, now)
        step, then = self._began
        if self.step == step or not self.steps:
            return None
        return (self.steps - self.step) * (now - then) / (self.step - step)

    def sparkline(self, width: int) -> str:
        """The losses as a row of blocks, at most `width`, each the mean of its share of the records."""
        known = [loss for loss in self.losses if math.isfinite(loss)]
        count = min(width, len(known))
        cuts = [i * len(known) // count for i in range(count + 1)] if count else []
        means = [sum(known[a:b]) / (b - a) for a, b in pairwise(cuts)]
        low, span = min(means, default=0.0), max(means, default=0.0) - min(means, default=0.0)
        return "".join(_BLOCKS[round((mean - low) / span * 7) if span else 0] for mean in means)
