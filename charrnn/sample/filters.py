"""From scores to the distribution that is drawn from.

Filters act in this order: temperature, top-k, top-p, min-p; each leaves at least the likeliest symbol.

Shapes: V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charrnn.config.schema import Sample


def distribution(
    logits_V: np.ndarray, options: Sample, banned: np.ndarray, drawn: int | Sequence[int] = 0
) -> np.ndarray:
    """The probabilities (V,) in float64 that a symbol is drawn with; they sum to one.

    Rows of scores (B, V) that are drawn under the same options give rows of probabilities, each bit for bit what it is
    by itself.

    Args:
        logits_V: the model's scores.
        options: temperature and filters.
        banned: ids that are never drawn, or a mask of them, for rows (B, V) the latter; not all there are.
        drawn: how many symbols of the text were drawn before, where the temperature changes; for rows of each.
    """
    scores_V = logits_V.astype(np.float64)
    scores_V[banned] = -np.inf
    if isinstance(options.temperature, float | int):
        warmth: float | np.ndarray = options.temperature
    elif isinstance(drawn, int):
        warmth = temperature(options, drawn)
    else:
        warmth = np.array([[temperature(options, count)] for count in drawn])
    # The largest score is taken off first: then a low temperature can overflow towards probability zero only.
    with np.errstate(over="ignore"):
        scores_V -= scores_V.max(-1, keepdims=True)
        scores_V /= warmth
    probs_V = np.exp(scores_V, out=scores_V)
    probs_V /= probs_V.sum(-1, keepdims=True)
    if options.top_k is not None or options.top_p is not None or options.min_p is not None:
        probs_V[~_kept(probs_V, options)] = 0.0
    probs_V /= probs_V.sum(-1, keepdims=True)
    return probs_V


def _kept(probs_V: np.ndarray, options: Sample) -> np.ndarray:
    """Which symbols the filters leave."""
    keep_V = np.ones(probs_V.shape, dtype=bool)
    if options.top_k is not None:
        keep_V &= _top_k(probs_V, options.top_k)
    if options.top_p is not None:
        keep_V &= _top_p(np.where(keep_V, probs_V, 0.0), options.top_p)
    if options.min_p is not None:
        keep_V &= probs_V >= options.min_p * probs_V.max(-1, keepdims=True)
    return keep_V


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
    order_V = np.argsort(-probs_V, axis=-1, kind="stable")
    keep_V = np.zeros(probs_V.shape, dtype=bool)
    np.put_along_axis(keep_V, order_V[..., :k], True, -1)
    return keep_V


def _top_p(probs_V: np.ndarray, p: float) -> np.ndarray:
    """The fewest symbols, likeliest first, whose share of what the filters before have left reaches p."""
    order_V = np.argsort(-probs_V, axis=-1, kind="stable")
    falling_V = np.take_along_axis(probs_V, order_V, -1)
    wanted_V = falling_V.cumsum(-1) - falling_V < p * probs_V.sum(-1, keepdims=True)
    wanted_V[..., 0] = True  # the product of two small numbers may be zero
    keep_V = np.zeros(probs_V.shape, dtype=bool)
    np.put_along_axis(keep_V, order_V, wanted_V, -1)
    return keep_V


def draw(probs_V: np.ndarray, random: np.random.Generator) -> int:
    """A symbol drawn by inverting the cumulative distribution: one uniform number per symbol, on every device."""
    return inverted(probs_V, random.random())


def inverted(probs_V: np.ndarray, uniform: float) -> int:
    """The symbol at which the cumulative distribution passes a uniform number from [0, 1)."""
    cumulative_V = probs_V.cumsum()
    index = int(cumulative_V.searchsorted(uniform * cumulative_V[-1], side="right"))
    return index if index < len(probs_V) else _last(probs_V)


def inverted_rows(probs_BV: np.ndarray, uniform_B: np.ndarray) -> list[int]:
    """The same for each row, with a uniform number of its own."""
    cumulative_BV = probs_BV.cumsum(1)
    above_BV = cumulative_BV > uniform_B[:, None] * cumulative_BV[:, -1:]
    found: list[int] = (probs_BV.shape[1] - above_BV.sum(1)).tolist()
    return [index if index < len(probs_V) else _last(probs_V) for index, probs_V in zip(found, probs_BV, strict=True)]


def _last(probs_V: np.ndarray) -> int:
    # Rounding at the very top must not reach a symbol of probability zero; what is no number is not zero.
    return int(np.flatnonzero(probs_V)[-1])
