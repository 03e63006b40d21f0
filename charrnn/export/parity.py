"""Whether an exported model computes what ours does, over a sequence with the state carried.

Shapes: B rows, N symbols, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.config.schema import Sample
from charrnn.errors import CheckpointError
from charrnn.export.heldout import steps
from charrnn.export.tables import Tables
from charrnn.runs.use import OpenModel
from charrnn.sample.decode import Stepper
from charrnn.sample.several import several
from charrnn.sample.surprise import nats
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check

TOLERANCE = 1e-4
"""Of a score, or of the largest score where that is above 1; fp32 in another order of terms is below 1e-5."""

_LENGTH, _ROWS = 200, 3
_BATCHES = (1, _ROWS)


@dataclass(frozen=True)
class Sequences:
    """What is compared: symbols that the model itself writes, so that no text is needed and none is left out.

    Attributes:
        ids_BN: the symbols; `<start>` is read in front of them.
        nats_BN: how much each surprises our model.
        scores_BNV: our scores in front of each of them.
    """

    ids_BN: np.ndarray
    nats_BN: np.ndarray
    scores_BNV: np.ndarray

    def told(self) -> dict[str, Any]:
        """As JSON, for whoever ports the model: the last scores of each row and the nats of all symbols."""
        return {
            "start": Vocabulary.START,
            "ids": self.ids_BN.tolist(),
            "nats": self.nats_BN.round(6).tolist(),
            "last_scores": self.scores_BNV[:, -1].astype(float).round(6).tolist(),
        }


def sequences(model: OpenModel, tables: Tables, check: Check) -> Sequences:
    """Three rows of symbols that the model writes, 200 each, with what it makes of them."""
    length = steps(tables.window, _LENGTH)
    options = Sample(length=length, temperature=1.0)
    rows: list[list[int]] = [[] for _ in range(_ROWS)]
    for drawn in several(model.network, model.vocabulary, [], options, range(_ROWS), check):
        rows[drawn.stream].append(drawn.symbol)
    ids_BN = np.array(rows, np.int64)
    scores_BNV = _scores(model.network, ids_BN, check)
    nats_NB = [nats(scores_BNV[:, n], ids_BN[:, n]) for n in range(length)]
    return Sequences(ids_BN, np.stack(nats_NB, 1), scores_BNV)


def largest_difference(other: Stepper, ours: Sequences, name: str, check: Check) -> float:
    """The largest difference of a score between ours and the `other` model's, in batches of 1 and of 3.

    Raises:
        CheckpointError: it is above the tolerance, or not a number.
    """
    scale = max(1.0, float(np.abs(ours.scores_BNV).max()))
    worst = 0.0
    for batch in _BATCHES:
        gaps = np.abs(_scores(other, ours.ids_BN[:batch], check) - ours.scores_BNV[:batch])
        worst = float(np.maximum(worst, gaps.max()))
    if not worst <= TOLERANCE * scale:
        raise CheckpointError(
            "the exported model does not compute what the checkpoint computes",
            where=name,
            why=f"scores differ by {worst:.3g}, and {TOLERANCE * scale:.3g} is allowed",
            hint="export another checkpoint of the run, and report this",
        )
    return worst


def compared(ours: Sequences) -> str:
    """What was compared, in words."""
    return f"{ours.ids_BN.shape[1]} symbols, batches of {_words(_BATCHES)}"


def _words(numbers: Sequence[int]) -> str:
    return " and ".join(map(str, numbers))


def _scores(model: Stepper, ids_BN: np.ndarray, check: Check) -> np.ndarray:
    """The scores in front of each symbol, (B, N, V), from `<start>` on."""
    state = model.initial_state(len(ids_BN))
    read_BN = np.concatenate([np.full((len(ids_BN), 1), Vocabulary.START), ids_BN[:, :-1]], axis=1)
    found = []
    for ids_B in read_BN.T:
        check()
        logits_BV, state = model.step(ids_B, state)
        found.append(logits_BV)
    return np.stack(found, 1)
