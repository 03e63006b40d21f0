"""`metrics.jsonl` and `samples.jsonl`: one flat JSON object per line, appended, never rewritten while a run goes on.

A record is whole when its line has ended. A kill can leave half a line at the end: the reader drops it, and the next
writer removes it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from charrnn.errors import DataError
from charrnn.files.atomic import beside, move
from charrnn.files.refusals import storage_errors
from charrnn.files.regular import open_regular

_TAIL = 1 << 20
LONGEST = 1 << 26
"""Bytes of a line; a longer one is no record."""


class Record:
    """A file of records that is being written.

    Args:
        path: the file; it need not exist.
        keep: how many of the records in it stay; later ones belong to a life of the run that is not continued.

    Raises:
        StorageError: the file cannot be opened for writing.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self.path = path
        self.count = truncate_after(path, keep)
        with storage_errors(path):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one record; NaN and the infinities become the texts "nan", "inf" and "-inf".

        Raises:
            StorageError: the disk refused; the records before this one are untouched.
        """
        line = json.dumps(plain(record), ensure_ascii=False, allow_nan=False)
        with storage_errors(self.path):
            end = os.fstat(self._descriptor).st_size
            left = memoryview(line.encode("utf-8", "backslashreplace") + b"\n")
            try:
                while left:
                    left = left[os.write(self._descriptor, left) :]
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._descriptor, end)
                raise
        self.count += 1

    def sync(self) -> None:
        """Wait until all records are on the disk; raises `StorageError` where the disk refuses."""
        with storage_errors(self.path):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def each_record(path: Path) -> Iterator[dict[str, Any]]:
    """The whole records of a file, oldest first, one in memory at a time; none where there is no file. NaN stays the
    text "nan".

    Raises:
        DataError: a line is not a JSON object, or longer than any record; the error names it.
    """
    if not path.exists():
        return
    with _reading(path), open_regular(path) as file:
        number = 1
        while (line := file.readline(LONGEST)).endswith(b"\n"):
            yield _parse(line, path, number)
            number += 1
        if len(line) == LONGEST:
            raise _no_record(path, number, f"it has {LONGEST:,} bytes")


def read_records(path: Path) -> list[dict[str, Any]]:
    """All of `each_record` at once."""
    return list(each_record(path))


def last_record(path: Path) -> dict[str, Any] | None:
    """The latest whole record of a file, found without reading it all; None where none can be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.read().split(b"\n")
        return _parse(lines[-2], path, -1) if len(lines) > 1 else None
    except (OSError, DataError):
        return None


def truncate_after(path: Path, count: int) -> int:
    """Keep the first `count` records of a file, as they stand; what is dropped stays in `….bak`.

    Returns:
        How many records there are now.

    Raises:
        StorageError: the disk refused; the file is as it was.
    """
    if not path.exists():
        return 0
    with _reading(path), open_regular(path) as file:
        kept, end, whole, size = _measure(file, count)
    if end < whole:
        _copy(path, whole)
    if end < size:
        with storage_errors(path), path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())
    return kept


def _measure(file: BinaryIO, count: int) -> tuple[int, int, int, int]:
    """How many of the first `count` records there are, where the last of them ends, where the last of all ends, and
    the size of the file."""
    kept = end = whole = size = 0
    while block := file.read(_TAIL):
        at = block.find(b"\n")
        while at >= 0 and kept < count:
            kept, end = kept + 1, size + at + 1
            at = block.find(b"\n", at + 1)
        whole = size + block.rfind(b"\n") + 1 if b"\n" in block else whole
        size += len(block)
    return kept, end, whole, size


def _copy(path: Path, size: int) -> None:
    """Put the first `size` bytes of a file beside it, as `….bak`."""
    backup = path.with_name(path.name + ".bak")
    new = beside(backup)
    with storage_errors(backup):
        try:
            with path.open("rb") as old, new.open("wb") as file:
                for start in range(0, size, _TAIL):
                    file.write(old.read(min(_TAIL, size - start)))
            move(new, backup)
        finally:
            new.unlink(missing_ok=True)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError("cannot read the records", where=path, why=error.strerror) from error


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _no_record(path, number, str(error)) from error
    if not isinstance(record, dict):
        raise _no_record(path, number, "it is JSON, but not an object")
    return record


def _no_record(path: Path, number: int, why: str) -> DataError:
    hint = f"`charrnn doctor {path.parent}` says how to mend it"
    return DataError("this line is not a record", where=f"{path}:{number}", why=why, hint=hint)


def plain(value: Any) -> Any:
    """A JSON value with NaN and the infinities as the texts "nan", "inf" and "-inf"."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
