"""Texts drawn side by side on a device, many symbols at a time: the draw happens there, the text is read here.

Shapes: K steps of a burst, B rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from charrnn.config.schema import Sample
from charrnn.sample.charset import Charset
from charrnn.sample.decode import Stepper, Streams
from charrnn.sample.stream import Drawn, Entrance, Stream
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check


class Burst(Protocol):
    """Rows of a model on a device; `charrnn.models.burst.Burst` tells more."""

    @property
    def rows(self) -> int:
        """How many there is room for."""

    def widen(self, rows: int) -> None:
        """Make room for at least so many rows."""

    def begin(self, row: int, symbol: int, options: Sample, banned_V: np.ndarray) -> None:
        """Begin a text in a row."""

    def end(self, row: int) -> None:
        """Let a row be."""

    def go(self, given_KB: np.ndarray, uniform_KB: np.ndarray, temperature_KB: np.ndarray) -> np.ndarray:
        """K steps of all rows: drawn_KB."""


class Bursts:
    """The bursts of a model, as many as there are groups of texts under way; one that nobody uses is used again.

    Args:
        make: makes one, without rows.
        steps: K.

    Attributes:
        steps: K.
    """

    def __init__(self, make: Callable[[], Burst], steps: int) -> None:
        self.steps = steps
        self._make = make
        self._free: list[Burst] = []

    def take(self, rows: int) -> Burst:
        """One with room for so many rows, and not for many more."""
        for burst in self._free:
            if rows <= burst.rows < 2 * rows:
                self._free.remove(burst)
                return burst
        burst = self._make()
        burst.widen(rows)
        return burst

    def give(self, burst: Burst) -> None:
        """Take one back all of whose rows have ended."""
        self._free.append(burst)


def by_symbol(options: Sample, vocabulary: Vocabulary, odds: int | None = None) -> list[str]:
    """The options for which texts go one symbol at a time on any device, as they are typed: something of theirs has to
    be known on the host before the next symbol is read.

    Args:
        options: what to make and how.
        vocabulary: the symbols.
        odds: as in `Streams.add`.
    """
    asked = {
        "--beam": options.beam is not None,
        "--require": bool(options.require),
        "--probabilities": odds is not None,
        "--ban": bool(options.ban) and bool(vocabulary.byte_values),
        "--only": options.only is not None and bool(vocabulary.byte_values),
    }
    return [name for name, is_asked in asked.items() if is_asked]


class BurstStreams:
    """`Streams` for a device: the same texts but for the rounding of the model's scores, K symbols at a time.

    A stream is a row of the device's batch from the moment it joins until it ends; its prompt is given to the same
    steps that draw. What is drawn after its end, in the same burst, is thrown away. Streams for which `by_symbol` names
    an option go beside them, symbol by symbol, in `Streams` of their own.

    Args:
        bursts: the model on the device.
        model: the same model, symbol by symbol.
        vocabulary: its symbols.
    """

    def __init__(self, bursts: Bursts, model: Stepper, vocabulary: Vocabulary) -> None:
        self._bursts, self._vocabulary = bursts, vocabulary
        self._entrance = Entrance(vocabulary)
        self._beside = Streams(model, vocabulary, self._entrance)
        self._burst: Burst | None = None  # while there are rows
        self._rows: list[_Row | None] = []

    def __len__(self) -> int:
        """How many streams have not ended."""
        return len(self._beside) + sum(row is not None for row in self._rows)

    def add(
        self, prompt: Sequence[int], options: Sample, numbers: Sequence[int] = (0,), odds: int | None = None
    ) -> tuple[int, ...]:
        """See `Streams.add`."""
        if by_symbol(options, self._vocabulary, odds):
            return self._beside.add(prompt, options, numbers, odds)
        streams = self._entrance.admit(prompt, options, numbers, odds)
        if not streams:
            return ()
        rows = self._rows + [None] * (len(streams) - self._rows.count(None))
        if self._burst is None:
            self._burst = self._bursts.take(len(rows))
        self._burst.widen(len(rows))
        self._rows = rows
        first, *rest = [int(symbol) for symbol in prompt] or [Vocabulary.START]
        free = [number for number, row in enumerate(rows) if row is None]
        for number, stream in zip(free, streams, strict=False):
            self._burst.begin(number, first, options, _banned(stream.charset))
            self._rows[number] = _Row(stream, rest)
        return tuple(stream.name for stream in streams)

    def drop(self, stream: int) -> None:
        """See `Streams.drop`."""
        self._beside.drop(stream)
        for number, row in enumerate(self._rows):
            if row is not None and row.stream.name == stream:
                self._end(number)
                break

    def step(self, check: Check = no_check) -> list[Drawn]:
        """Draw up to K symbols of every stream; one, where all go symbol by symbol.

        Args:
            check: called before; it may raise to stop, and nothing has happened then.

        Returns:
            What was drawn, the symbols of each stream in their order; fewer, or none, while prompts are read.
        """
        if not len(self):
            return []
        check()
        told = [] if self._burst is None else self._go(self._burst)
        for _ in range(self._bursts.steps if told else 1):
            told += self._beside.step()
        return told

    def _go(self, burst: Burst) -> list[Drawn]:
        sizes = (self._bursts.steps, len(self._rows))
        # Rows that nobody owns read `<start>`, again and again.
        given_KB = np.full(sizes, Vocabulary.START, dtype=np.int64)
        uniform_KB, temperature_KB = np.zeros(sizes), np.ones(sizes)
        begin: list[int] = []
        for row, given_K, uniform_K, temperature_K in zip(
            self._rows, given_KB.T, uniform_KB.T, temperature_KB.T, strict=True
        ):
            begin.append(0 if row is None else row.fill(given_K, uniform_K, temperature_K))
        told: list[Drawn] = []
        for k, drawn_B in enumerate(burst.go(given_KB, uniform_KB, temperature_KB).tolist()):
            for number, (row, symbol) in enumerate(zip(list(self._rows), drawn_B, strict=False)):
                if row is not None and k >= begin[number]:
                    told.append(row.stream.take(symbol))
                    if told[-1].ended is not None:
                        self._end(number)
        return told

    def _end(self, number: int) -> None:
        assert self._burst is not None, "it has rows"
        self._rows[number] = None
        self._burst.end(number)
        if not any(self._rows):
            self._bursts.give(self._burst)
            self._burst, self._rows = None, []


@dataclass
class _Row:
    """A stream and what is left of its prompt."""

    stream: Stream
    prompt: list[int]

    def fill(self, given_K: np.ndarray, uniform_K: np.ndarray, temperature_K: np.ndarray) -> int:
        """What a burst has to know of the row; after how many steps its first symbol is drawn."""
        now, self.prompt = self.prompt[: len(given_K)], self.prompt[len(given_K) :]
        begin, count = len(now), len(given_K) - len(now)
        given_K[:begin], given_K[begin:] = now, -1
        uniform_K[begin:] = self.stream.random.random(count)
        temperature_K[begin:] = self.stream.temperatures(count)
        return begin


def _banned(charset: Charset) -> np.ndarray:
    """What may never come; the same after every symbol, for else `by_symbol` would name an option."""
    assert not charset.looks_back, "such streams go symbol by symbol"
    return charset.banned(b"")
