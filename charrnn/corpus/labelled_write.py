"""Writes the files of a labelled corpus: its parts one after the other, each in the order of the sources."""

from __future__ import annotations

import mmap
from array import array
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config.schema.labelled import DIGITS, Images, TextItems
from charrnn.config.schema.labelled_source import LabelledSource
from charrnn.corpus.allot import PARTS, UNLABELLED_PART, VALID_PART, Allotment
from charrnn.corpus.item_rows import NO_LABEL, Rows
from charrnn.corpus.labelled_manifest import (
    ITEMS,
    KIND,
    LABELS,
    OFFSETS,
    PLACES_FILE,
    TRUTHS,
    InputRecord,
    LabelledManifest,
)
from charrnn.corpus.manifest import FORMAT, VOCABULARY, FileRecord, write_manifest
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.files.atomic import write_json
from charrnn.text.blocks import BLOCK
from charrnn.text.tally import Tally
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Watch

_EACH = 1024
"""Rows between two reports of progress."""


class LabelledWriter:
    """Writes one corpus; its methods are called in their order.

    Args:
        settings: what the items are.
        folder: where the files go.
        rows: what was read.
        allotment: what each row is for.
        watch: told how far it has come.
    """

    def __init__(self, settings: LabelledSource, folder: Path, rows: Rows, allotment: Allotment, watch: Watch) -> None:
        self._settings = settings
        self._folder = folder
        self._rows = rows
        self._allotment = allotment
        self._watch = watch
        self._order: NDArray[np.int64] = np.argsort(allotment.parts_N, kind="stable")
        self._labels = np.where(allotment.parts_N == UNLABELLED_PART, np.int32(NO_LABEL), rows.labels_N)
        self._vocabulary: Vocabulary | None = None
        self._cut = 0

    def write_items(self, contents: mmap.mmap) -> None:
        """Write the vocabulary, if there is one, the items, and where each begins; `contents` is the spool."""
        if isinstance(self._settings, TextItems):
            self._vocabulary = self._learned(self._settings, contents)
            write_json(self._folder / VOCABULARY, self._vocabulary.to_json())
        ends, offsets = self._rows.ends_N1, array("Q", [0])
        with (self._folder / ITEMS).open("wb") as file:
            for done, row in enumerate(self._order.tolist()):
                if done % _EACH == 0:
                    self._watch.block("encode", done, len(self._order))
                data, count = self._stored(contents[ends[row] : ends[row + 1]])
                offsets.append(offsets[-1] + count)
                file.write(data)
        _write(self._folder / OFFSETS, np.array(offsets, np.uint64), "<u8")

    def write_arrays(self) -> None:
        """Write what is known of each row."""
        rows, order = self._rows, self._order
        _write(self._folder / LABELS, self._labels[order], "<i4")
        if self._settings.labelled is not None:
            _write(self._folder / TRUTHS, rows.labels_N[order], "<i4")
        places = np.stack([rows.sources_N[order].astype(np.int64), rows.lines_N[order]], axis=1)
        _write(self._folder / PLACES_FILE, places, "<i8")

    def write_manifest(
        self, identity: str, inputs: list[InputRecord], replaced: int, picture: tuple[int, ...] | None
    ) -> None:
        """Write the manifest, last of all.

        Args:
            identity: the digest of the corpus.
            inputs: the files that were read.
            replaced: how many wrong bytes were replaced.
            picture: rows and columns of a picture, where the items are pictures.
        """
        settings, vocabulary = self._settings, self._vocabulary
        pixels: dict[str, int | None] = {"features": None, "highest": None}
        if isinstance(settings, Images) and picture is not None:
            pixels["features"] = picture[1] if settings.read == "rows" else 1
            pixels["highest"] = 16 if settings.source == DIGITS else 255
        manifest = LabelledManifest.model_validate(
            {
                "format": FORMAT,
                "kind": KIND,
                "digest": identity,
                "sources": inputs,
                "settings": settings,
                "counts": self._counts(replaced),
                "labels": list(self._rows.labels),
                "dtype": "uint8" if vocabulary is None else vocabulary.dtype.name,
                **pixels,
                "files": {path.name: _record(path) for path in sorted(self._folder.iterdir())},
                "splits": self._parts(),
            }
        )
        write_manifest(self._folder, manifest.to_json())

    def _learned(self, settings: TextItems, contents: mmap.mmap) -> Vocabulary:
        """The symbols of the rows of training, and all bytes to spell others."""
        every_byte = tuple(range(256))
        if settings.unit == "byte":
            return Vocabulary("byte", every_byte, ())
        tally, ends = Tally(settings.form), self._rows.ends_N1
        batch, size = list[str](), 0
        for row in self._order[: int((self._allotment.parts_N < VALID_PART).sum())].tolist():
            batch.append(contents[ends[row] : ends[row + 1]].decode("utf-8"))
            size += len(batch[-1])
            if size >= BLOCK or settings.unit == "word":  # joined, words of two items could become one
                tally.add("".join(batch))
                batch, size = [], 0
        if batch:
            tally.add("".join(batch))
        if tally.distinct < 2:
            raise DataError("there is nothing to learn: the items repeat one symbol", where=settings.source)
        found = tally.vocabulary()
        return Vocabulary(found.unit, every_byte, found.symbols)

    def _stored(self, data: bytes) -> tuple[bytes, int]:
        """An item as it is stored, and how many values those are."""
        if self._vocabulary is None:
            return data, len(data)
        ids = self._vocabulary.encode_block(data)
        longest = self._settings.longest if isinstance(self._settings, TextItems) else None
        if longest is not None and len(ids) > longest:
            ids = ids[:longest]
            self._cut += 1
        return ids.astype(ids.dtype.newbyteorder("<"), copy=False).tobytes(), len(ids)

    def _counts(self, replaced: int) -> dict[str, int]:
        return {
            "rows": len(self._rows.labels_N),
            "distinct": self._allotment.distinct,
            "ambiguous": self._allotment.ambiguous,
            "empty": self._rows.empty,
            "cut": self._cut,
            "replaced": replaced,
            "test_seen": self._allotment.test_seen,
            "unlabelled_held_out": self._allotment.unlabelled_held_out,
        }

    def _parts(self) -> dict[str, Any]:
        """Where each part lies, and what is in it."""
        parts, start = {}, 0
        for number, name in enumerate(PARTS):
            here = self._allotment.parts_N == number
            labels, end = self._labels[here], start + int(here.sum())
            parts[name] = {
                "start": start,
                "end": end,
                "distinct": len(np.unique(self._allotment.items_N[here])),
                "per_label": np.bincount(labels[labels >= 0], minlength=len(self._rows.labels)).tolist(),
            }
            start = end
        return parts


def _write(path: Path, values: NDArray[Any], stored: str) -> None:
    path.write_bytes(values.astype(stored, copy=False).tobytes())


def _record(path: Path) -> FileRecord:
    return FileRecord(bytes=path.stat().st_size, sha256=digest.of_file(path))
