"""The bytes of source files, block by block, unpacked where they are packed, and proven not to have changed."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from charrnn.errors import DataError
from charrnn.files.regular import open_regular

BLOCK = 1 << 20
"""How many bytes are in memory at a time."""

GZIP_MAGIC = b"\x1f\x8b"
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 200
"""Deflate packs the same byte a thousandfold, and texts to a third or a tenth."""


@dataclass(frozen=True)
class SourceFile:
    """A part of a source.

    Attributes:
        name: what the manifest calls it, the same on every machine.
        place: the file, or the bytes themselves where there is none.
    """

    name: str
    place: Path | bytes

    @property
    def label(self) -> str:
        """What errors call it: where the user finds it."""
        return str(self.place) if isinstance(self.place, Path) else self.name

    def open(self) -> BinaryIO:
        """The bytes as they lie there, from their beginning."""
        return open_regular(self.place) if isinstance(self.place, Path) else io.BytesIO(self.place)

    def size(self) -> int:
        """How many bytes lie there.

        Raises:
            DataError: they cannot be read.
        """
        with read_errors(self.label):
            return self.place.stat().st_size if isinstance(self.place, Path) else len(self.place)


@contextmanager
def read_errors(place: object) -> Iterator[None]:
    """Turn the operating system's refusals to read `place` into a `DataError` (exit code 3)."""
    try:
        yield
    except OSError as error:
        raise DataError("cannot read", where=place, why=error.strerror or str(error)) from error


def file_digest(file: SourceFile, on_block: Callable[[int], None]) -> tuple[int, str]:
    """The size and the SHA-256 of the bytes as they lie there; `on_block` hears of the bytes read so far.

    Raises:
        DataError: they cannot be read.
    """
    with read_errors(file.label), file.open() as opened:
        raw = _Hashed(opened)
        while raw.read(BLOCK):
            on_block(raw.count)
        return raw.count, raw.hash.hexdigest()


def read_blocks(
    file: SourceFile,
    sha256: str | None,
    on_block: Callable[[int], None],
    on_end: Callable[[int, str], None] | None = None,
) -> Iterator[bytes]:
    """The content of `file` in blocks, unpacked if it is gzip.

    Args:
        file: what to read.
        sha256: the digest that the file had when it was looked at first; None where it is read for the first time.
        on_block: hears of the bytes of the file read so far, packed ones where it is packed.
        on_end: is told the size and the SHA-256 of the file as it lies there, when all of it was read.

    Raises:
        DataError: the file cannot be read, is damaged, or is not what it was.
    """
    with read_errors(file.label), file.open() as opened:
        packed = opened.read(2) == GZIP_MAGIC
        opened.seek(0)
        raw = _Hashed(opened)
        for block in _unpacked(raw, file.label) if packed else iter(lambda: raw.read(BLOCK), b""):
            yield block
            on_block(raw.count)
        if on_end is not None:
            on_end(raw.count, raw.hash.hexdigest())
        if sha256 is not None and raw.hash.hexdigest() != sha256:
            raise changed(file)


def read_passage(file: SourceFile, start: int, end: int, on_block: Callable[[int], None]) -> Iterator[bytes]:
    """The bytes of `file` from `start` to before `end`, as they lie there, in blocks; `on_block` hears how many have
    been read so far.

    Raises:
        DataError: the file cannot be read, or has become shorter.
    """
    with read_errors(file.label), file.open() as opened:
        opened.seek(start)
        at = start
        while at < end:
            block = opened.read(min(BLOCK, end - at))
            if not block:
                raise changed(file)
            yield block
            at += len(block)
            on_block(at - start)


def changed(file: SourceFile) -> DataError:
    """The error for a file that is not what it was when it was looked at first."""
    return DataError(
        "the source was changed while it was read",
        where=file.label,
        hint="run the same command again when nothing writes to it",
    )


def refuse_bomb(packed: int, unpacked: int, place: object) -> None:
    """Refuse a gzip file that unpacks to far more than a text does, before it fills the disk.

    Args:
        packed: how many bytes of it were read.
        unpacked: what they have come to.
        place: where it lies.

    Raises:
        DataError: it does.
    """
    if unpacked > _BOMB_BYTES and unpacked > _BOMB_RATIO * packed:
        raise DataError(
            f"the gzip file unpacks to more than {_BOMB_RATIO} times its size",
            where=place,
            why=f"its first {packed:,} bytes are {unpacked:,} already; texts come to a tenth of that at most",
            hint="unpack it yourself (gzip -d) if you trust it",
        )


def _unpacked(raw: _Hashed, label: str) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=cast(BinaryIO, raw)) as unpacked:
            while block := unpacked.read(BLOCK):
                refuse_bomb(raw.count, unpacked.tell(), label)
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            "the gzip file is damaged", where=label, why=str(error), hint="fetch or pack it again"
        ) from error


class _Hashed:
    """A file that is hashed and counted as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; none at the end."""
        data = self._file.read(size)
        self.count += len(data)
        self.hash.update(data)
        return data
