"""One level of an interpolated model: what an n-gram keeps of its count, and what it leaves to the order below.

Legend: M tokens of a block, G distinct n-grams of one length, K distinct contexts of one length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from charrnn.baselines.counts import Ids, Level
from charrnn.baselines.discounting import Floats, Tally


class Smoothing(NamedTuple):
    """One level's part of the interpolation: `direct` by n-gram id (G + 1,), `gamma` by context id (K + 1,).

    The last entry of each is that of `UNSEEN`, which is -1: nothing of its own, and all of the lower order.
    """

    direct: Floats
    gamma: Floats

    @classmethod
    def of(cls, level: Level, tally: Tally, contexts: int, vocabulary_size: int) -> Smoothing:
        """Discount one level, whose contexts have the ids 0 … `contexts` - 1."""
        context = level.keys // vocabulary_size
        taken = tally.taken()
        total = np.bincount(context, weights=tally.counts, minlength=contexts + 1)
        direct = np.zeros(len(taken) + 1)
        direct[:-1] = (tally.counts - taken) / total[context]
        gamma = np.ones(contexts + 1)
        all_taken = np.bincount(context, weights=taken, minlength=contexts + 1)
        np.divide(all_taken, total, out=gamma, where=total > 0)
        return cls(direct, gamma)

    def interpolate(self, lower: Floats, contexts: Ids, grams: Ids) -> Floats:
        """p_n at M positions, shape (M,), from p_{n-1} there and the ids of contexts and n-grams."""
        return self.direct[grams] + self.gamma[contexts] * lower
