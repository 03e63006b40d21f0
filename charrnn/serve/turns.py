"""A call that works in turns, so that other work goes on between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from charrnn.text.watch import Check


class _Stopped(Exception):
    """Nobody wants the result any more."""


class Turns:
    """A call that pauses wherever it checks and its time is up, and goes on with the next turn.

    It has a thread of its own, which runs only during its turns: whoever gives them waits meanwhile. So whatever it
    shares with whoever gives them needs no lock, and the two never contend for Python's interpreter.

    Args:
        work: the call; it is handed what it has to call often.
        clock: seconds.

    Attributes:
        result: what it returned.
        error: what it raised.
        over: whether it has ended.
    """

    def __init__(self, work: Callable[[Check], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.result: Any = None
        self.error: Exception | None = None
        self.over = False
        self._work, self._clock = work, clock
        self._stopped, self._until = False, 0.0
        self._go, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None

    def turn(self, seconds: float) -> bool:
        """Let it work until the first check after so much time; whether it is over."""
        self._until = self._clock() + seconds
        self._resume()
        return self.over

    def stop(self) -> None:
        """End it where it paused."""
        self._stopped = True
        if self._thread is not None and not self.over:
            self._resume()

    def _resume(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="charrnn-turns", daemon=True)
            self._thread.start()
        self._go.release()
        self._paused.acquire()

    def _run(self) -> None:
        self._go.acquire()
        try:
            self.result = self._work(self._check)
        except _Stopped:
            pass
        except Exception as error:
            self.error = error
        finally:
            self.over = True
            self._paused.release()

    def _check(self) -> None:
        if self._clock() >= self._until:
            self._paused.release()
            self._go.acquire()
        if self._stopped:
            raise _Stopped
