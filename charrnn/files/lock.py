"""Locks of folders and files: the kernel drops them when their owner dies, so a crash never leaves one behind."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from charrnn.errors import LockedError
from charrnn.files.refusals import storage_errors

LOCK = ".lock"
_OWNER = re.compile(r"process ([1-9][0-9]{0,9}) on (.*)")


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Own `folder` while the block runs.

    Raises:
        LockedError: another living process owns it; the error names the process.
    """
    path = folder / LOCK
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(descriptor, 200).decode("utf-8", "replace").strip()
            raise LockedError(
                "another process is working in this run folder",
                where=folder,
                why=f"owner: {owner}" if owner else None,
                hint="wait for it to end, or choose another folder with --out",
            ) from error
        with storage_errors(path):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def owner(folder: Path) -> str | None:
    """The process that owns `folder`, as far as it says; None where nobody does.

    To look is to own it for a moment, beside others who look: who begins to work there at that very moment is refused.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 200).decode("utf-8", "replace").strip() or "a process that does not say which"
    except OSError:
        return None
    else:
        return None
    finally:
        os.close(descriptor)


def at_work(folder: Path) -> str | None:
    """The same, for whoever looks again and again: where the process that the lock names has died, nothing is owned for
    a moment, so that nobody is refused who begins there."""
    try:
        named = (folder / LOCK).read_text(encoding="utf-8", errors="replace")[:200].strip()
    except OSError:
        return None
    match = _OWNER.fullmatch(named)
    if match is None or match[2] != socket.gethostname() or Path(f"/proc/{match[1]}").exists():
        return owner(folder)
    return None
