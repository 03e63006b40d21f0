"""How likely a symbol was: as it was drawn, and as the model has it.

Shapes: V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.sample.filters import softmax


@dataclass(frozen=True)
class Odds:
    """How likely a symbol was.

    Attributes:
        drawn: the probability that it was drawn with, after temperature and filters; 1 where it had to come because of
            `require`, None where it was not drawn but found by a search.
        model: the model's own probability, at temperature 1 and without filters.
        alternatives: the likeliest symbols by the model's own probability, and that; the likeliest first, equals in the
            order of the vocabulary.
    """

    drawn: float | None
    model: float
    alternatives: tuple[tuple[int, float], ...] = ()


def odds_of(logits_V: np.ndarray, symbol: int, alternatives: int, drawn: float | None) -> Odds:
    """How likely `symbol` was under the model's scores, beside so many `alternatives`."""
    probs_V = softmax(logits_V)
    best = np.argsort(-probs_V, kind="stable")[:alternatives].tolist() if alternatives else []
    return Odds(drawn, float(probs_V[symbol]), tuple((id_, float(probs_V[id_])) for id_ in best))
