"""What the worker tells whoever waits for a request to be carried out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charrnn.sample.stream import Drawn, Ended

_TOLD_EVERY = 0.02  # seconds; each telling wakes another thread


@dataclass(frozen=True)
class Begun:
    """A sample begins: with the options that it is made by, as a config has them."""

    options: dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """More of a sample; `ended` where it is the last of it."""

    sample: int
    text: str
    ended: Ended | None


@dataclass(frozen=True)
class Done:
    """The request has been carried out; of a sample everything has been told."""

    result: Any = None


@dataclass(frozen=True)
class Failed:
    """It cannot be carried out."""

    error: Exception


Event = Begun | Piece | Done | Failed


class Ticket:
    """A request that was handed to the worker.

    Args:
        tell: is handed what happens, several things at a time, by the worker's threads; the last is `Done` or `Failed`.
        clock: seconds.

    Attributes:
        gone: whoever wanted it has left.
    """

    def __init__(self, tell: Callable[[tuple[Event, ...]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.gone = False
        self._tell, self._clock, self._told = tell, clock, clock()
        self._pieces: dict[int, list[str]] = {}
        self._ended: dict[int, Ended] = {}

    def begin(self, options: dict[str, Any]) -> None:
        """The sample begins."""
        self._tell((Begun(options),))

    def draw(self, sample: int, drawn: Drawn) -> None:
        """A symbol of a sample was drawn; it is told at once, or with those of the next moments."""
        if drawn.piece:
            self._pieces.setdefault(sample, []).append(drawn.piece)
        if drawn.ended is not None:
            self._ended[sample] = drawn.ended
        if self._clock() - self._told >= _TOLD_EVERY:
            self._tell(self._gathered())
            self._told = self._clock()

    def finish(self, result: Any = None) -> None:
        """It has been carried out."""
        self._tell((*self._gathered(), Done(result)))

    def fail(self, error: Exception) -> None:
        """It cannot be carried out."""
        self._tell((*self._gathered(), Failed(error)))

    def _gathered(self) -> tuple[Event, ...]:
        told = tuple(
            Piece(sample, "".join(self._pieces.get(sample, ())), self._ended.get(sample))
            for sample in sorted(self._pieces.keys() | self._ended.keys())
        )
        self._pieces.clear()
        self._ended.clear()
        return told
