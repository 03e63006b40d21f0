"""Tokens that come piece by piece and out of order, on their way into the files of a corpus."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.corpus.documents import DocumentWriter
from charrnn.corpus.manifest import FileRecord
from charrnn.corpus.parts import let_go, many_written, read_span, spans
from charrnn.corpus.worker import Encoded
from charrnn.text.blocks import BLOCK
from charrnn.text.pieces import Work


class Placing:
    """Says where the tokens of every piece belong, and takes in what was written there, in the order of the text.

    Args:
        folder: where the files are made.
        part_bytes: the size of a part; None for one file.
        dtype: the type that tokens are stored in.
        documents: hears the tokens, where the corpus has documents.
    """

    def __init__(
        self,
        folder: Path,
        part_bytes: int | None,
        dtype: np.dtype[np.unsignedinteger[Any]],
        documents: DocumentWriter | None,
    ) -> None:
        self._folder, self._part_bytes, self._dtype, self._documents = folder, part_bytes, dtype, documents
        self._made: dict[int, Encoded] = {}
        self._starts = [0]
        self._written: dict[int, Work] = {}
        self._taken = 0
        self._files: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}
        self._open_up_to(1)

    def made(self, number: int, encoded: Encoded) -> None:
        """The tokens of a piece have been made."""
        self._made[number] = encoded
        while (known := self._made.get(len(self._starts) - 1)) is not None:
            self._starts.append(self._starts[-1] + sum(known.bytes))
            self._open_up_to(self._starts[-1])

    def place(self, number: int) -> list[tuple[Path, int, int]] | None:
        """Where they belong: files, from where in each, and how many bytes; None as long as nobody knows."""
        if number + 1 >= len(self._starts):
            return None
        found = spans(self._part_bytes, self._starts[number], self._starts[number + 1])
        return [(self._folder / name, at, size) for name, at, size in found]

    def placed(self, number: int, work: Work) -> None:
        """They have been written there; this is what they were made of."""
        self._written[number] = work
        while (work_taken := self._written.pop(self._taken, None)) is not None:
            self._take(self._taken, work_taken)
            self._taken += 1

    @property
    def records(self) -> dict[str, FileRecord]:
        """What the manifest says about the files, in their order."""
        return {
            name: FileRecord(bytes=self._sizes[name], sha256=found.hexdigest()) for name, found in self._files.items()
        }

    @property
    def replaced(self) -> int:
        """How many U+FFFD stand in place of wrong bytes."""
        return sum(encoded.replaced for encoded in self._made.values())

    @property
    def lost(self) -> dict[str, None]:
        """Symbols that a given vocabulary has not, in the order of the text."""
        return dict.fromkeys(symbol for number in sorted(self._made) for symbol in self._made[number].lost)

    def discard(self) -> None:
        """Remove the files."""
        for name in self._files:
            (self._folder / name).unlink(missing_ok=True)

    def _open_up_to(self, end: int) -> None:
        """Make the files that the bytes up to `end` lie in."""
        last = end - 1 if self._files else 0
        for name, _, _ in spans(self._part_bytes, self._first_new(), last + 1):
            if name not in self._files:
                with (self._folder / name).open("wb"):
                    self._files[name], self._sizes[name] = hashlib.sha256(), 0

    def _first_new(self) -> int:
        return 0 if self._part_bytes is None else max(0, len(self._files) - 1) * self._part_bytes

    def _take(self, number: int, work: Work) -> None:
        """Read what is written of a piece: for the digests, and for the documents."""
        at = self._starts[number]
        for piece, size in zip(work, self._made[number].bytes, strict=True):
            if self._documents is not None and piece.start == 0:
                self._documents.new_file()
            for begin in range(at, at + size, BLOCK):
                self._take_block(begin, min(begin + BLOCK, at + size))
            at += size

    def _take_block(self, begin: int, end: int) -> None:
        data = read_span(self._folder, self._part_bytes, begin, end)
        at = 0
        for name, _, size in spans(self._part_bytes, begin, end):
            self._files[name].update(memoryview(data)[at : at + size])
            self._sizes[name] += size
            at += size
        if self._documents is not None:
            self._documents.feed(np.frombuffer(data, self._dtype))
        if many_written(begin, end):
            for name, at, size in spans(self._part_bytes, begin, end):
                with (self._folder / name).open("rb") as file:
                    let_go(file, at + size)
