"""Counting the symbols of a text, and choosing the vocabulary by the counts."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from charrnn.config.schema.corpus import Corpus
from charrnn.errors import DataError
from charrnn.text.units import words
from charrnn.text.vocabulary import Vocabulary

_CODE_POINTS = 0x110000
_ASCII = 0x80
_MOSTLY_ASCII = 1.5
"""Bytes of UTF-8 per character up to which most characters are ASCII."""

_MOST_WORDS = 2_000_000

Counts = tuple[NDArray[np.int64], NDArray[np.int64], Counter[str]]
"""Code points or bytes, how often each was seen, and how often each word."""


class Tally:
    """How often each symbol of a text is seen.

    Args:
        settings: they name the unit and the least count of a symbol.
    """

    def __init__(self, settings: Corpus) -> None:
        self._unit, self._min_count = settings.unit, settings.min_count
        self._codes: NDArray[np.int64] = np.zeros(256 if self._unit == "byte" else _CODE_POINTS, np.int64)
        self._words: Counter[str] = Counter()
        self._settled = b""  # single bytes that were seen often enough: how much more often says nothing more

    @property
    def distinct(self) -> int:
        """How many different symbols were seen."""
        return len(self._words) if self._unit == "word" else int(np.count_nonzero(self._codes))

    def add(self, piece: str | bytes) -> None:
        """Count the symbols of a piece of whole units.

        Raises:
            DataError: the text has more distinct words than a vocabulary can be made of.
        """
        if isinstance(piece, bytes):
            self._add_bytes(piece, 256)
        elif self._unit == "word":
            self._words.update(words(piece))
            self._refuse_too_many()
        elif piece.isascii():
            self._add_bytes(piece.encode("ascii"), _ASCII)
        else:
            self._add_characters(piece)

    def _add_bytes(self, data: bytes, values: int) -> None:
        """Count single bytes, which are below `values`, but those that are settled, which soon is almost all."""
        rest = data.translate(None, self._settled)
        if rest:
            self._codes[:values] += np.bincount(np.frombuffer(rest, np.uint8), minlength=values)
            self._settled = bytes(np.flatnonzero(self._codes[:values] >= self._min_count).tolist())

    def _add_characters(self, text: str) -> None:
        data = text.encode("utf-8")
        if len(data) <= _MOSTLY_ASCII * len(text):
            rest = data.translate(None, self._settled)  # leaves the bytes of all other characters whole
            text = rest.decode("utf-8")
        counts = np.bincount(np.frombuffer(text.encode("utf-32-le"), "<u4"))
        self._codes[: len(counts)] += counts
        self._settled = bytes(np.flatnonzero(self._codes[:_ASCII] >= self._min_count).tolist())

    @property
    def counts(self) -> Counts:
        """What was counted so far, to be added to another tally of the same text."""
        codes = np.flatnonzero(self._codes)
        return codes, self._codes[codes], self._words

    def add_counts(self, counts: Counts) -> None:
        """Add what another tally has counted.

        Raises:
            DataError: the text has more distinct words than a vocabulary can be made of.
        """
        codes, seen, words_seen = counts
        self._codes[codes] += seen
        self._words.update(words_seen)
        self._refuse_too_many()

    def _refuse_too_many(self) -> None:
        if len(self._words) > _MOST_WORDS:
            raise DataError(f"more than {_MOST_WORDS:,} distinct words", hint="set corpus.unit to char or byte")

    def vocabulary(self) -> Vocabulary:
        """The symbols that were seen often enough, and the parts that spell the others."""
        if self._unit == "byte":
            return Vocabulary("byte", tuple(np.flatnonzero(self._codes).tolist()), ())
        if self._unit == "word":
            kept = {word for word, count in self._words.items() if count >= self._min_count}
            characters = self._characters_of_rare_words()
            kept.update(char for char, count in characters.items() if count >= self._min_count)
            symbols = tuple(sorted(kept))
        else:
            symbols = tuple(map(chr, np.flatnonzero(self._codes >= self._min_count).tolist()))
        return Vocabulary(self._unit, tuple(range(256)) if self._min_count > 1 else (), symbols)

    def _characters_of_rare_words(self) -> Counter[str]:
        """How often each character is needed to spell the rare words."""
        counts: Counter[str] = Counter()
        for word, count in self._words.items():
            if count < self._min_count:
                for character in word:
                    counts[character] += count
        return counts
