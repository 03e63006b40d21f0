"""The three discounts of modified Kneser-Ney, estimated from counts of counts.

Legend: G distinct n-grams of one length, n_k the number of them whose count is k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.uint32]
Floats = NDArray[np.float64]

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where the counts of counts give no estimate: half of the largest that each may be."""


def estimate(counts: Counts) -> Floats:
    """D(0), D(1), D(2) and D(3 or more), what is taken off such a count: shape (4,), the first 0.

    With Y = n_1 / (n_1 + 2 n_2), D(k) = k - (k + 1) · Y · n_{k+1} / n_k (Chen & Goodman 1998, the section on
    modified Kneser-Ney smoothing). Where one of n_1 … n_4 is zero or a discount would not be positive, as
    happens in tiny and in very repetitive texts, all three are `FALLBACK`.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)
    if n[1:5].all():
        y = n[1] / (n[1] + 2 * n[2])
        of_count = np.array([0.0, *(k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))])
        if (of_count[1:] > 0).all():
            return of_count
    return np.array((0.0, *FALLBACK))


@dataclass(frozen=True)
class Tally:
    """The counts of all n-grams of one length, shape (G,), with the discounts (4,) that belong to them."""

    counts: Counts
    discounts: Floats

    @classmethod
    def of(cls, counts: Counts) -> Tally:
        """These counts, with the discounts that they imply."""
        return cls(counts, estimate(counts))

    def taken(self, part: slice = slice(None)) -> Floats:
        """What the discounts take off each of the counts, or of a part of them."""
        return self.discounts[np.minimum(self.counts[part], 3)]
