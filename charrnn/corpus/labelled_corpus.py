"""A labelled corpus, opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.labelled_manifest import (
    ITEMS,
    KIND,
    LABELS,
    OFFSETS,
    PLACES_FILE,
    TRUTHS,
    LabelledManifest,
)
from charrnn.corpus.manifest import VOCABULARY, damaged, read_manifest
from charrnn.corpus.tokens import check_file, read_vocabulary
from charrnn.errors import DataError
from charrnn.text.blocks import read_errors
from charrnn.text.vocabulary import Vocabulary

_IN_MEMORY = 1 << 30
"""Items below so many bytes are read; larger ones are mapped."""


@dataclass(frozen=True)
class LabelledSplit:
    """A part of a labelled corpus: N items, one after the other. Its arrays are not to be written to.

    Attributes:
        name: `train`, `unlabelled`, `valid` or `test`.
        items: all values in a row: ids, or pixels row by row.
        offsets: N + 1 int64, ascending from 0: item i is `items[offsets[i] : offsets[i + 1]]`.
        labels: N int32, numbers in `LabelledCorpus.labels`; -1 where there is none to learn from.
        truths: N int32: what the label truly is, as far as anybody knows, else -1. They differ from `labels` only where
            `labelled` hides some, and are for reports: never to be learned from.
        places: N × 2 int64: the number of the source in the manifest, and the line (or the number of the picture).
        features: values per step, where an item is a picture; None where a step is an id.
    """

    name: str
    items: NDArray[np.unsignedinteger[Any]]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int32]
    truths: NDArray[np.int32]
    places: NDArray[np.int64]
    features: int | None
    _vocabulary: Vocabulary | None = field(repr=False)
    _sources: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        """N."""
        return len(self.labels)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """How many steps each item has."""
        return np.diff(self.offsets) // (self.features or 1)

    @property
    def steps(self) -> int:
        """The steps of the longest item; 0 where there are no items."""
        return int(self.lengths.max(initial=0))

    def item(self, number: int) -> NDArray[np.unsignedinteger[Any]]:
        """The values of an item; of a picture steps × features."""
        values = self.items[self.offsets[number] : self.offsets[number + 1]]
        return values if self.features is None else values.reshape(-1, self.features)

    def text(self, number: int) -> str | None:
        """An item as text, in normal form and as far as it was not cut; None for a picture."""
        return None if self._vocabulary is None else self._vocabulary.decode(self.item(number))

    def place(self, number: int) -> str:
        """Where an item stood: `name:line`, or `name:number` for a picture, counted from 1."""
        source, line = self.places[number].tolist()
        return f"{self._sources[source]}:{line}"


@dataclass(frozen=True)
class LabelledCorpus:
    """Items with their labels, in splits.

    Attributes:
        folder: where they lie.
        manifest: what they are made of.
        vocabulary: the symbols of their texts; None for pictures.
    """

    folder: Path
    manifest: LabelledManifest
    vocabulary: Vocabulary | None

    @classmethod
    def open(cls, folder: Path, verify: bool = False) -> LabelledCorpus:
        """The corpus in `folder`; the items themselves are read when they are first asked for.

        Args:
            folder: where `prepare_labelled` put it.
            verify: read all of it and compare the digests, not only the sizes.

        Raises:
            DataError: there is none, it is damaged, or it was written by another version.
        """
        manifest = read_manifest(LabelledManifest, KIND, folder)
        for name, record in manifest.files.items():
            check_file(folder / name, record, verify or name == VOCABULARY)
        return cls(folder, manifest, read_vocabulary(folder, manifest.dtype) if VOCABULARY in manifest.files else None)

    @property
    def digest(self) -> str:
        """The identity of the corpus: the digest of its settings and of the content of its sources."""
        return self.manifest.digest

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels; their order gives them their numbers."""
        return tuple(self.manifest.labels)

    @property
    def features(self) -> int | None:
        """Values per step, where an item is a picture; None where a step is an id."""
        return self.manifest.features

    @property
    def highest(self) -> int | None:
        """The highest value that a pixel can have; None where items are texts."""
        return self.manifest.highest

    @property
    def inputs(self) -> int:
        """What a step of an item may be: so many symbols, or a vector of so many values."""
        return self.features or (self.vocabulary.size if self.vocabulary else 0)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What should be known of a new one."""
        return self.manifest.remarks

    def summary(self) -> dict[str, Any]:
        """What it holds, in numbers."""
        manifest = self.manifest
        return {
            "inputs": self.inputs,
            "labels": list(self.labels),
            "items": {name: part.end - part.start for name, part in manifest.splits.items()},
            **manifest.counts.model_dump(),
        }

    def split(self, name: str) -> LabelledSplit:
        """One of the parts `train`, `unlabelled`, `valid` and `test`; it may be empty.

        Raises:
            DataError: there is none of this name, or the corpus was replaced or damaged since it was opened.
        """
        record = self.manifest.splits.get(name)
        if record is None:
            raise DataError(f"there is no split named {name!r}", why=f"there are {', '.join(self.manifest.splits)}")
        rows, offsets = slice(record.start, record.end), self._offsets[record.start : record.end + 1]
        arrays = self._items[offsets[0] : offsets[-1]], offsets - offsets[0], *(array[rows] for array in self._arrays)
        for array in arrays:
            array.flags.writeable = False
        items, starts, labels, truths, places = arrays
        sources = tuple(source.name for source in self.manifest.sources)
        return LabelledSplit(name, items, starts, labels, truths, places, self.features, self.vocabulary, sources)

    def whole(self) -> tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.int64]]:
        """The values of all items in a row, part by part, and where each item begins and the last one ends; not to be
        written to. Item i of a part is number `manifest.splits[part].start + i` here."""
        found = self._items[:], self._offsets[:]
        for array in found:
            array.flags.writeable = False
        return found

    @cached_property
    def _items(self) -> NDArray[np.unsignedinteger[Any]]:
        path, dtype = self.folder / ITEMS, np.dtype(self.manifest.dtype).newbyteorder("<")
        mapped = self.manifest.files[ITEMS].bytes >= _IN_MEMORY
        items = self._read(ITEMS, dtype, mapped)
        if not mapped and self.vocabulary is not None and int(items.max(initial=0)) >= self.vocabulary.size:
            raise damaged(path, f"it has an id beyond the {self.vocabulary.size} of the vocabulary")
        return items

    @cached_property
    def _offsets(self) -> NDArray[np.int64]:
        """Where items begin in all of them, and where the last one ends."""
        offsets = self._read(OFFSETS, np.dtype("<u8"))
        whole = len(self._items)
        if offsets[0] != 0 or offsets[-1] != whole or not (offsets[1:] > offsets[:-1]).all():
            raise damaged(
                self.folder / OFFSETS, f"its numbers do not ascend from 0 to the {whole:,} values of the items"
            )
        found = offsets.astype(np.int64)
        if (np.diff(found) % (self.features or 1)).any():
            raise damaged(self.folder / OFFSETS, f"an item is not made of steps of {self.features} values")
        return found

    @cached_property
    def _arrays(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Labels, truths and places of all rows."""
        labels = self._numbers(LABELS, -1, len(self.labels))
        truths = self._numbers(TRUTHS, -1, len(self.labels)) if TRUTHS in self.manifest.files else labels
        places = self._numbers(PLACES_FILE, 0, 1 << 62).reshape(-1, 2)
        if int(places[:, 0].max(initial=0)) >= len(self.manifest.sources):
            raise damaged(self.folder / PLACES_FILE, "it names a source that the manifest has not")
        return labels, truths, places

    def _numbers(self, name: str, least: int, most: int) -> NDArray[Any]:
        """The whole numbers in a file, at least `least` and below `most`."""
        values = self._read(name, np.dtype("<i8" if name == PLACES_FILE else "<i4"))
        if len(values) and not (least <= int(values.min()) and int(values.max()) < most):
            raise damaged(self.folder / name, f"it has a number outside of {least} to {most - 1}")
        return values

    def _read(self, name: str, dtype: np.dtype[Any], mapped: bool = False) -> NDArray[Any]:
        path = self.folder / name
        with read_errors(path):
            values = np.memmap(path, dtype, "r") if mapped else np.fromfile(path, dtype)
        replaced = read_manifest(LabelledManifest, KIND, self.folder).digest != self.digest
        if replaced or values.nbytes != self.manifest.files[name].bytes:
            raise DataError("the corpus was replaced meanwhile", where=self.folder, hint="start again")
        return values
