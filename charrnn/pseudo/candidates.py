"""The items of a labelled corpus that a teacher may label: those that nothing is known or asked about.

Arrays: N candidates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.labelled import LabelledCorpus, LabelledSplit

UNKNOWN = -1
"""What stands for a truth that nobody knows."""

_ELSEWHERE = {"valid": "in validation too", "test": "in the test too", "train": "labelled already"}


@dataclass(frozen=True)
class Candidates:
    """Items to be labelled, in the order of the corpus.

    Attributes:
        parts: the parts of the corpus that they are from.
        part_N: the number of its part in `parts`.
        number_N: its number within that part.
        truth_N: its true label where it is hidden, else -1; for reports only. Nothing is told of test items.
        left_out: how many unlabelled items are no candidates, and why.
    """

    parts: tuple[str, ...]
    part_N: NDArray[np.uint8]
    number_N: NDArray[np.int64]
    truth_N: NDArray[np.int32]
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(self.number_N)


def candidates_of(corpus: LabelledCorpus, transductive: bool) -> Candidates:
    """All that may be labelled.

    An unlabelled source may bring along what also lies in validation, in the test, or among the labelled items. Such
    items are left out, whatever file they come from: an item is what a model reads of it.

    Args:
        corpus: the corpus.
        transductive: let the test items in as well.
    """
    unlabelled = corpus.split("unlabelled")
    reason: dict[bytes, str] = {}
    for part in _ELSEWHERE if len(unlabelled) else ():
        for content in _contents(corpus.split(part)):
            reason.setdefault(content, part)
    found = [reason.get(content) for content in _contents(unlabelled)]
    left_out = {why: found.count(part) for part, why in _ELSEWHERE.items() if part in found}
    own = np.array([number for number, part in enumerate(found) if part is None], np.int64)
    parts, numbers = ["unlabelled"], [own]
    truths = [unlabelled.truths[own]]
    if transductive:
        test = len(corpus.split("test"))
        parts, numbers = [*parts, "test"], [*numbers, np.arange(test)]
        truths.append(np.full(test, UNKNOWN, np.int32))
    sizes = [len(each) for each in numbers]
    part_N = np.repeat(np.arange(len(parts), dtype=np.uint8), sizes)
    return Candidates(tuple(parts), part_N, np.concatenate(numbers), np.concatenate(truths), left_out)


def _contents(split: LabelledSplit) -> Iterator[bytes]:
    for number in range(len(split)):
        yield hashlib.sha256(split.item(number).tobytes()).digest()
