"""Signals: the handler only sets a flag; whoever works looks at it where the work is whole. Torch-free."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from charrnn.errors import Interrupted

_STOP = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """What the signals so far have asked for: SIGINT and SIGTERM to stop, SIGUSR1 to save and go on.

    The second request to stop ends the process at once, without a save: what is on the disk is whole anyway.
    """

    def __init__(self) -> None:
        self.stop: int | None = None
        self.save = False

    def check(self) -> None:
        """Raise `Interrupted` when a signal has asked to stop; call it where stopping loses nothing."""
        if self.stop is not None:
            raise Interrupted(self.stop)

    def take_save(self) -> bool:
        """Whether SIGUSR1 asked for a checkpoint since the last call."""
        asked, self.save = self.save, False
        return asked

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if number == signal.SIGUSR1:
            self.save = True
        elif self.stop is not None:
            os._exit(128 + number)
        else:
            self.stop = number


@contextmanager
def listening() -> Iterator[Interrupt]:
    """Handle signals inside the block; the former handlers come back after it."""
    interrupt = Interrupt()
    former = {number: signal.signal(number, interrupt.handle) for number in (*_STOP, signal.SIGUSR1)}
    try:
        yield interrupt
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
