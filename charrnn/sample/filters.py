"""From scores to the distribution that is drawn from.

Filters act in this order: temperature, top-k, top-p, min-p; each leaves at least the likeliest symbol.

Shapes: V vocabulary.
"""

from __future__ import annotations

import numpy as np

from charrnn.config.schema import Sample


def distribution(logits_V: np.ndarray, options: Sample, banned: np.ndarray, drawn: int = 0) -> np.ndarray:
    """The probabilities (V,) in float64 that a symbol is drawn with; they sum to one.

    Args:
        logits_V: the model's scores.
        options: temperature and filters.
        banned: ids that are never drawn, or a mask of them; not all there are.
        drawn: how many symbols of the text were drawn before, where the temperature changes.
    """
    scores_V = logits_V.astype(np.float64)
    scores_V[banned] = -np.inf
    # The largest score is taken off first: then a low temperature can overflow towards probability zero only.
    with np.errstate(over="ignore"):
        probs_V = np.exp((scores_V - scores_V.max()) / temperature(options, drawn))
    probs_V /= probs_V.sum()
    keep_V = np.ones(len(probs_V), dtype=bool)
    if options.top_k is not None:
        keep_V &= _top_k(probs_V, options.top_k)
    if options.top_p is not None:
        keep_V &= _top_p(np.where(keep_V, probs_V, 0.0), options.top_p)
    if options.min_p is not None:
        keep_V &= probs_V >= options.min_p * probs_V.max()
    probs_V = np.where(keep_V, probs_V, 0.0)
    probs_V /= probs_V.sum()
    return probs_V


def temperature(options: Sample, drawn: int) -> float:
    """The temperature of the symbol that comes after `drawn` others.

    A list of n temperatures is run through over `options.length` symbols: they lie at n even places from the first
    symbol to the last, and between them on straight lines.
    """
    if isinstance(options.temperature, float | int):
        return options.temperature
    points = options.temperature
    place = (len(points) - 1) * drawn / max(options.length - 1, 1)
    return float(np.interp(place, np.arange(len(points)), points))


def softmax(logits_V: np.ndarray) -> np.ndarray:
    """The model's own probabilities (V,) in float64: no temperature, no filter."""
    scores_V = logits_V.astype(np.float64)
    with np.errstate(invalid="ignore"):  # a diverged model has scores without end
        probs_V: np.ndarray = np.exp(scores_V - scores_V.max())
        probs_V /= probs_V.sum()
    return probs_V


def _top_k(probs_V: np.ndarray, k: int) -> np.ndarray:
    order_V = np.argsort(-probs_V, kind="stable")
    keep_V = np.zeros(len(probs_V), dtype=bool)
    keep_V[order_V[:k]] = True
    return keep_V


def _top_p(probs_V: np.ndarray, p: float) -> np.ndarray:
    """The fewest symbols, likeliest first, whose share of what the filters before have left reaches p."""
    order_V = np.argsort(-probs_V, kind="stable")
    before_V = np.cumsum(probs_V[order_V]) - probs_V[order_V]
    keep_V = np.zeros(len(probs_V), dtype=bool)
    keep_V[order_V] = before_V < p * probs_V.sum()
    keep_V[order_V[0]] = True  # the product of two small numbers may be zero
    return keep_V


def draw(probs_V: np.ndarray, random: np.random.Generator) -> int:
    """A symbol drawn by inverting the cumulative distribution: one uniform number per symbol, on every device."""
    cumulative_V = np.cumsum(probs_V)
    index = np.searchsorted(cumulative_V, random.random() * cumulative_V[-1], side="right")
    # Rounding at the very top must not reach a symbol of probability zero.
    return int(min(index, np.flatnonzero(probs_V)[-1]))
