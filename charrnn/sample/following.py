"""Units whose state follows a feature of the text, as Karpathy, Johnson and Li (2015) found them by eye.

Shapes: N symbols, U units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from charrnn.text.watch import Check, no_check


@dataclass(frozen=True)
class Follower:
    """The unit that follows a feature best.

    Attributes:
        feature: its name.
        measure: `auc` for truth values: the probability that the unit is higher at a symbol that has the feature than
            at one that has not, 0.5 by chance; `correlation` (Pearson's) for numbers.
        tensor: the unit's tensor, `<layer>.<name>`.
        unit: its number in the tensor, from 0.
        chosen: the measure over the first half of the text, by which it was chosen of all units.
        value: the measure over the second half, which had no part in the choice.
    """

    feature: str
    measure: str
    tensor: str
    unit: int
    chosen: float
    value: float


def followers(
    traced: Mapping[str, np.ndarray], features: Mapping[str, np.ndarray], check: Check = no_check
) -> list[Follower]:
    """The unit that follows each feature best, upwards or downwards.

    The best of many units is better than it should be on the text that it was chosen by; hence the two halves. A
    feature that does not change in one of them is left out.

    Args:
        traced: the state of every unit after every symbol, (N, U) for each tensor.
        features: truth values or numbers, (N,) each.
        check: called for each tensor and feature; it may raise to stop.
    """
    names = [(tensor, unit) for tensor, states in traced.items() for unit in range(states.shape[1])]
    found = []
    for feature, values_N in features.items():
        half = len(values_N) // 2
        halves = (slice(0, half), slice(half, len(values_N)))
        if any(len(np.unique(values_N[part])) < 2 for part in halves):
            continue
        measure = "auc" if values_N.dtype == bool else "correlation"
        of = _auc if values_N.dtype == bool else _correlation
        by_half = []
        for part in halves:
            check()
            by_half.append(np.concatenate([of(states[part], values_N[part]) for states in traced.values()]))
        strength_U = np.abs(by_half[0] - (0.5 if measure == "auc" else 0.0))
        best = int(strength_U.argmax())
        found.append(Follower(feature, measure, *names[best], float(by_half[0][best]), float(by_half[1][best])))
    return found


def _auc(states_NU: np.ndarray, has_N: np.ndarray) -> np.ndarray:
    """The area under the receiver's curve of each unit, from the sum of ranks (Mann and Whitney 1947), equal states
    sharing a rank."""
    with_it, count = int(has_N.sum()), len(has_N)
    areas = []
    for state_N in states_NU.T:
        ordered_N = np.sort(state_N)
        with_N = state_N[has_N]
        below = np.searchsorted(ordered_N, with_N, "left")
        up_to = np.searchsorted(ordered_N, with_N, "right")
        ranks = (below + up_to + 1).sum() / 2.0
        areas.append((ranks - with_it * (with_it + 1) / 2.0) / (with_it * (count - with_it)))
    return np.array(areas)


def _correlation(states_NU: np.ndarray, values_N: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each unit; 0 for a unit that does not move."""
    centred_NU = states_NU.astype(np.float64) - states_NU.mean(axis=0, dtype=np.float64)
    value_N = values_N - values_N.mean()
    sizes_U = np.sqrt(np.square(centred_NU).sum(axis=0) * np.square(value_N).sum())
    moves_U = sizes_U > 0.0
    correlations_U: np.ndarray = np.where(moves_U, value_N @ centred_NU / np.where(moves_U, sizes_U, 1.0), 0.0)
    return correlations_U
