"""The rows of a labelled corpus as they are read: contents in a file beside, all else in arrays.

Arrays: N rows in the order of the sources, D distinct items.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.item_lines import Row

NO_LABEL = -1
"""What stands for a label that a row has not."""

OWN, TEST, UNLABELLED = range(3)
"""The role of a source: split by the settings, a test set that is given, items without labels."""

_KEY_BYTES = 16
_PERSON = b"charrnn items"


@dataclass(frozen=True)
class Rows:
    """What was read.

    Attributes:
        keys_N2: 128 bits of a hash of seed and content. Equal contents have equal keys, others have not; the first
            half decides the split, the second which items keep their labels.
        labels_N: the number of the label, in the order of `labels`; -1 where there is none.
        sources_N: the number of the file.
        lines_N: the line in it, or the number of the picture, from 1.
        roles_N: what the file is for.
        ends_N1: where contents begin and end in the spool, in bytes; the first is 0.
        labels: sorted: by value where all are whole numbers, else by code points.
        empty: how many rows were left out because nothing is in them.
    """

    keys_N2: NDArray[np.uint64]
    labels_N: NDArray[np.int32]
    sources_N: NDArray[np.int32]
    lines_N: NDArray[np.int64]
    roles_N: NDArray[np.uint8]
    ends_N1: NDArray[np.int64]
    labels: tuple[str, ...]
    empty: int


class Collector:
    """Gathers rows.

    Args:
        spool: where the contents go, one after the other.
        seed: of the splits.
    """

    def __init__(self, spool: BinaryIO, seed: int) -> None:
        self._spool = spool
        self._seed = str(seed).encode()
        self._keys = bytearray()
        self._labels, self._sources, self._lines = array("i"), array("i"), array("q")
        self._roles, self._ends = bytearray(), array("q", [0])
        self._names: dict[str, int] = {}
        self._empty = 0

    def add(self, rows: Iterable[Row], source: int, role: int) -> int:
        """Take the rows of the file with this number; how many they were, empty ones not counted."""
        before, end = len(self._labels), self._ends[-1]
        for content, label, line in rows:
            if not content:
                self._empty += 1
                continue
            key = hashlib.blake2b(content, digest_size=_KEY_BYTES, key=self._seed, person=_PERSON)
            self._keys += key.digest()
            self._labels.append(NO_LABEL if label is None else self._names.setdefault(label, len(self._names)))
            self._sources.append(source)
            self._lines.append(line)
            self._roles.append(role)
            self._spool.write(content)
            end += len(content)
            self._ends.append(end)
        return len(self._labels) - before

    def rows(self) -> Rows:
        """All of them; the labels are sorted now."""
        names = sorted(self._names, key=_number if all(map(_is_number, self._names)) else None)
        ranks = np.full(len(names) + 1, NO_LABEL, np.int32)  # the last one is that of no label, -1
        for rank, name in enumerate(names):
            ranks[self._names[name]] = rank
        return Rows(
            keys_N2=np.frombuffer(bytes(self._keys), "<u8").reshape(-1, 2).astype(np.uint64),
            labels_N=ranks[np.array(self._labels, np.int64)],
            sources_N=np.array(self._sources, np.int32),
            lines_N=np.array(self._lines, np.int64),
            roles_N=np.frombuffer(bytes(self._roles), np.uint8),
            ends_N1=np.array(self._ends, np.int64),
            labels=tuple(names),
            empty=self._empty,
        )


def distinct(keys_N2: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """For each row the number of its distinct item, and the keys of those, D × 2, which ascend."""
    order = np.lexsort((keys_N2[:, 1], keys_N2[:, 0]))
    ordered = keys_N2[order]
    new = np.ones(len(ordered), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    items_N = np.empty(len(ordered), np.int64)
    items_N[order] = np.cumsum(new) - 1
    return items_N, ordered[new]


def _is_number(name: str) -> bool:
    return name.removeprefix("-").isdecimal() and name.isascii() and str(int(name)) == name


def _number(name: str) -> int:
    return int(name)
