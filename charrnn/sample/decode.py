"""Texts from a model, symbol by symbol, many side by side: warm the state, draw, feed back, stop.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, Protocol

import numpy as np

from charrnn.config.schema import Sample
from charrnn.errors import UsageError
from charrnn.sample.charset import Charset
from charrnn.sample.filters import distribution, inverted, inverted_rows, temperature
from charrnn.sample.odds import Odds, odds_of
from charrnn.sample.required import Required
from charrnn.sample.text import Text
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check

_MOST_KEPT = 64  # charsets that streams may share
_LONGEST_CHARACTER = 4  # bytes; of words one is enough

Ended = Literal["length", "stop"]


class Stepper(Protocol):
    """A model that reads one symbol per row and scores the next."""

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol."""

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """logits_BV and the state after the symbols."""


@dataclass(frozen=True)
class Drawn:
    """A symbol that was drawn.

    Attributes:
        stream: of which stream.
        symbol: its id.
        piece: the text that is certain now; empty while it may be the beginning of a stop string, or while a character
            is not complete. The pieces of a stream, joined, are its text.
        odds: how likely it was, where that was asked for.
        ended: with the last symbol of a stream, what has ended it.
    """

    stream: int
    symbol: int
    piece: str
    odds: Odds | None = None
    ended: Ended | None = None


class Streams:
    """Texts that are drawn side by side, each with options of its own; they join and leave at any time.

    All of them are rows of one batch of the model, which each step reads one symbol of every row; a row that has ended
    leaves the batch. What is drawn for a stream is a function of its prompt, its options and its number, whoever else
    is in the batch, as far as the model's scores are. Those of a row may differ in the last bit with the number of
    rows, for a matrix library adds up in another order; where two symbols are within that of one another, or a draw is
    that near to the border between two, the texts may part.

    Args:
        model: the model.
        vocabulary: its symbols.
        entrance: names those that join; None for one of their own.
    """

    def __init__(self, model: Stepper, vocabulary: Vocabulary, entrance: Entrance | None = None) -> None:
        self._model = model
        self._entrance = Entrance(vocabulary) if entrance is None else entrance
        self._rows: list[_Row] = []

    def __len__(self) -> int:
        """How many streams have not ended."""
        return sum(len(row.streams) for row in self._rows)

    def add(
        self, prompt: Sequence[int], options: Sample, numbers: Sequence[int] = (0,), odds: int | None = None
    ) -> tuple[int, ...]:
        """Let streams join: one for each number, all from the same prompt, which is read once.

        Args:
            prompt: the symbols that warm the state; where there are none, `<start>` does.
            options: how to draw; its `seed` plays no part.
            numbers: the numbers of the samples; each has draws of its own, a function of (`random_seed`, number).
            odds: tell how likely each symbol was, beside so many of the likeliest; None: do not.

        Returns:
            What each stream is called in `Drawn`.

        Raises:
            UsageError: the vocabulary cannot do what `ban`, `only` and `require` ask for; or a `beam` is to search,
                which is a batch of its own (`beam.py`).
        """
        streams = self._entrance.admit(prompt, options, numbers, odds)
        if streams:
            self._rows.append(
                _Row(_Batch(self._model.initial_state(1), 1), 0, list(prompt) or [Vocabulary.START], streams)
            )
        return tuple(stream.name for stream in streams)

    def drop(self, stream: int) -> None:
        """Let a stream leave before its end; one that has ended has left already."""
        for row in self._rows:
            row.streams = [other for other in row.streams if other.name != stream]
        self._rows = [row for row in self._rows if row.streams]

    def step(self, check: Check = no_check) -> list[Drawn]:
        """Read one symbol of every row, and draw one for each stream whose prompt has been read.

        Args:
            check: called before; it may raise to stop, and nothing has happened then.

        Returns:
            What was drawn, in the order in which the streams were added; nothing while prompts are read.
        """
        if not self._rows:
            return []
        check()
        rows, wanted = list[_Row](), list[tuple[Stream, np.ndarray]]()
        for row, logits_V in zip(self._rows, self._read(), strict=True):
            row.read += 1
            if row.read < len(row.symbols):
                rows.append(row)
            else:
                rows += [_Row(row.batch, row.place, (), [stream]) for stream in row.streams]
                wanted += [(stream, logits_V) for stream in row.streams]
        drawn = draw_all(wanted)
        told = {one.stream: one for one in drawn}
        self._rows = []
        for row in rows:
            if not row.symbols:
                one = told[row.streams[0].name]
                if one.ended is not None:
                    continue
                row.symbols = (one.symbol,)
            self._rows.append(row)
        return drawn

    def _read(self) -> list[np.ndarray]:
        """The scores (V,) after the next symbol of every row, which is then where it stands."""
        scores_V: list[np.ndarray] = []
        # A model of windows has narrower states while there is less to see; such rows step by themselves.
        for _, group in groupby(self._rows, lambda row: row.batch.widths):
            rows = list(group)
            ids_B = np.array([row.symbols[row.read] for row in rows])
            with np.errstate(over="ignore", invalid="ignore"):  # a diverged model has scores beyond all bounds
                logits_BV, state = self._model.step(ids_B, _together(rows))
            batch = _Batch(state, len(rows))
            for place, row in enumerate(rows):
                row.batch, row.place = batch, place
            scores_V += list(logits_BV)
        return scores_V


class _Batch:
    """The state of rows that the model has read together; `widths` tells which batches it may read together."""

    def __init__(self, state: State, rows: int) -> None:
        self.state, self.rows = state, rows
        self.widths = [array.shape[1:] for array in state.values()]


@dataclass
class _Row:
    """One row of a batch: a stream that is being drawn, or several whose common prompt is being read."""

    batch: _Batch
    place: int
    symbols: Sequence[int]
    streams: list[Stream]
    read: int = 0


def _together(rows: Sequence[_Row]) -> State:
    """The states of rows as the state of one batch; where they are all of one already, nothing is copied."""
    batch, places = rows[0].batch, [row.place for row in rows]
    if any(row.batch is not batch for row in rows):
        parts = [(row.batch.state, slice(row.place, row.place + 1)) for row in rows]
        return {name: np.concatenate([state[name][place] for state, place in parts]) for name in batch.state}
    if places == list(range(batch.rows)):
        return batch.state
    return {name: array[places] for name, array in batch.state.items()}


class Stream:
    """One text as it is drawn.

    Args:
        name: what it is called in `Drawn`.
        number: the number of the sample; its draws are a function of (`random_seed`, number).
        options: how to draw.
        vocabulary: what symbols stand for.
        charset: the characters that it may have.
        last: the character in front of it; empty where there is none.
        odds: tell how likely each symbol was, beside so many of the likeliest; None: do not.
    """

    def __init__(
        self,
        name: int,
        number: int,
        options: Sample,
        vocabulary: Vocabulary,
        charset: Charset,
        last: str,
        odds: int | None,
    ) -> None:
        self.name = name
        self.options, self.charset = options, charset
        self._alternatives = odds
        self._random = np.random.Generator(np.random.PCG64([options.random_seed, number]))
        self._text = Text(vocabulary, options.stop, options.require, last)
        self._required = Required(vocabulary, options, charset)
        self.count = 0

    def forced(self) -> int | None:
        """The symbol that has to come next because of `require`; None where one is drawn."""
        return self._required.next(self._text, self.options.length - self.count)

    @property
    def banned(self) -> np.ndarray:
        """A mask (V,) of what may not come next."""
        return self.charset.banned(self._text.pending)

    def uniforms(self, count: int) -> np.ndarray:
        """The numbers that the next `count` symbols are drawn with, for who draws elsewhere."""
        return self._random.random(count)

    def temperatures(self, count: int) -> list[float]:
        """The temperatures of the next `count` symbols."""
        return [temperature(self.options, self.count + n) for n in range(count)]

    def take(self, symbol: int, odds: Odds | None = None) -> Drawn:
        """Go on with a symbol, drawn or forced."""
        self.count += 1
        piece = self._text.feed(symbol)
        ended: Ended | None = "stop" if self._text.ended else None
        if ended is None and self.count == self.options.length:
            piece += self._text.finish(self.charset.permits_broken)
            ended = "length"
        return Drawn(self.name, symbol, piece, odds, ended)

    def take_drawn(self, symbol: int, probability: float, logits_V: np.ndarray) -> Drawn:
        """Go on with a symbol that was drawn with a probability, from these scores."""
        self._required.drawn(symbol, self._text)
        return self.take(symbol, self.odds(symbol, probability, logits_V))

    def odds(self, symbol: int, probability: float, logits_V: np.ndarray) -> Odds | None:
        """How likely a symbol was, if that was asked for."""
        return None if self._alternatives is None else odds_of(logits_V, symbol, self._alternatives, probability)


def draw_all(wanted: Sequence[tuple[Stream, np.ndarray]]) -> list[Drawn]:
    """The next symbol of each stream, from the model's scores (V,); streams of one request are drawn together."""
    drawn: list[Drawn] = []
    for _, group in groupby(wanted, lambda one: id(one[0].options)):
        free, others = list[tuple[Stream, np.ndarray]](), list[Drawn]()
        for stream, logits_V in group:
            symbol = stream.forced()
            if symbol is None:
                free.append((stream, logits_V))
            else:
                others.append(stream.take(symbol, stream.odds(symbol, 1.0, logits_V)))
        drawn += sorted([*_drawn(free), *others], key=lambda one: one.stream) if others else _drawn(free)
    return drawn


def _drawn(wanted: Sequence[tuple[Stream, np.ndarray]]) -> list[Drawn]:
    """A symbol for each of some streams that have the same options."""
    if not wanted:
        return []
    first, logits_V = wanted[0]
    if len(wanted) == 1:
        probs_V = distribution(logits_V, first.options, first.banned, first.count)
        symbol = int(probs_V.argmax()) if first.options.greedy else inverted(probs_V, first.uniforms(1)[0])
        return [first.take_drawn(symbol, float(probs_V[symbol]), logits_V)]
    streams = [stream for stream, _ in wanted]
    logits_BV, banned_BV = np.array([scores_V for _, scores_V in wanted]), np.array([one.banned for one in streams])
    probs_BV = distribution(logits_BV, first.options, banned_BV, [stream.count for stream in streams])
    if first.options.greedy:
        symbols: list[int] = probs_BV.argmax(1).tolist()
    else:
        symbols = inverted_rows(probs_BV, np.concatenate([stream.uniforms(1) for stream in streams]))
    shares = probs_BV[np.arange(len(symbols)), symbols].tolist()
    return [
        stream.take_drawn(symbol, share, scores_V)
        for (stream, scores_V), symbol, share in zip(wanted, symbols, shares, strict=True)
    ]


class Entrance:
    """Where streams join: it names them, and keeps what several of them share.

    Args:
        vocabulary: the symbols.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._charsets: dict[tuple[str, str | None], Charset] = {}
        self._added = 0

    def admit(self, prompt: Sequence[int], options: Sample, numbers: Sequence[int], odds: int | None) -> list[Stream]:
        """New streams; see `Streams.add`.

        Raises:
            UsageError: the vocabulary cannot do what is asked for, or a `beam` is to search.
        """
        if options.beam is not None:
            raise UsageError("a search is not drawn stream by stream", hint="leave `beam` out, or search by itself")
        charset = self._charset(options.ban, options.only)
        last = self._vocabulary.decode(prompt[-_LONGEST_CHARACTER:])[-1:]
        streams = [
            Stream(name, number, options, self._vocabulary, charset, last, odds)
            for name, number in enumerate(numbers, self._added)
        ]
        self._added += len(streams)
        return streams

    def _charset(self, ban: str, only: str | None) -> Charset:
        key = (ban, only)
        if key not in self._charsets:
            if len(self._charsets) >= _MOST_KEPT:
                self._charsets.clear()
            self._charsets[key] = Charset(self._vocabulary, ban, only)
        return self._charsets[key]
