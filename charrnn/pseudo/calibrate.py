"""Temperature scaling (Guo, Pleiss, Sun, Weinberger 2017): scores are divided by one number, so that probabilities mean
what they say. Which label is the likeliest never changes.

Arrays: N items, C labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 0.05, 20.0
_HALVINGS = 100


@dataclass(frozen=True)
class Temperature:
    """What scores are divided by.

    Attributes:
        value: the number; 1 leaves them as they are.
        how: how it came about, for the record.
    """

    value: float = 1.0
    how: str = "not fitted"


def softmax(scores_NC: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Probabilities."""
    scaled_NC = scores_NC / temperature
    powers_NC = np.exp(scaled_NC - scaled_NC.max(-1, keepdims=True))
    shares: NDArray[np.float64] = powers_NC / powers_NC.sum(-1, keepdims=True)
    return shares


def fit_temperature(scores_NC: NDArray[np.float64], label_N: NDArray[np.int64]) -> Temperature:
    """The temperature under which the probability of the true labels is greatest.

    Its logarithm is concave in 1 / temperature, so the only place where the slope is 0 is found by halving. Where no
    item is called wrongly there is none, for the smaller the temperature the better: then it stays 1.

    Args:
        scores_NC: of the validation items.
        label_N: what they truly are; at least one.
    """
    true_N = np.take_along_axis(scores_NC, label_N[:, None], -1)[:, 0]
    if (true_N == scores_NC.max(-1)).all():
        return Temperature(1.0, "1, as no validation item is called wrongly: there is nothing to fit it by")

    def rises_at(temperature: float) -> bool:
        """Whether a lower temperature than this would be better."""
        expected_N = (softmax(scores_NC, temperature) * scores_NC).sum(-1)
        return bool((true_N - expected_N).sum() > 0.0)

    for end, better_beyond in ((LOWEST, True), (HIGHEST, False)):
        if rises_at(end) == better_beyond:
            return Temperature(end, f"the {'lowest' if better_beyond else 'highest'} that is allowed")
    low, high = math.log(LOWEST), math.log(HIGHEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if rises_at(math.exp(middle)) else (middle, high)
    return Temperature(math.exp((low + high) / 2.0), f"fitted on {len(label_N)} validation items")
