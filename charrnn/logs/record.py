"""`metrics.jsonl` and `samples.jsonl`: one flat JSON object per line, appended, never rewritten while a run goes on.

A record is whole when its line has ended. A kill can leave half a line at the end: the reader drops it, and the next
writer removes it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from charrnn.errors import DataError
from charrnn.files.atomic import storage_errors, write_bytes

_TAIL = 1 << 20


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


def read_records(path: Path) -> list[dict[str, Any]]:
    """All whole records of a file, oldest first; none where there is no file. NaN stays the text "nan".

    Raises:
        DataError: a line is not a JSON object; the error names it.
    """
    lines, _ = _lines(path)
    try:
        return [_parse(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]
    except DataError as error:
        error.hint = f"`charrnn doctor {path.parent}` says how to mend it"
        raise


def last_record(path: Path) -> dict[str, Any] | None:
    """The latest whole record of a file, found without reading it all; None where none can be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.read().split(b"\n")
        return _parse(lines[-2], str(path)) if len(lines) > 1 else None
    except (OSError, DataError):
        return None


def truncate_after(path: Path, count: int) -> int:
    """Keep the first `count` records of a file, as they stand; what is dropped stays in `….bak`.

    Returns:
        How many records there are now.

    Raises:
        StorageError: the disk refused; the file is as it was.
    """
    lines, half = _lines(path)
    dropped = lines[count:]
    if dropped:
        write_bytes(path.with_name(path.name + ".bak"), b"".join(line + b"\n" for line in lines))
    if dropped or half:
        write_bytes(path, b"".join(line + b"\n" for line in lines[:count]))
    return len(lines) - len(dropped)


def _lines(path: Path) -> tuple[list[bytes], bytes]:
    try:
        *lines, half = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], b""
    except OSError as error:
        raise DataError("cannot read the records", where=path, why=error.strerror) from error
    return lines, half


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError("this line is not a record", where=where, why=str(error)) from error
    if not isinstance(record, dict):
        raise DataError("this line is not a record", where=where, why="it is JSON, but not an object")
    return record


def plain(value: Any) -> Any:
    """A JSON value with NaN and the infinities as the texts "nan", "inf" and "-inf"."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
