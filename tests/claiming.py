"""Processes that take themselves for ones of several machines; their functions run in children of a nursery."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import nursery
import pytest

from charrnn.files import claims
from charrnn.files.claims import held


def count_up(name: str, times: int) -> None:
    """Add to a number in a file that others add to as well, as a process of the machine `name`."""
    claims.machine = lambda: name  # type: ignore[assignment]
    number = Path("number")
    for _ in range(times):
        with held(Path("c")):
            number.write_text(str(int(number.read_text()) + 1))


def hold_and_die(name: str) -> None:
    """As a process of the machine `name` hold it, and be killed."""
    claims.machine = lambda: name  # type: ignore[assignment]
    with held(Path("c")):
        os.kill(os.getpid(), signal.SIGKILL)


def charrnn_on(name: str, *arguments: str) -> None:
    """The program on the machine `name`, where machines are known to have died after a few seconds.

    `CHARRNN_TEST_DEATH`: the step of its first trial in front of which it gets a SIGKILL. `CHARRNN_TEST_HALF`: instead,
    it gets that in the middle of the line of the journal by which it says so many validations.
    """
    import charrnn.train.loop as loop
    from charrnn.tune import journal

    death, half = (int(os.environ.get(f"CHARRNN_TEST_{name}", "-9")) for name in ("DEATH", "HALF"))
    real, lines = loop.advance, [0]

    def advance(task: Any, state: Any, *rest: Any) -> Any:
        if state.step == death:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(task, state, *rest)

    def release(lock: journal.JournalLock) -> None:
        path = lock._journal
        lines[0] += path.read_bytes().rstrip().rpartition(b"\n")[2].count(b"intermediate_value")
        if lines[0] == half:
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size - 7)
            os.kill(os.getpid(), signal.SIGKILL)
        let_go(lock)

    let_go = journal.JournalLock.release
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "machine", lambda: name)
        patch.setattr(claims, "BEAT", 0.2)
        patch.setattr(claims, "PATIENCE", 3.0)
        patch.setattr(loop, "advance", advance)
        patch.setattr(journal.JournalLock, "release", release)
        nursery.charrnn(*arguments)
