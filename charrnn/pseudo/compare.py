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
