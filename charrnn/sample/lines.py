"""What the lines of a text cost a model: read in bounded memory, the state carried from line to line.

Shapes: N symbols of a line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from charrnn.corpus.documents import SeparatorFinder
from charrnn.errors import DivergedError
from charrnn.sample.decode import Stepper
from charrnn.sample.reading import Reading, Surprise
from charrnn.text.encode import Unknown, UnknownSymbols
from charrnn.text.lines import TextLine, first_place
from charrnn.text.vocabulary import Decoder, Vocabulary
from charrnn.text.watch import Check, no_check

_LN2 = math.log(2.0)


@dataclass(frozen=True)
class Score:
    """What a text, a line or a part of one cost a model.

    Attributes:
        symbols: how many symbols were predicted.
        characters: how many characters they stand for.
        bytes: how many bytes of UTF-8.
        total: nats of all of them.
        expected: nats that the model expected all of them to cost; its own entropy.
    """

    symbols: int = 0
    characters: int = 0
    bytes: int = 0
    total: float = 0.0
    expected: float = 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.symbols + other.symbols,
            self.characters + other.characters,
            self.bytes + other.bytes,
            self.total + other.total,
            self.expected + other.expected,
        )

    def figures(self) -> dict[str, float | int | None]:
        """Counts and means: nats per symbol, bits per character and byte; None where there is nothing to divide by."""
        return {
            "symbols": self.symbols,
            "characters": self.characters,
            "bytes": self.bytes,
            "total_nats": self.total,
            "nats": _over(self.total, self.symbols),
            "expected_nats": _over(self.expected, self.symbols),
            "bits_per_char": _over(self.total / _LN2, self.characters),
            "bits_per_byte": _over(self.total / _LN2, self.bytes),
        }

    @property
    def perplexity(self) -> float:
        """That of a symbol; infinite beyond what a float holds."""
        with np.errstate(over="ignore"):
            return float(np.exp(np.float64(self.total / self.symbols)))


def _over(sum_: float, count: int) -> float | None:
    return sum_ / count if count else None


@dataclass(frozen=True)
class LineScore:
    """A line, or a part of one, with what each of its symbols cost.

    Attributes:
        line: the line as it was read.
        ids: its symbols (N,), those left out or replaced that the vocabulary lacks.
        surprise: what they cost, (N,).
        score: sums of that.
        unknown: the symbols that the vocabulary lacks, each once.
    """

    line: TextLine
    ids: np.ndarray
    surprise: Surprise
    score: Score
    unknown: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The line without its line feed."""
        content = self.line.content
        text = content if isinstance(content, str) else content.decode("utf-8", "replace")
        return text.removesuffix("\n")


@dataclass
class LineReader:
    """Reads lines and says what they cost; the state is carried from each to the next.

    Attributes:
        model: the model.
        vocabulary: its symbols.
        unknown: `error`, `skip` or `replace`: what becomes of symbols that the vocabulary lacks.
        name: what errors call the text.
        separator: the symbols after which the model begins anew, as it did in training; None: it never does.
        check: called before every step; it may raise to stop.
    """

    model: Stepper
    vocabulary: Vocabulary
    unknown: Unknown = "error"
    name: str = "text"
    separator: np.ndarray | None = None
    check: Check = no_check
    reading: Reading = field(init=False)

    def __post_init__(self) -> None:
        self.reading = Reading(self.model, 1, self.check)
        self._anew = Anew(self.separator)

    def score(self, line: TextLine) -> LineScore:
        """Read a line.

        Raises:
            UnknownSymbols: under `error`; it names the place of the first one as `name:line:column`.
            DivergedError: the model has no finite scores for it.
        """
        ids, unknown = self._encoded(line)
        surprise = self.reading.read(ids[None], self._anew.feed(ids)[None])[0, :]
        if not np.isfinite(surprise.nats).all():
            where = f"{self.name}:{line.number}"
            raise DivergedError(
                "the surprise of a symbol is not finite", where=where, hint="use an earlier checkpoint of the run"
            )
        return LineScore(line, ids, surprise, self.sums(ids, surprise), unknown)

    def sums(self, ids: np.ndarray, surprise: Surprise) -> Score:
        """The sums over symbols."""
        return Score(
            len(ids),
            int(self.vocabulary.characters_per_id[ids].sum()),
            int(self.vocabulary.bytes_per_id[ids].sum()),
            float(surprise.nats.sum()),
            float(surprise.expected.sum()),
        )

    def _encoded(self, line: TextLine) -> tuple[np.ndarray, tuple[str, ...]]:
        try:
            return self.vocabulary.encode(line.content), ()
        except UnknownSymbols as error:
            if self.unknown == "error":
                column = line.column + first_place(line.content, error.symbols[0], self.vocabulary.unit)
                error.where = f"{self.name}:{line.number}:{column}"
                raise
            return self.vocabulary.encode(line.content, self.unknown), error.symbols


class Anew:
    """In front of which symbols of a text the model begins anew: after each separator of documents.

    Args:
        separator: its symbols; None: nowhere.
    """

    def __init__(self, separator: np.ndarray | None) -> None:
        self._pending = False
        self._finder = None if separator is None else SeparatorFinder(separator)
        self._read = 0

    def feed(self, ids: np.ndarray) -> np.ndarray:
        """Which of these further symbols begin a document, (N,)."""
        begins = np.zeros(len(ids) + 1, bool)
        if self._finder is not None:
            # A separator that ends with the block before begins a document with this one.
            begins[0] = self._pending
            ends = self._finder.ends(ids) - self._read
            begins[ends[ends > 0]] = True
            self._pending = bool(begins[-1])
        self._read += len(ids)
        return begins[:-1]


def pieces(score: LineScore, vocabulary: Vocabulary) -> list[tuple[str, float]]:
    """The text of a line, as the model read it, piece by piece with its nats: a piece is a symbol, or a character with
    the sum over the symbols that spell it."""
    decoder, found, nats = Decoder(vocabulary), [], 0.0
    for id_, cost in zip(score.ids.tolist(), score.surprise.nats.tolist(), strict=True):
        nats += cost
        text = decoder.feed(id_)
        if text:
            found.append((text, nats))
            nats = 0.0
    rest = decoder.finish()
    if rest or nats:
        found.append((rest, nats))
    return found
