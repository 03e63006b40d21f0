"""How right pseudo-labels are, where the truth is known: for reports only.

Arrays: N candidates, K bins of confidence.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from charrnn.pseudo.candidates import UNKNOWN
from charrnn.pseudo.labeller import Record
from charrnn.pseudo.select import Called, Mask

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Bounds of the bins; each holds its upper one. No confidence is 0: the likeliest of C labels has 1 / C or more."""


def rightness(called: Called, kept_N: Mask, truth_N: NDArray[np.int32]) -> Record:
    """How many labels are right, of all items whose truth is known and of those that are kept; and the same for each
    bin of confidence that holds any."""
    known_N = truth_N != UNKNOWN
    right_N = known_N & (called.label_N == truth_N)
    bin_N = np.searchsorted(EDGES, called.confidence_N, side="left") - 1

    def counts(among_N: Mask) -> dict[str, int]:
        return {"items": int((known_N & among_N).sum()), "right": int((right_N & among_N).sum())}

    def both(among_N: Mask) -> Record:
        return {"all": counts(among_N), "kept": counts(among_N & kept_N)}

    bins = [{"above": low, "to": high, **both(bin_N == k)} for k, (low, high) in enumerate(pairwise(EDGES))]
    held = [one for one in bins if one["all"]["items"]]
    return {**both(np.ones(len(kept_N), bool)), "by_confidence": held}
