"""A file of records that grows while it is read: what is new, and what a resumed run has cut away."""

from __future__ import annotations

import json
import os
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from charrnn.files.regular import open_regular
from charrnn.logs.record import LONGEST

_PROBE = 512


@dataclass(frozen=True)
class Cut:
    """The file is another one from here on: `kept` of its records stand as they were, and come again, as known."""

    kept: int


@dataclass(frozen=True)
class Line:
    """A record.

    Attributes:
        record: what it says; None of a line that is no record.
        known: whether it was told before, and comes again after a cut.
    """

    record: dict[str, Any] | None
    known: bool


class Tail:
    """Reads a file of records, each whole line once.

    A line that has not ended yet is left for the next time. Where the file has been cut, or replaced, its records come
    again from the first on: a run that goes on from a checkpoint cuts away what came after that, and writes on, so
    between two looks the file may even have grown. It is known again by the lines themselves.

    Args:
        path: the file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin_anew()
        self._lines = array("L")  # the check sum of every line that was told

    def _begin_anew(self) -> None:
        self._end, self._count = 0, 0
        self._last = b""
        self._file: tuple[int, int] | None = None

    def new(self) -> Iterator[Line | Cut]:
        """What the file holds beyond what was told; nothing where it is not there.

        Raises:
            OSError: it cannot be read.
        """
        try:
            with open_regular(self.path) as file:
                yield from self._from(file)
        except FileNotFoundError:
            if self._count:
                self._begin_anew()
                yield from self._cut(0)

    def _from(self, file: BinaryIO) -> Iterator[Line | Cut]:
        status = os.fstat(file.fileno())
        identity = (status.st_dev, status.st_ino)
        if self._count and not (identity == self._file and self._stands(file)):
            self._begin_anew()
            yield from self._cut(self._common(file))
        self._file = identity
        file.seek(self._end)
        while (line := file.readline(LONGEST)).endswith(b"\n"):
            known = self._count < len(self._lines)
            if not known:
                self._lines.append(zlib.crc32(line))
            self._end, self._count = self._end + len(line), self._count + 1
            self._last = (self._last + line)[-_PROBE:]
            yield Line(_parsed(line), known)

    def _cut(self, kept: int) -> Iterator[Cut]:
        del self._lines[kept:]
        yield Cut(kept)

    def _stands(self, file: BinaryIO) -> bool:
        """Whether what was read is still there; records have their times, so no two endings are alike."""
        file.seek(self._end - len(self._last))
        return file.read(len(self._last)) == self._last

    def _common(self, file: BinaryIO) -> int:
        """How many lines from the first on are those that were told."""
        file.seek(0)
        for number, sum_ in enumerate(self._lines):
            line = file.readline(LONGEST)
            if not line.endswith(b"\n") or zlib.crc32(line) != sum_:
                return number
        return len(self._lines)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
