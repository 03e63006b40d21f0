"""Signals: the handler only sets a flag; whoever works looks at it where the work is whole. Torch-free."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from charrnn.errors import Interrupted
from charrnn.train.deadline import Deadline

_STOP = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """What the signals so far have asked for: SIGINT and SIGTERM to stop, SIGUSR1 to save and go on.

    The second request to stop ends the process at once, without a save: what is on the disk is whole anyway.

    Args:
        echo: for so many seconds a repeated request is taken for the same one: whoever starts several processes hands
            on to each of them what they have received already.
        clock: seconds.

    Attributes:
        deadline: the end of the job, where it is to be heeded like a signal.
    """

    def __init__(self, echo: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.stop: int | None = None
        self.save = False
        self.deadline: Deadline | None = None
        self._echo, self._clock, self._since = echo, clock, 0.0

    def check(self) -> None:
        """Raise `Interrupted` when a signal, or the end of the job, asks to stop; call it where stopping loses
        nothing."""
        if self.stop is not None:
            raise Interrupted(self.stop)
        if self.deadline is not None:
            self.deadline.check()

    def saved(self, seconds: float) -> None:
        """Take note that a save took so long: the last one must have as much time."""
        if self.deadline is not None:
            self.deadline.saved(seconds)

    def take_save(self) -> bool:
        """Whether SIGUSR1 asked for a checkpoint since the last call."""
        asked, self.save = self.save, False
        return asked

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if number == signal.SIGUSR1:
            self.save = True
        elif self.stop is None:
            self.stop, self._since = number, self._clock()
        elif self._clock() - self._since >= self._echo:
            os._exit(128 + number)


@contextmanager
def listening(echo: float = 0.0) -> Iterator[Interrupt]:
    """Handle signals inside the block; the former handlers come back after it."""
    interrupt = Interrupt(echo)
    former = {number: signal.signal(number, interrupt.handle) for number in (*_STOP, signal.SIGUSR1)}
    try:
        yield interrupt
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
