"""Processes that work for this one, each on one thing at a time. None of them loads torch.

They are started as programs of their own and not as copies of this one, which may hold a GPU and many threads. They are
not told of signals from the terminal; they end with this process, however it ends.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import charrnn
from charrnn.config.schema.corpus import Corpus
from charrnn.errors import OutOfMemoryError, PeerError
from charrnn.text.watch import Check

_PATIENCE_SECONDS = 0.1
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[2])
from charrnn.corpus.worker import serve
serve(int(sys.argv[1]))
"""
_HINT = "run the same command again; --jobs 1 works in one process, which takes the least memory"


class Member:
    """One of the processes."""

    def __init__(self, settings: Corpus) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            home = Path(charrnn.__file__).parents[1]
            command = [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), str(home)]
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )
        self.line = Connection(ours.detach())
        self.busy = False
        self._send(settings)

    def _send(self, value: Any) -> None:
        try:
            self.line.send(value)
        except OSError:
            raise self.gone() from None

    def ask(self, name: str, *given: Any) -> None:
        """Ask for something; the answer comes by `answer`."""
        self._send((name, given))
        self.busy = True

    def answer(self) -> Any:
        """What it answers.

        Raises:
            CharRnnError, OSError: what went wrong with what was asked.
            PeerError: it is gone.
        """
        try:
            kind, value = self.line.recv()
        except (EOFError, OSError):
            raise self.gone() from None
        self.busy = False
        if kind == "done":
            return value
        if kind == "memory":
            raise OutOfMemoryError("a process that prepares the text has no memory left", hint=_HINT)
        if kind == "fault":
            raise RuntimeError(f"in a process that prepares the text:\n{value}")
        raise value

    def gone(self) -> PeerError:
        """The error for a process that has ended."""
        code = self.process.wait()
        why = f"it was ended by signal {-code}" if code < 0 else f"its exit code is {code}"
        return PeerError("a process that prepares the text is gone", why=why, hint=_HINT)

    def end(self) -> None:
        """End it at once."""
        self.line.close()
        self.process.kill()
        self.process.wait()


class Crew:
    """So many processes, started when the first work comes.

    Args:
        jobs: how many.
        settings: what becomes of the text.
        check: called again and again while they work; it may raise to stop.
    """

    def __init__(self, jobs: int, settings: Corpus, check: Check) -> None:
        self._jobs, self._settings, self._check = jobs, settings, check
        self.members: list[Member] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """End all of them."""
        while self.members:
            self.members.pop().end()

    def start(self) -> None:
        """Start those that are not there."""
        while len(self.members) < self._jobs:
            self.members.append(Member(self._settings))

    def tell(self, name: str, *given: Any) -> list[Any]:
        """Ask every one the same; their answers, in no order that means anything."""
        self.start()
        for member in self.members:
            member.ask(name, *given)
        return [member.answer() for member in self.ready()]

    def each(self, tasks: Iterable[tuple[str, tuple[Any, ...]]]) -> Iterator[tuple[int, Any]]:
        """Do all tasks, each a request and what goes with it behind its number; the answers come as they are ready,
        each with the number of its task."""
        self.start()
        left, doing = enumerate(tasks), dict[Member, int]()

        def hand_out(member: Member) -> None:
            for number, (name, given) in left:
                member.ask(name, number, *given)
                doing[member] = number
                break

        for member in self.members:
            hand_out(member)
        for member in self.ready():
            number, answer = doing[member], member.answer()
            hand_out(member)
            yield number, answer

    def ready(self) -> Iterator[Member]:
        """Those that have an answer, as long as any is busy; the answer is to be taken before the next is asked for."""
        while busy := {member.line: member for member in self.members if member.busy}:
            self._check()
            for line in wait(list(busy), _PATIENCE_SECONDS):
                yield busy[cast(Connection, line)]
