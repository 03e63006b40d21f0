"""Which of the labelled items a student learns from: pure functions of the teachers' probabilities.

Arrays: S teachers, N items, C labels. Of equally sure items the first ones go before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.config.schema.pseudo import (
    AgreementSelect,
    AllSelect,
    ConfidenceSelect,
    MarginSelect,
    Select,
    TopShareSelect,
)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Called:
    """What the teachers say of N items together.

    Attributes:
        p_NC: the mean of their probabilities.
        label_N: the likeliest label by that.
        confidence_N: its probability.
        alike_N: whether each of the teachers, asked alone, says the same.
    """

    p_NC: NDArray[np.float64]
    label_N: NDArray[np.int64]
    confidence_N: NDArray[np.float64]
    alike_N: Mask

    @classmethod
    def of(cls, p_SNC: NDArray[np.float64]) -> Called:
        """From the probabilities of each teacher."""
        p_NC = p_SNC.mean(0)
        label_N = p_NC.argmax(-1)
        confidence_N = np.take_along_axis(p_NC, label_N[:, None], -1)[:, 0]
        return cls(p_NC, label_N, confidence_N, (p_SNC.argmax(-1) == label_N).all(0))

    @property
    def margin_N(self) -> NDArray[np.float64]:
        """How far the likeliest label leads the second."""
        return self.confidence_N - np.partition(self.p_NC, -2, axis=-1)[:, -2]


def passing(select: Select, called: Called) -> Mask:
    """Whether each item is one that `select` takes."""
    match select:
        case ConfidenceSelect():
            return called.confidence_N > select.above
        case MarginSelect():
            return called.margin_N > select.above
        case TopShareSelect():
            counts_C = np.bincount(called.label_N, minlength=called.p_NC.shape[1])
            # without rounding 0.07 of 100 would be a little more than 7
            wanted_C = [math.ceil(round(select.share * count, 9)) for count in counts_C.tolist()]
            return foremost(called.confidence_N, called.label_N, np.ones(len(called.label_N), bool), wanted_C)
        case AgreementSelect():
            return called.alike_N & (called.confidence_N > select.above)
        case AllSelect():
            return np.ones(len(called.label_N), bool)


def foremost(rank_N: NDArray[np.float64], label_N: NDArray[np.int64], among_N: Mask, wanted_C: list[int]) -> Mask:
    """Of those in `among_N` the `wanted_C` items of each label that rank highest, or all where there are fewer."""
    taken_N = np.zeros(len(among_N), bool)
    for label, wanted in enumerate(wanted_C):
        there = np.flatnonzero(among_N & (label_N == label))
        order = np.argsort(-rank_N[there], kind="stable")
        taken_N[there[order[:wanted]]] = True
    return taken_N


def balanced(
    balance: str,
    cap: int | None,
    label_N: NDArray[np.int64],
    rank_N: NDArray[np.float64],
    passed_N: Mask,
    labelled_C: NDArray[np.int64],
) -> Mask:
    """What is left of the items in `passed_N` once labels are balanced and their number is capped.

    Args:
        balance: `none`, `equal`, or `labelled`: in the proportions of the labelled items.
        cap: the most items in all.
        label_N: what the teachers call each item.
        rank_N: those that rank highest stay.
        passed_N: the items to choose from.
        labelled_C: the labelled items of each label.
    """
    if balance == "none":
        return foremost(rank_N, np.zeros_like(label_N), passed_N, [len(passed_N) if cap is None else cap])
    there_C = np.bincount(label_N[passed_N], minlength=len(labelled_C)).tolist()
    parts_C = labelled_C.tolist() if balance == "labelled" else [1] * len(there_C)
    return foremost(rank_N, label_N, passed_N, _in_proportion(there_C, parts_C, cap))


def _in_proportion(there_C: list[int], parts_C: list[int], cap: int | None) -> list[int]:
    """How many of each label there may be so that they stand to each other as `parts_C`; labels that are not there are
    left out of it. Whole numbers, rounded down."""
    present = [c for c, count in enumerate(there_C) if count and parts_C[c]]
    if not present:
        return [0] * len(there_C)
    # The scale is the fraction over / under: that of the scarcest label, or that of the cap.
    scarcest = min(present, key=lambda c: there_C[c] / parts_C[c])
    over, under = there_C[scarcest], parts_C[scarcest]
    total = sum(parts_C[c] for c in present)
    if cap is not None and cap * under < over * total:
        over, under = cap, total
    return [parts_C[c] * over // under if c in present else 0 for c in range(len(there_C))]
