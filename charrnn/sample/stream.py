"""One text as it is drawn, and how several of them get their next symbols.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np

from charrnn.config.schema import Sample
from charrnn.errors import UsageError
from charrnn.sample.charset import Charset
from charrnn.sample.filters import distribution, draw, inverted_rows, temperature
from charrnn.sample.odds import Odds, odds_of
from charrnn.sample.required import Required
from charrnn.sample.text import Text
from charrnn.text.vocabulary import Vocabulary

_MOST_KEPT = 64  # charsets that streams may share
_LONGEST_CHARACTER = 4  # bytes; of words one is enough

Ended = Literal["length", "stop"]


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
        self.random = np.random.Generator(np.random.PCG64([options.random_seed, number]))
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
        symbol = int(probs_V.argmax()) if first.options.greedy else draw(probs_V, first.random)
        return [first.take_drawn(symbol, float(probs_V[symbol]), logits_V)]
    streams = [stream for stream, _ in wanted]
    logits_BV, banned_BV = np.array([scores_V for _, scores_V in wanted]), np.array([one.banned for one in streams])
    probs_BV = distribution(logits_BV, first.options, banned_BV, [stream.count for stream in streams])
    if first.options.greedy:
        symbols: list[int] = probs_BV.argmax(1).tolist()
    else:
        symbols = inverted_rows(probs_BV, np.array([stream.random.random() for stream in streams]))
    shares = probs_BV[np.arange(len(symbols)), symbols].tolist()
    return [
        stream.take_drawn(symbol, share, scores_V)
        for (stream, scores_V), symbol, share in zip(wanted, symbols, shares, strict=True)
    ]
