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
_MOST_WORDS = 2_000_000


class Tally:
    """How often each symbol of a text is seen.

    Args:
        settings: they name the unit and the least count of a symbol.
    """

    def __init__(self, settings: Corpus) -> None:
        self._unit, self._min_count = settings.unit, settings.min_count
        self._codes: NDArray[np.int64] = np.zeros(256 if self._unit == "byte" else _CODE_POINTS, np.int64)
        self._words: Counter[str] = Counter()

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
            self._codes += np.bincount(np.frombuffer(piece, np.uint8), minlength=256)
        elif self._unit == "word":
            self._words.update(words(piece))
            if len(self._words) > _MOST_WORDS:
                raise DataError(f"more than {_MOST_WORDS:,} distinct words", hint="set corpus.unit to char or byte")
        else:
            counts = np.bincount(_code_points(piece))
            self._codes[: len(counts)] += counts

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


def _code_points(text: str) -> NDArray[np.unsignedinteger]:
    """The code points of `text`; one byte each where that is enough."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), "<u4")
