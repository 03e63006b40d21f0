"""The tokens of a corpus in several files, its parts, read as one row.

All parts but the last have the same size, so where a token lies is a division. A part is mapped when one of its tokens
is first asked for, and may be a link to a file on another disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.corpus.documents import HashedFile
from charrnn.corpus.manifest import TOKENS, FileRecord, damaged, part_name
from charrnn.text.blocks import read_errors

Ids = NDArray[np.unsignedinteger[Any]]

KEPT = 256 << 20
"""Of a corpus of fewer bytes the system may keep all in memory: it is about to be trained on."""

_AT_ONCE = 16 << 20
"""Larger ones are let go so many bytes at a time."""


def spans(part_bytes: int | None, begin: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Where the bytes from `begin` to before `end` of all tokens lie: in which file, from where, and how many.

    Args:
        part_bytes: the size of a part; None where there is one file.
        begin: the first byte.
        end: the one behind the last.
    """
    while begin < end:
        number, at = (0, begin) if part_bytes is None else divmod(begin, part_bytes)
        size = end - begin if part_bytes is None else min(end - begin, part_bytes - at)
        yield TOKENS if part_bytes is None else part_name(number), at, size
        begin += size


def read_span(folder: Path, part_bytes: int | None, begin: int, end: int) -> bytes:
    """The bytes from `begin` to before `end` of all tokens below `folder`."""
    found = []
    for name, at, size in spans(part_bytes, begin, end):
        with (folder / name).open("rb") as file:
            file.seek(at)
            found.append(file.read(size))
    return b"".join(found)


def many_written(begin: int, end: int) -> bool:
    """Whether it is time to `let_go` of what was written, now that the bytes from `begin` to before `end` have been."""
    return end > KEPT and begin // _AT_ONCE != end // _AT_ONCE


def let_go(file: BinaryIO, upto: int) -> None:
    """Let the system write a file up to `upto` to the disk now (0: all of it), and use its memory for what comes.

    To find new memory for all of a large file costs more than its digest, and a disk that writes in the end is idle
    until then.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, upto, os.POSIX_FADV_DONTNEED)


class TokenWriter:
    """Writes tokens one after the other, into one file or into parts.

    Args:
        folder: where they go.
        part_bytes: the size of a part, a multiple of that of a token; None for one file.

    Attributes:
        written: how many bytes there are so far.
    """

    def __init__(self, folder: Path, part_bytes: int | None) -> None:
        self._folder, self._part_bytes = folder, part_bytes
        self._files: dict[str, HashedFile] = {}
        self._open = ExitStack()
        self._current: BinaryIO | None = None
        self.written = 0

    def __enter__(self) -> Self:
        self._file(next(spans(self._part_bytes, 0, 1))[0])  # there is a first one, even if nothing comes
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def write(self, ids: Ids) -> None:
        """Append tokens, in the type that they are stored in."""
        data = ids.view(np.uint8).data
        begin = self.written
        for name, _, size in spans(self._part_bytes, begin, begin + len(data)):
            self._file(name).write(data[self.written - begin : self.written - begin + size])
            self.written += size
        if self._current is not None and many_written(begin, self.written):
            let_go(self._current, 0)

    @property
    def records(self) -> dict[str, FileRecord]:
        """What the manifest says about the files, in their order."""
        return {name: file.record for name, file in self._files.items()}

    def _file(self, name: str) -> HashedFile:
        if name not in self._files:
            self._open.close()  # the part in front of it is complete
            self._current = self._open.enter_context((self._folder / name).open("wb"))
            self._files[name] = HashedFile(self._current)
        return self._files[name]


@dataclass(frozen=True, eq=False)
class _Parts:
    """The files, each mapped when it is first asked for."""

    paths: Sequence[Path]
    each: int
    count: int
    dtype: np.dtype[np.unsignedinteger[Any]]
    maps: dict[int, Ids] = field(default_factory=dict)

    def part(self, number: int) -> Ids:
        if number not in self.maps:
            path, tokens = self.paths[number], min(self.each, self.count - number * self.each)
            with read_errors(path):
                size = path.stat().st_size
                if size != tokens * self.dtype.itemsize:
                    raise damaged(path, f"it has {size:,} bytes, the manifest says {tokens * self.dtype.itemsize:,}")
                self.maps[number] = np.memmap(path, self.dtype, "r")
        return self.maps[number]


class PartedTokens:
    """A row of tokens that lies in parts; it stands where an array of them would, but cannot be written to.

    A slice, and places in an array of any shape, are read into an array; a `passage` of the row is not read yet.

    Args:
        paths: the files, in order.
        each: how many tokens every file has but the last.
        count: how many there are in all.
        dtype: the type that they are stored in.
    """

    ndim = 1

    def __init__(self, paths: Sequence[Path], each: int, count: int, dtype: np.dtype[np.unsignedinteger[Any]]) -> None:
        self._parts = _Parts(tuple(paths), each, count, dtype)
        self._start, self._end = 0, count
        self.dtype = dtype

    def passage(self, start: int, end: int) -> PartedTokens:
        """The tokens from `start` to before `end`, which are not read yet."""
        assert 0 <= start <= end <= len(self), "a passage lies within the row"
        passage = object.__new__(PartedTokens)
        passage._parts, passage.dtype = self._parts, self.dtype
        passage._start, passage._end = self._start + start, self._start + end
        return passage

    @property
    def mapped(self) -> tuple[int, ...]:
        """The numbers of the parts that have been mapped."""
        return tuple(sorted(self._parts.maps))

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return self._end - self._start

    @property
    def shape(self) -> tuple[int]:
        """The same, as that of an array."""
        return (self.size,)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        """A token, the tokens of a slice, or those at each place of an array; a negative place counts from the end.

        Raises:
            IndexError: there is no such place.
            DataError: a part is missing or has another size than it had.
        """
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return self[np.arange(start, stop, step)]
            return self._row(self._start + start, self._start + max(start, stop))
        places = np.asarray(index)
        if places.dtype == np.bool_ or not (np.issubdtype(places.dtype, np.integer) or places.size == 0):
            raise IndexError("tokens are found by a whole number, by several, or by a slice")
        places = places.astype(np.int64)
        if places.size and not (-len(self) <= places.min() and places.max() < len(self)):
            raise IndexError(f"there are {len(self)} tokens")
        found = self._at(np.where(places < 0, places + len(self), places) + self._start)
        return found if found.ndim else found[()]

    def where(self, wanted: NDArray[np.bool_], places: NDArray[np.integer[Any]], otherwise: int) -> NDArray[Any]:
        """The tokens at `places` where they are `wanted`, in the shape of both; parts with none of them stay closed."""
        found = np.full(wanted.shape, otherwise, self.dtype)
        found[wanted] = self[places[wanted]]
        return found

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All tokens, read."""
        if copy is False:
            raise ValueError("tokens in parts become one array by a copy only")
        row = self._row(self._start, self._end)
        return row if dtype is None else row.astype(dtype)

    def tolist(self) -> list[int]:
        """All of them as numbers."""
        numbers: list[int] = self[:].tolist()
        return numbers

    def min(self) -> int:
        """The least id."""
        return min(int(row.min()) for row in self._rows(self._start, self._end))

    def max(self) -> int:
        """The highest id."""
        return max(int(row.max()) for row in self._rows(self._start, self._end))

    def _at(self, places: NDArray[np.int64]) -> Ids:
        """The tokens at these places of all parts, as an array of the same shape."""
        found = np.empty(places.shape, self.dtype)
        number = places // self._parts.each
        for part in np.unique(number).tolist():
            here = number == part
            found[here] = self._parts.part(part)[places[here] - part * self._parts.each]
        return found

    def _row(self, start: int, end: int) -> Ids:
        rows = list(self._rows(start, end))
        row = rows[0] if len(rows) == 1 else np.concatenate([np.empty(0, self.dtype), *rows])
        row.flags.writeable = False
        return row

    def _rows(self, start: int, end: int) -> Iterator[Ids]:
        """The tokens from `start` to before `end` of all parts, part by part."""
        each = self._parts.each
        while start < end:
            number, at = divmod(start, each)
            size = min(end - start, each - at)
            yield self._parts.part(number)[at : at + size]
            start += size
