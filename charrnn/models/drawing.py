"""Drawing the next symbol of many rows on any device, each row under options of its own.

What `charrnn/sample/filters.py` does for one row in NumPy, in the same order, in float64: temperature, top-k, top-p,
min-p, then the cumulative distribution is inverted at a uniform number that comes from outside. Sorts are stable, so
that of equals those earlier in the vocabulary come first, there as here. Nothing here waits for the device, nor copies
a number to it: a mask is filled, for `torch.where` with a number would bring that from the host.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from charrnn.config.schema import Sample


@dataclass(frozen=True)
class Used:
    """Which options any row uses; the others cost nothing."""

    greedy: bool = False
    top_k: bool = False
    top_p: bool = False
    min_p: bool = False


class Choices:
    """The options of each row, in tensors whose place in memory never changes.

    Args:
        rows: B.
        vocabulary: V.
        device: where they are.
    """

    def __init__(self, rows: int, vocabulary: int, device: torch.device) -> None:
        self.banned_BV = torch.zeros(rows, vocabulary, dtype=torch.bool, device=device)
        self.greedy_B = torch.zeros(rows, dtype=torch.bool, device=device)
        self.top_k_B = torch.full((rows,), vocabulary, dtype=torch.int64, device=device)
        self.top_p_B = torch.full((rows,), torch.inf, dtype=torch.float64, device=device)
        self.min_p_B = torch.zeros(rows, dtype=torch.float64, device=device)
        self.rank_V = torch.arange(vocabulary, device=device)

    def put(self, row: int, options: Sample, banned_V: np.ndarray) -> None:
        """Let a row be drawn as `options` say, without the symbols of the mask `banned_V`."""
        vocabulary = self.banned_BV.shape[1]
        self.banned_BV[row] = torch.from_numpy(banned_V).to(self.banned_BV.device)
        self.greedy_B[row] = options.greedy
        self.top_k_B[row] = vocabulary if options.top_k is None else min(options.top_k, vocabulary)
        self.top_p_B[row] = torch.inf if options.top_p is None else options.top_p
        self.min_p_B[row] = options.min_p or 0.0


def used_by(options: Sample) -> Used:
    """Which options a row uses."""
    return Used(options.greedy, options.top_k is not None, options.top_p is not None, options.min_p is not None)


def draw(logits_BV: Tensor, uniform_B: Tensor, temperature_B: Tensor, choices: Choices, used: Used) -> Tensor:
    """A symbol for every row: ids_B.

    Args:
        logits_BV: the model's scores.
        uniform_B: numbers from [0, 1), in float64, whose last bit is worth 2⁻⁵³.
        temperature_B: in float64.
        choices: the options of the rows.
        used: those that have to be looked at.
    """
    scores_BV = logits_BV.to(torch.float64).masked_fill(choices.banned_BV, -torch.inf)
    # The largest score is taken off first: then a low temperature can overflow towards probability zero only.
    probs_BV = torch.softmax((scores_BV - scores_BV.amax(1, True)) / temperature_B[:, None], 1)
    ids_B = _inverted(_filtered(probs_BV, choices, used), uniform_B)
    return torch.where(choices.greedy_B, probs_BV.argmax(1), ids_B) if used.greedy else ids_B


def _filtered(probs_BV: Tensor, choices: Choices, used: Used) -> Tensor:
    """What the filters leave of the probabilities; zero for all others."""
    kept_BV = probs_BV
    if used.top_k or used.top_p:
        falling_BV, order_BV = torch.sort(probs_BV, dim=1, descending=True, stable=True)
        if used.top_k:
            falling_BV = falling_BV.masked_fill(choices.rank_V >= choices.top_k_B[:, None], 0.0)
        if used.top_p:
            before_BV = falling_BV.cumsum(1) - falling_BV
            wanted_BV = before_BV < choices.top_p_B[:, None] * falling_BV.sum(1, True)
            # The first stays: the product of two small numbers may be zero.
            falling_BV = falling_BV.masked_fill(~(wanted_BV | (choices.rank_V == 0)), 0.0)
        kept_BV = torch.zeros_like(probs_BV).scatter(1, order_BV, falling_BV)
    if used.min_p:
        kept_BV = kept_BV.masked_fill(probs_BV < choices.min_p_B[:, None] * probs_BV.amax(1, True), 0.0)
    return kept_BV


def _inverted(shares_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """The symbol of each row at which the cumulative distribution passes the uniform number.

    A uniform number is at most 1 − 2⁻⁵³, and that times the sum of all shares is rounded to less than the sum: so the
    last symbol that is not banned is never passed. Scores that are no numbers give the last of all.
    """
    rising_BV = shares_BV.cumsum(1)
    level_B1 = uniform_B[:, None] * rising_BV[:, -1:]
    return torch.searchsorted(rising_BV, level_B1, right=True)[:, 0].clamp(max=shares_BV.shape[1] - 1)
