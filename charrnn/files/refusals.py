"""What the operating system says when it refuses to write, as our own errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from charrnn.errors import DiskFullError, StorageError

PREFIX = ".tmp-charrnn"
"""How the names of half-written files begin: other programs' files are called otherwise."""

_REASONS = {
    errno.ENOSPC: (
        "the disk is full",
        "free some space and run the command again; a training run goes on with --resume",
    ),
    errno.EDQUOT: (
        "the disk quota is used up",
        "free some space and run the command again; a training run goes on with --resume",
    ),
    errno.EACCES: ("permission denied", "choose another folder with --out, or mend its permissions"),
    errno.EPERM: ("permission denied", "choose another folder with --out, or mend its permissions"),
    errno.EIO: ("the disk reports an error", "look after the disk; what was complete before is untouched"),
    errno.EROFS: ("the file system is read-only", "choose another folder with --out"),
    errno.EFBIG: ("the file would be larger than is allowed here", "raise the limit (ulimit -f)"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another folder with --out"),
    errno.EISDIR: ("a folder has this name", "choose another folder with --out"),
    errno.EEXIST: ("something else already has this name", "choose another folder with --out"),
}
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the operating system says where there is no room."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write `path` into a `StorageError` (exit code 7); where there is no room,
    into a `DiskFullError`."""
    try:
        yield
    except StorageError as error:
        if error.where is not None and PREFIX in error.where:  # a file of a folder that is not at its place yet
            error.where = str(path)
        raise
    except OSError as error:
        why, hint = _REASONS.get(error.errno or 0, (error.strerror or str(error), None))
        # A temporary name is gone by the time that the user reads this.
        told = isinstance(error.filename, str) and PREFIX not in error.filename
        kind = DiskFullError if error.errno in FULL else StorageError
        raise kind("cannot write", where=error.filename if told else path, why=why, hint=hint) from error
