"""Strings that have to appear in a text that is drawn: where each is written.

The model is left to itself until it draws the first symbol of a missing string where a word may begin; then the rest of
the string is written out. When no more than `SLACK` symbols, or a quarter of the length, are left besides what is
missing, the first missing string is written at the next place where a word may begin; when none are left, at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from charrnn.config.schema import Sample
from charrnn.errors import UsageError
from charrnn.sample.charset import Charset
from charrnn.sample.text import Text
from charrnn.text.encode import UnknownSymbols
from charrnn.text.vocabulary import Vocabulary

SLACK = 24
"""Symbols in which a place is looked for where a word may begin, before a string has to be written wherever it is."""

_LONGEST_CHARACTER = 4


class Required:
    """The symbols of the strings that one text has to hold, and what of them is to be written next.

    Args:
        vocabulary: the symbols.
        options: `require`, and the `length` that has to suffice.
        charset: the characters that may appear.

    Raises:
        UsageError: a string cannot be written, or not in so many symbols.
    """

    def __init__(self, vocabulary: Vocabulary, options: Sample, charset: Charset) -> None:
        self._ids = {text: _symbols(vocabulary, text, charset) for text in options.require}
        self._left: list[int] = []
        self._slack = min(SLACK, options.length // 4)
        self._breaks = _LONGEST_CHARACTER - 1 if vocabulary.byte_values else 0
        needed = self._needed(self._ids)
        if needed > options.length:
            raise UsageError(
                f"{options.length} symbols cannot hold what is required",
                why=f"it takes {needed}",
                hint="raise --length",
            )

    def next(self, text: Text, left: int) -> int | None:
        """The symbol that has to come now; None where the model is free.

        Args:
            text: what was written so far.
            left: the symbols that are left, this one among them; at least one.
        """
        if not self._left and text.missing:
            first = text.missing[0]
            spare = left - self._needed(text.missing)
            # A character that is begun is not broken off as long as there is room for the rest of it.
            at_once = spare <= (0 if text.pending else self._breaks)
            if at_once or (spare <= self._slack and not text.pending and _may_begin(first, text.last)):
                self._left = list(self._ids[first])
        return self._left.pop(0) if self._left else None

    def drawn(self, symbol: int, before: Text) -> None:
        """Take note of a symbol that the model has drawn after `before`; it may begin a string that is missing."""
        for text in before.missing:
            ids = self._ids[text]
            if ids[0] == symbol and _may_begin(text, before.last):
                self._left = list(ids[1:])
                return

    def _needed(self, missing: Iterable[str]) -> int:
        return sum(len(self._ids[text]) for text in missing)


def _symbols(vocabulary: Vocabulary, text: str, charset: Charset) -> list[int]:
    why = None
    if not charset.permits(text):
        why = "--ban or --only forbids one of its characters"
    else:
        try:
            return [int(id_) for id_ in vocabulary.encode(text)]
        except UnknownSymbols as error:
            why = error.what
    raise UsageError(f"{text!r} cannot be required", where="--require", why=why, hint="require what can be written")


def _may_begin(text: str, before: str) -> bool:
    """Whether `text` can begin after the character `before` without being the end of a longer word."""
    return not (_of_word(text[0]) and before and _of_word(before))


def _of_word(character: str) -> bool:
    return character.isalnum() or character == "_"
