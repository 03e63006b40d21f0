"""A disk that refuses: one call, every call from some moment on, or every byte beyond what there is room for.

Patched are the calls of the operating system and of `open`, not our code. What only reads, and what cleans up (unlink,
rmdir), is never refused.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from charrnn.files import atomic

FULL = (errno.ENOSPC, errno.EDQUOT)
_NEVER = 10**9


class FaultyDisk:
    """Counts the calls that need room, and refuses some of them.

    Args:
        fails_at: the number of the call that is refused, from 0; by default none.
        error: what the system says.
        lasting: every call after it is refused too, until `make_room`.
        room: bytes that can still be written; the write that goes beyond them writes what there is room for.

    Attributes:
        calls: the calls so far, by name.
        refused: how many of them were refused.
    """

    def __init__(
        self, fails_at: int = _NEVER, error: int = errno.ENOSPC, lasting: bool = False, room: int = _NEVER
    ) -> None:
        self.fails_at, self.error, self.lasting, self.room = fails_at, error, lasting, room
        self.calls: list[str] = []
        self.refused = 0

    def make_room(self) -> None:
        """Refuse nothing any more."""
        self.fails_at, self.room = _NEVER, _NEVER

    def refuse(self) -> None:
        """What a refused call does."""
        self.refused += 1
        raise OSError(self.error, os.strerror(self.error))

    def pass_or_fail(self, name: str) -> None:
        """Count a call; raise where it is to be refused."""
        self.calls.append(name)
        number = len(self.calls) - 1
        if number == self.fails_at or (self.lasting and number > self.fails_at):
            self.refuse()

    def write(self, data: Any, through: Callable[[Any], Any]) -> int:
        """Write `data`; half of it where the call is refused, and as much as there is room for where that is too
        little."""
        try:
            self.pass_or_fail("write")
        except OSError:
            through(data[: len(data) // 2])
            raise
        if len(data) > self.room:
            through(data[: self.room])
            self.room = 0
            self.refuse()
        self.room -= len(data)
        through(data)
        return len(data)

    @contextmanager
    def installed(self) -> Iterator[FaultyDisk]:
        """The disk that everybody in this process writes to, while the block runs."""
        real_open, real_write = os.open, os.write

        def opening(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self.pass_or_fail("open for writing")
            return real_open(path, flags, *rest, **named)

        def writing(number: int, data: Any) -> int:
            return self.write(data, lambda part: real_write(number, part))

        with pytest.MonkeyPatch.context() as patch:
            for name in ("fsync", "replace", "rename", "mkdir"):
                patch.setattr(os, name, self.counted(name, getattr(os, name)))
            patch.setattr(atomic, "_exchange", self.counted("renameat2", atomic._exchange))
            patch.setattr(os, "open", opening)
            patch.setattr(os, "write", writing)
            patch.setattr(io, "open", self._opening(io.open))
            patch.setattr(builtins, "open", self._opening(builtins.open))
            yield self

    def counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            self.pass_or_fail(name)
            return call(*args, **kwargs)

        return counting

    def _opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def opening(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if set("wax+").isdisjoint(mode):
                return real(path, mode, *args, **kwargs)
            self.pass_or_fail("open for writing")
            return _FaultyFile(real(path, mode, *args, **kwargs), self)

        return opening


class _FaultyFile:
    """A file on a faulty disk."""

    def __init__(self, file: Any, disk: FaultyDisk) -> None:
        self._file, self._disk = file, disk

    def __enter__(self) -> _FaultyFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any) -> int:
        return self._disk.write(data, self._file.write)

    def flush(self) -> None:
        self._disk.pass_or_fail("flush")
        self._file.flush()


def every_call(work: Callable[[], object], folder: Path, check: Callable[[Exception | None], None]) -> int:
    """Do `work` with each of its calls refused in turn, from the same beginning, until a time when none is left.

    Args:
        work: what writes in `folder`.
        folder: what is in it is put back before every trial, at the same place.
        check: given what `work` raised, when the disk has room again; None where it came through all the same, as by
            trying again.

    Returns:
        How many calls it has.
    """
    before = folder.with_name(folder.name + ".before")
    shutil.copytree(folder, before)
    for number in range(1000):
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        with FaultyDisk(number, FULL[number % 2], lasting=number % 4 > 1).installed() as disk:
            error = failure_of(work)
        if not disk.refused:
            assert error is None, error
            return number
        check(error)
    raise AssertionError("there is no end of calls")


def failure_of(work: Callable[[], object]) -> Exception | None:
    """What `work` raises."""
    try:
        work()
    except Exception as error:
        return error
    return None


def litter(folder: Path) -> list[str]:
    """What of half-written things lies in `folder`."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".tmp-charrnn*"))
