"""Lines that surprise a model as no line of its validation text does.

How surprising a passage is cannot be told from its nats alone: eight digits of an id cost more than eight letters of a
word, and are no news. The model knows. For each symbol it says what it expects it to cost (the entropy of its
prediction) and with what variance. The excess of a passage is what it cost above that, in standard deviations:

    excess = Σ (nats − expected) / √(Σ variance + 1)

with the 1 (nat²) against passages of which the model was sure. That of a line is the largest over its passages of
eight symbols, or over all of it where it is shorter: one wrong field is not lost in a long line that is right, and
where it is can be told. Were the model right about everything, the excess of a passage would have mean 0 and a variance
below 1 wherever it stands. No model is, and a maximum is another thing, so lines of validation text say what is usual:
z is the distance from their median in units of 1.4826 × their median absolute deviation, which outliers among them do
not move.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from charrnn.sample.reading import Surprise

LEAST = 50
"""Fewer lines say nothing about what is unusual."""

WINDOW = 8
"""The symbols of a passage."""

USUAL = 1e-3
"""The share of validation lines that may be above the threshold which is chosen by them."""

_NORMAL = 1.4826
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class Passage:
    """The passage of a line that tells most.

    Attributes:
        excess: how much more it cost than the model expected, in standard deviations; see above.
        start: the number of its first symbol in the line, from 0.
        length: how many symbols it has.
    """

    excess: float
    start: int
    length: int


def worst(surprise: Surprise) -> Passage:
    """The passage of a line with the largest excess; the line has at least one symbol."""
    length = min(WINDOW, len(surprise.nats))
    more, variance = (
        np.convolve(values, np.ones(length), "valid")
        for values in (surprise.nats - surprise.expected, surprise.variance)
    )
    excess = more / np.sqrt(variance + 1.0)
    start = int(excess.argmax())
    return Passage(float(excess[start]), start, length)


@dataclass(frozen=True)
class Calibration:
    """What is usual for a model: the excess of lines of its validation text.

    Attributes:
        median: theirs.
        spread: 1.4826 × their median absolute deviation.
        z: each line's distance from the median in such units, ascending.
        symbols: how many symbols the lines have.
    """

    median: float
    spread: float
    z: np.ndarray
    symbols: int

    @classmethod
    def of(cls, lines: Iterable[Surprise]) -> Calibration:
        """The calibration by these lines, at least one."""
        surprises = list(lines)
        values = np.array([worst(line).excess for line in surprises])
        median = float(np.median(values))
        spread = max(_LEAST_SPREAD, _NORMAL * float(np.median(np.abs(values - median))))
        return cls(median, spread, np.sort((values - median) / spread), sum(len(line.nats) for line in surprises))

    @property
    def lines(self) -> int:
        """How many lines calibrate it."""
        return len(self.z)

    def score(self, passage: Passage) -> float:
        """z of a line, by its worst passage."""
        return (passage.excess - self.median) / self.spread

    def flagged(self, threshold: float) -> int:
        """How many of the validation lines are above a threshold."""
        return self.lines - int(np.searchsorted(self.z, threshold, side="right"))

    def expected(self, threshold: float) -> float:
        """How many would be, were z of a normal distribution."""
        return self.lines * math.erfc(threshold / math.sqrt(2.0)) / 2.0

    def usual(self) -> float:
        """The lowest threshold above which at most one in a thousand validation lines lies; none of fewer lines."""
        return float(self.z[-1 - int(USUAL * self.lines)])
