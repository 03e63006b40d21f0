"""Claims: names that at most one process holds, of all machines that share a file system.

A lock of the kernel (`lock.py`) goes with its owner, but whether another machine sees it depends on the file system
and on how it was mounted, and nobody is told where it is not seen. A claim is a file that appears by `link`, whole or
not at all; shared file systems have that, and it is how open(2) says that files should be locked over NFS.

Its holder writes a new number into it every `BEAT` seconds. Whoever wants it looks at the number, and takes it away
where that has not changed for `PATIENCE` seconds of the looker's own clock: clocks of two machines, or of the file
server, are never compared. On its holder's machine the kernel knows better: there a claim is free once its holder has
died.

A process that slept for so long finds, when it wakes, that its claim is gone: `Claim.check`.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from charrnn.errors import LockedError
from charrnn.files.atomic import beside
from charrnn.files.refusals import storage_errors

BEAT, PATIENCE = 10.0, 120.0
_LONGEST_PAUSE, _MOST = 0.1, 4096


@cache
def machine() -> str:
    """This machine, as long as it runs: its name, and what its kernel calls itself since it has begun."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        boot = ""
    return f"{socket.gethostname()} {boot}".strip()


class Claim:
    """A name that this process may hold; what it has seen of another holder is remembered from look to look.

    Args:
        path: the file that says who holds it; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._own = b""
        self._beats = 0
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None
        self._last = 0.0
        self._gone = False
        self._seen: bytes | None = None
        self._looked = self._waited = 0.0
        self.alive = False
        """Whether another holder has been seen to live."""

    def take(self) -> bool:
        """Hold it from now on, unless another process does, which may be alive.

        Raises:
            StorageError: the file cannot be made; some file systems have no links.
        """
        assert self._file is None, "it is held"
        with storage_errors(self._path):
            return self._made() or (self._abandoned() and self._made())

    def check(self) -> None:
        """Go on only as its holder; another process may have taken it while this one, or its machine, slept.

        Raises:
            LockedError: it has.
        """
        if self._gone or (_clock() - self._last > PATIENCE / 2 and not self._holds()):
            raise LockedError(
                "another process has taken over",
                where=self._path,
                why=f"this one gave no sign of life for {PATIENCE:g} seconds",
            )

    def release(self) -> None:
        """Let others have it."""
        self._ended.set()
        if self._beating is not None:
            self._beating.join()
        if self._file is not None:
            with suppress(OSError):
                if self._holds():
                    self._path.unlink()
            os.close(self._file)
            self._file = None

    def _made(self) -> bool:
        """Whether the file is ours: made now."""
        own = {"process": os.getpid(), "machine": machine(), "claim": uuid.uuid4().hex}
        self._own, self._beats = json.dumps(own).encode() + b"\n", 0
        new = beside(self._path)
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._write(file)
            with suppress(FileExistsError):
                os.link(new, self._path)
            made = os.fstat(file).st_nlink == 2  # a reply may be lost on the way, and the call repeated
        except BaseException:
            os.close(file)
            raise
        finally:
            new.unlink(missing_ok=True)
        if not made:
            os.close(file)
            return False
        self._file, self._gone, self._last, self._ended = file, False, _clock(), threading.Event()
        self._beating = threading.Thread(target=self._beat, args=(self._ended, file), daemon=True)
        self._beating.start()
        return True

    def _beat(self, ended: threading.Event, file: int) -> None:
        while not ended.wait(BEAT):
            with suppress(OSError):  # the file server may be away for a while
                if not self._holds():
                    self._gone = True
                    return
                self._beats += 1
                self._write(file)
                self._last = _clock()

    def _write(self, file: int) -> None:
        os.pwrite(file, self._own + b"%020d\n" % self._beats, 0)
        os.fsync(file)

    def _holds(self) -> bool:
        """Whether the file still says so."""
        found = _read(self._path)
        return found is not None and found.startswith(self._own)

    def _abandoned(self) -> bool:
        """Whether nobody holds it any more; the file is gone then."""
        try:
            file = os.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            free = _locked(file)
            if free and not self._is(file):  # it went while we waited; with the lock in our hands it cannot
                return False
            found = os.pread(file, _MOST, 0)
            self._look(found)
            if _holder(found).get("machine") == machine():
                self.alive = not free
            dead = free if _holder(found).get("machine") == machine() else self._waited >= PATIENCE
            return dead and self._removed(found)
        finally:
            os.close(file)

    def _is(self, file: int) -> bool:
        """Whether the claim is this open file, and not one that has come after it."""
        try:
            return os.path.samestat(os.fstat(file), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _look(self, found: bytes) -> None:
        """Remember how long a claim has said the same."""
        now = _clock()
        if found != self._seen:
            self.alive = self._seen is not None and _holder(found) == _holder(self._seen)
            self._seen, self._waited = found, 0.0
        else:
            # A looker that slept meanwhile may have slept together with the holder: one long pause proves nothing.
            self._waited += min(now - self._looked, PATIENCE / 2)
        self._looked = now

    def _removed(self, stale: bytes) -> bool:
        """Take the file away that says `stale`, and no other: on another machine somebody may be quicker."""
        grave = beside(self._path)
        try:
            os.rename(self._path, grave)
        except FileNotFoundError:
            return True
        try:
            if _read(grave) == stale:
                return True
            with suppress(FileExistsError):
                os.link(grave, self._path)
            return False
        finally:
            grave.unlink(missing_ok=True)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the claim `path` while the block runs; wait for it where another process does.

    Raises:
        StorageError: see `Claim.take`.
    """
    claim, pause = Claim(path), 0.001
    while not claim.take():
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    try:
        yield
    finally:
        claim.release()


def _read(path: Path) -> bytes | None:
    """A claim as it is now: what is opened anew is asked for at the file server."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _locked(file: int) -> bool:
    """Whether the kernel's lock of a file is ours now: it knows of no other owner."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(found: bytes) -> dict[str, object]:
    """What a claim says of its holder, but for the beats; nothing where it is damaged."""
    try:
        about = json.loads(found.partition(b"\n")[0])
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def _clock() -> float:
    """Seconds, with those in which this machine slept, where the system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
