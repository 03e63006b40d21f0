"""Which part of a labelled corpus each row belongs to.

The order in which rows were read plays no part: all rests on the keys of the distinct items, which are hashes of the
seed and of what is in them.

Arrays: N rows, D distinct items with ascending keys, C labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import cast

import numpy as np
from numpy.typing import NDArray

from charrnn.config.schema.corpus import Part
from charrnn.config.schema.labelled_source import LabelledSource
from charrnn.corpus.item_rows import NO_LABEL, OWN, TEST, UNLABELLED, Rows, distinct
from charrnn.errors import DataError

PARTS = ("train", "unlabelled", "valid", "test")
"""The parts of a labelled corpus in the order in which they lie there."""

TRAIN_PART, UNLABELLED_PART, VALID_PART, TEST_PART = range(4)
_SPLITS = np.array([TRAIN_PART, VALID_PART, TEST_PART], np.uint8)

_UNLEARNED = "a label would have no item to learn from"


@dataclass(frozen=True)
class Allotment:
    """What each row is for.

    Attributes:
        parts_N: the number of its part in `PARTS`.
        items_N: the number of its distinct item.
        distinct: how many distinct items there are in all sources.
        ambiguous: how many of them have more than one label.
        test_seen: rows of a given test set whose item also occurs in training or validation.
        unlabelled_held_out: rows of an unlabelled source whose item also occurs in validation or test.
    """

    parts_N: NDArray[np.uint8]
    items_N: NDArray[np.int64]
    distinct: int
    ambiguous: int
    test_seen: int
    unlabelled_held_out: int


def allot(rows: Rows, settings: LabelledSource) -> Allotment:
    """Give every row its part.

    Raises:
        DataError: the source is too small for the settings.
    """
    items_N, keys_D2 = distinct(rows.keys_N2)
    own_N, test_N, more_N = (rows.roles_N == role for role in (OWN, TEST, UNLABELLED))
    split_D = np.full(len(keys_D2), len(PARTS), np.uint8)  # where the split of the own source puts an item, if at all
    occurs = np.unique(items_N[own_N])
    if settings.fold is not None:
        held = fold(keys_D2[occurs, 0], settings.fold[1]) == settings.fold[0] - 1
        split_D[occurs[held]] = TEST_PART
        occurs = occurs[~held]
    split_D[occurs] = _SPLITS[split(keys_D2[occurs, 0], settings.parts, settings.source)]
    if not (split_D == TRAIN_PART).any():
        raise DataError("the training split is empty", where=settings.source, hint="give it a share in corpus.split")
    parts_N = split_D[items_N]
    test_seen = int((parts_N[test_N] < len(PARTS)).sum())
    parts_N[test_N] = TEST_PART
    held_out = np.isin(items_N[more_N], items_N[(parts_N == VALID_PART) | (parts_N == TEST_PART)])
    parts_N[more_N] = UNLABELLED_PART
    low_D, high_D = label_range(rows.labels_N, items_N, len(keys_D2))
    if settings.labelled is not None:
        candidates = np.flatnonzero((split_D == TRAIN_PART) & (low_D == high_D))
        kept = choose(keys_D2[candidates, 1], low_D[candidates], rows.labels, settings)
        keeps_D = np.zeros(len(keys_D2), bool)
        keeps_D[candidates[kept]] = True
        parts_N[own_N & (parts_N == TRAIN_PART) & ~keeps_D[items_N]] = UNLABELLED_PART
    return Allotment(parts_N, items_N, len(keys_D2), int((low_D < high_D).sum()), test_seen, int(held_out.sum()))


def split(hashes: NDArray[np.uint64], parts: tuple[Part, ...], source: str) -> NDArray[np.int64]:
    """The number of the split of each distinct item.

    Args:
        hashes: of the items, ascending; evenly spread numbers.
        parts: fractions, which cut the range of the hashes, or counts of items, which cut their order.
        source: what errors name.

    Raises:
        DataError: the counts are more than there are items.
    """
    if "rest" not in parts:
        ends = [*accumulate(map(float, cast(tuple[float, ...], parts)))]
        position = (hashes >> np.uint64(11)).astype(np.float64) / 2.0**53  # exact, and below 1
        return np.searchsorted(np.array(ends[:-1]), position, side="right").astype(np.int64)
    given = sum(part for part in parts if isinstance(part, int))
    if given > len(hashes):
        raise DataError(
            "corpus.split asks for more items than the source has",
            where=source,
            why=f"the counts add up to {given:,}, the source has {len(hashes):,} distinct items",
            hint="lower the counts, or give fractions",
        )
    sizes = [part if isinstance(part, int) else len(hashes) - given for part in parts]
    return np.repeat(np.arange(len(sizes)), sizes)


def fold(hashes: NDArray[np.uint64], folds: int) -> NDArray[np.uint64]:
    """The number of the fold, from 0, of each distinct item: by the low end of its hash, for the high end splits."""
    return hashes % np.uint64(folds)


def label_range(
    labels_N: NDArray[np.int32], items_N: NDArray[np.int64], items: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The lowest and the highest label of each item; where they differ it has several. Without any, both are -1."""
    known = labels_N != NO_LABEL
    high = np.full(items, NO_LABEL, np.int32)
    np.maximum.at(high, items_N[known], labels_N[known])
    low = high.copy()
    np.minimum.at(low, items_N[known], labels_N[known])
    return low, high


def choose(
    hashes: NDArray[np.uint64], labels: NDArray[np.int32], names: tuple[str, ...], settings: LabelledSource
) -> NDArray[np.int64]:
    """Which of these items keep their label: those with the lowest hashes, of each label or of all.

    So a larger number keeps all that a smaller one keeps, as long as no label runs out of items.

    Raises:
        DataError: a label would have no item, or there are too few.
    """
    total = settings.labelled
    assert total is not None, "some are to be chosen"
    available = np.bincount(labels, minlength=len(names)).tolist()
    _refuse_too_few(available, names, total, settings.source)
    if settings.labelled_shares == "natural":
        return _drawn(hashes, labels, names, total, settings.source)
    order = np.lexsort((hashes, labels))
    starts = np.cumsum([0, *available[:-1]]).tolist()
    shares = quotas(available, total)
    return np.concatenate([order[start : start + share] for start, share in zip(starts, shares, strict=True)])


def _refuse_too_few(available: list[int], names: tuple[str, ...], total: int, source: str) -> None:
    if total > sum(available):
        raise DataError(
            f"corpus.labelled is {total:,}, and training has {sum(available):,} items with a single label",
            where=source,
            hint="lower it, or set corpus.labelled: null to keep all labels",
        )
    missing = [name for name, count in zip(names, available, strict=True) if count == 0]
    if missing or total < len(names):
        few = f"there are {len(names)} labels and corpus.labelled is {total}"
        raise DataError(
            _UNLEARNED,
            where=source,
            why=f"no item of training has the label {missing[0]!r} and no other" if missing else few,
            hint="join labels, or set corpus.labelled: null" if missing else "raise corpus.labelled, or join labels",
        )


def _drawn(
    hashes: NDArray[np.uint64], labels: NDArray[np.int32], names: tuple[str, ...], total: int, source: str
) -> NDArray[np.int64]:
    """The first items by their hashes, whatever their labels are; each label must be among them."""
    chosen = np.argsort(hashes, kind="stable")[:total]
    missing = [
        name for name, count in zip(names, np.bincount(labels[chosen], minlength=len(names)), strict=True) if not count
    ]
    if missing:
        raise DataError(
            _UNLEARNED,
            where=source,
            why=f"none of the {total} items that were drawn has the label {missing[0]!r}",
            hint="raise corpus.labelled, or set corpus.labelled_shares: equal",
        )
    return chosen


def quotas(available: list[int], total: int) -> list[int]:
    """`total` shared out evenly, none getting more than is `available`; what does not divide goes to the first."""
    shares = [0] * len(available)
    while total:
        able = [number for number, share in enumerate(shares) if share < available[number]]
        each = max(1, total // len(able))
        for number in able:
            more = min(each, available[number] - shares[number], total)
            shares[number] += more
            total -= more
    return shares
