"""How a model reads text that it is given: what each symbol cost it, and what it expected each to cost.

Shapes: B rows, N symbols of a block, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.sample.decode import Stepper
from charrnn.sample.surprise import log_sum
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check

_AT_ONCE = 1 << 20
"""So many scores are looked at together."""


@dataclass(frozen=True)
class Surprise:
    """What symbols cost a model, symbol by symbol; three arrays of one shape, float64.

    Attributes:
        nats: minus the logarithm of the probability that each was given.
        expected: the mean of that over all symbols that might have come: the entropy of the prediction.
        variance: its variance over those.
    """

    nats: np.ndarray
    expected: np.ndarray
    variance: np.ndarray

    def __getitem__(self, cut: slice | tuple[int, slice]) -> Surprise:
        return Surprise(self.nats[cut], self.expected[cut], self.variance[cut])


class Reading:
    """A text that is read bit by bit, its state carried on; or several side by side.

    Args:
        model: the model; it begins with `<start>`, as training did.
        rows: B.
        check: called before every step; it may raise to stop.
    """

    def __init__(self, model: Stepper, rows: int = 1, check: Check = no_check) -> None:
        self._model = model
        self._check = check
        start = np.full(rows, Vocabulary.START)
        self._begun = model.step(start, model.initial_state(rows))
        self.logits_BV, self.state = self._begun

    def begin_anew(self) -> None:
        """All rows forget what they have read."""
        self.logits_BV, self.state = self._begun

    def read(self, ids_BN: np.ndarray, begins_BN: np.ndarray | None = None) -> Surprise:
        """Read further symbols of every row.

        Args:
            ids_BN: the symbols.
            begins_BN: in front of which of them a row forgets what it has read; None: nowhere.

        Returns:
            The surprise, (B, N).
        """
        rows, length = ids_BN.shape
        parts = []
        step = max(1, _AT_ONCE // self.logits_BV.size)
        for first in range(0, length, step):
            block_BN = ids_BN[:, first : first + step]
            scores_BNV = np.empty((*block_BN.shape, self.logits_BV.shape[1]), self.logits_BV.dtype)
            for n, ids_B in enumerate(block_BN.T):
                self._check()
                if begins_BN is not None and begins_BN[:, first + n].any():
                    self._begin(begins_BN[:, first + n])
                scores_BNV[:, n] = self.logits_BV
                with np.errstate(over="ignore", invalid="ignore"):  # a diverged model has scores beyond all bounds
                    self.logits_BV, self.state = self._model.step(ids_B, self.state)
            parts.append(surprise(scores_BNV, block_BN))
        empty = np.zeros((rows, 0))
        names = ("nats", "expected", "variance")
        return Surprise(*(np.concatenate([empty, *(getattr(part, name) for part in parts)], axis=1) for name in names))

    def _begin(self, anew_B: np.ndarray) -> None:
        logits_BV, state = self._begun
        if anew_B.all():
            self.begin_anew()
            return
        self.logits_BV = np.where(anew_B[:, None], logits_BV, self.logits_BV)
        self.state = _chosen(anew_B, state, self.state)


def nats_of(model: Stepper, ids_BN: np.ndarray, check: Check = no_check) -> np.ndarray:
    """What texts of one length cost a model, each from its beginning and symbol by symbol, (B, N) in nats."""
    return Reading(model, len(ids_BN), check).read(ids_BN).nats


def _chosen(where_B: np.ndarray, one: State, other: State) -> State:
    return {name: np.where(where_B[:, None], one[name], other[name]) for name in one}


def surprise(scores_BNV: np.ndarray, ids_BN: np.ndarray) -> Surprise:
    """What the symbols cost under the scores that they were predicted with, (B, N); not finite where those are not."""
    flat = scores_BNV.reshape(-1, scores_BNV.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        nats_AV = log_sum(flat)[:, None] - flat.astype(np.float64)
        shares_AV = np.exp(-nats_AV)
        weighted_AV = np.where(shares_AV > 0.0, shares_AV * nats_AV, 0.0)
        expected_A = weighted_AV.sum(axis=1)
        variance_A = np.maximum(0.0, (weighted_AV * (nats_AV - expected_A[:, None])).sum(axis=1))
    given_A = nats_AV[np.arange(len(flat)), ids_BN.ravel()]
    return Surprise(*(each.reshape(ids_BN.shape) for each in (given_A, expected_A, variance_A)))
