"""Files and folders that appear complete or not at all.

Everything is written beside its place under a `.tmp-charrnn-` name, flushed to the disk, then renamed; the parent
folder is flushed last, so that after a power cut either the old or the new is there and never a mixture. This is the
only module that renames.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from charrnn.files.refusals import PREFIX, storage_errors

# `.old` is a folder that stands aside while it is replaced.
_LEFTOVER = re.compile(
    r"\.tmp-charrnn(?P<old>\.old)?-(?P<name>.+)-(?P<host>[0-9a-f]{8})-(?P<pid>[0-9]{1,9})", re.DOTALL
)
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}
_TAKEN = {errno.ENOTEMPTY, errno.EEXIST}
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def beside(path: Path) -> Path:
    """Where this process prepares what will be at `path`; `sweep` knows the name."""
    path = Path(os.path.abspath(path))
    return path.with_name(f"{PREFIX}-{path.name}-{_owner()}")


def _flush(path: Path) -> None:
    # Reading is enough to flush, and works for folders and for files that are read-only.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create `path` and its parents; raises `StorageError` where that is refused."""
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step, replacing what was there."""
    new = beside(path)
    with storage_errors(path):
        try:
            with new.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        _flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """Put `text` at `path` in one step, as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Put `value` at `path` in one step, as indented JSON that refuses NaN and keeps non-ASCII letters readable."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder that appears at `path`, complete, when the block ends; on an exception nothing is left of it.

    The block writes ordinary files into the folder that it is given. A folder that already stands at `path` is
    replaced only after the new one is on the disk.

    Raises:
        StorageError: a write was refused.
    """
    sweep(path.parent)
    new = beside(path)
    with storage_errors(path):
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        _discard(new)
        try:
            new.mkdir(parents=True)
            yield new
            for entry in sorted(new.rglob("*")):
                _flush(entry)
            _flush(new)
            _swap(new, path)
            _flush(path.parent)
        finally:
            _discard(new)


def _swap(new: Path, place: Path) -> None:
    """Give `new` the name `place`; what had that name has the name `new` afterwards."""
    if not place.exists():
        try:
            os.rename(new, place)
            return
        except OSError as error:
            if error.errno not in _TAKEN:  # by a process that put the same there a moment ago
                raise
    if not _exchange(new, place):
        # This file system has no exchange. For a moment nothing is at `place`; after a kill `sweep` mends that.
        old = place.with_name(f"{PREFIX}.old-{place.name}-{_owner()}")
        _discard(old)
        os.rename(place, old)
        try:
            os.rename(new, place)
        except BaseException:
            os.rename(old, place)
            raise
        os.rename(old, new)


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths swap their names in one step; False where the system has no such call."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


def move(source: Path, target: Path) -> None:
    """Give a finished file its final name, replacing what was there."""
    with storage_errors(target):
        _flush(source)
        os.replace(source, target)
        _flush(target.parent)


def move_folder(source: Path, target: Path) -> None:
    """Give a folder in which long work has ended its final name, with all that is in it on the disk; nothing may have
    that name yet."""
    with storage_errors(target):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        for entry in sorted(source.rglob("*")):
            _flush(entry)
        _flush(source)
        os.rename(source, target)
        _flush(target.parent)


def remove_folder(path: Path) -> None:
    """Delete a folder so that no reader sees half of it: it loses its name first."""
    doomed = beside(path)
    with storage_errors(path):
        _discard(doomed)
        os.rename(path, doomed)
        _discard(doomed)


def sweep(parent: Path) -> None:
    """Remove what killed processes of this machine left half-written in `parent`; a living process keeps its own.

    What cannot be removed stays: it is litter, and no reason to stop.
    """
    with suppress(OSError):
        for leftover in leftovers(parent):
            match = _LEFTOVER.fullmatch(leftover.name)
            assert match is not None, "it is a leftover"
            with suppress(OSError):
                place = parent / match["name"]
                if match["old"] and not os.path.lexists(place):
                    os.rename(leftover, place)
                else:
                    _discard(leftover)


def leftovers(parent: Path) -> list[Path]:
    """What killed processes of this machine left half-written in `parent`, by name."""
    found = [(path, _LEFTOVER.fullmatch(path.name)) for path in sorted(parent.iterdir())]
    return [path for path, match in found if match and match["host"] == _host() and not _alive(int(match["pid"]))]


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@cache
def _host() -> str:
    """This machine, or this container: process numbers of another one say nothing here."""
    return hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:8]


def _owner() -> str:
    return f"{_host()}-{os.getpid()}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
