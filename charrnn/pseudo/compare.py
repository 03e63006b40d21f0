"""Whether two models that were asked the same differ by more than chance, and how far seeds lie apart.

Arrays: N items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class McNemar:
    """McNemar's test (1947) of two models on the same items.

    Attributes:
        only_first: items that only the first one calls rightly.
        only_second: items that only the second one does.
        p: how likely it is that chance splits them as unevenly as this, or more, if the models are equally good.
    """

    only_first: int
    only_second: int
    p: float


def mcnemar(first_N: NDArray[np.bool_], second_N: NDArray[np.bool_]) -> McNemar:
    """The exact test, two-sided: under the null hypothesis each of the items on which the two differ falls to either
    with probability ½.

    Args:
        first_N: whether the first model is right.
        second_N: whether the second is.
    """
    one, other = int((first_N & ~second_N).sum()), int((second_N & ~first_N).sum())
    differ, fewer = one + other, min(one, other)
    ways = total = 1
    for taken in range(1, fewer + 1):
        ways = ways * (differ - taken + 1) // taken
        total += ways
    return McNemar(one, other, min(1.0, 2 * total / 2**differ))


@dataclass(frozen=True)
class Wilcoxon:
    """Wilcoxon's signed-rank test (1945) of the losses of two models on the same things.

    Attributes:
        first_lower: things of which the first model's loss is lower.
        second_lower: things of which the second one's is.
        z: how far the sum of the ranks where the second is lower is above what chance expects, in its deviations.
        p: how likely it is that chance brings it as far from there, or farther, on either side.
    """

    first_lower: int
    second_lower: int
    z: float
    p: float


def wilcoxon(first_N: NDArray[np.float64], second_N: NDArray[np.float64]) -> Wilcoxon:
    """The test by its normal approximation, two-sided, corrected for ties; without a correction for continuity. Equal
    losses play no part.

    Args:
        first_N: the losses of the first model.
        second_N: those of the second, of the same things in the same order.
    """
    gain_M = first_N - second_N
    gain_M = gain_M[gain_M != 0.0]
    count = len(gain_M)
    _, place_M, ties = np.unique(np.abs(gain_M), return_inverse=True, return_counts=True)
    rank_M = (np.cumsum(ties) - (ties - 1) / 2.0)[place_M]  # of equal ones the mean of their ranks
    above = float(rank_M[gain_M > 0.0].sum()) - count * (count + 1) / 4.0
    squared = count * (count + 1) * (2 * count + 1) / 24.0 - float((ties.astype(np.float64) ** 3 - ties).sum()) / 48.0
    z = above / math.sqrt(squared) if squared > 0.0 else 0.0
    lower = int((gain_M < 0.0).sum()), int((gain_M > 0.0).sum())
    return Wilcoxon(*lower, z, math.erfc(abs(z) / math.sqrt(2.0)))


def relative_change(error: float, control: float) -> float | None:
    """How much lower (below 0) or higher an error is than that of the control, as a share of it; None where the control
    makes no error."""
    return None if control == 0.0 else (error - control) / control


def spread(values: Sequence[float | None]) -> dict[str, Any]:
    """`mean`, and `deviation`: the standard deviation of a sample, None for a single value; values that are None are
    passed over."""
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "deviation": None, "of": 0}
    mean = math.fsum(known) / len(known)
    squares = math.fsum((value - mean) ** 2 for value in known)
    deviation = math.sqrt(squares / (len(known) - 1)) if len(known) > 1 else None
    return {"mean": mean, "deviation": deviation, "of": len(known)}
