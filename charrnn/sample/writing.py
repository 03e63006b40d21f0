"""A text that is being typed, key by key, with suggestions at every place."""

from __future__ import annotations

from contextlib import suppress

from charrnn.sample.offers import Suggestion, Suggestions
from charrnn.sample.suggest import Place, Suggester
from charrnn.text.encode import UnknownSymbols

TAB, BACKSPACE, LITERALLY = "\t", "\x7f", "\x16"
"""Tab takes the first suggestion; Ctrl-V puts the next key into the text, a digit for example."""

_MOST_PLACES = 1 << 12


class Writing:
    """A text and what is suggested at its end.

    Args:
        suggester: what suggests.
        k: how many words.
        text: what is there already, in the form of the model's corpus.

    Attributes:
        text: all of it.
        offered: what is suggested at its end.

    Raises:
        UnknownSymbols: the vocabulary lacks a symbol of `text`.
    """

    def __init__(self, suggester: Suggester, k: int, text: str = "") -> None:
        self._suggester = suggester
        self._k = k
        self._literally = False
        self.text = ""
        self._first = suggester.start  # the place in front of those that are remembered
        self._places: list[tuple[str, Place]] = []
        self._put(text)
        self.offered = self._offers()

    def press(self, key: str) -> bool:
        """One key: a character, or one of those above; returns whether it was of use."""
        literally, self._literally = self._literally, False
        before = self.text
        if key == LITERALLY and not literally:
            self._literally = True
            return True
        if key in (BACKSPACE, "\b") and not literally:
            self._back()
        elif (chosen := None if literally else self._chosen(key)) is not None:
            # The space behind a word that was taken is left out where the model does not know it.
            self._put(chosen.text)
            self._try(" ")
        elif literally or key.isprintable() or key == "\n":
            self._try(key)
        if self.text != before:
            self.offered = self._offers()
        return self.text != before

    def _chosen(self, key: str) -> Suggestion | None:
        words = self.offered.words
        number = 0 if key == TAB else int(key) - 1 if key in "123456789" else -1
        return words[number] if 0 <= number < len(words) else None

    def _back(self) -> None:
        if self._places:
            self.text = self.text[: -len(self._places.pop()[0])]

    def _try(self, character: str) -> None:
        with suppress(UnknownSymbols):
            self._put(character)

    def _put(self, text: str) -> None:
        for character in text:
            self._places.append((character, self._suggester.after(self._place, character)))
            for _, place in self._places[:-_MOST_PLACES]:
                self._first = place
            del self._places[:-_MOST_PLACES]
            self.text += character

    @property
    def _place(self) -> Place:
        return self._places[-1][1] if self._places else self._first

    def _offers(self) -> Suggestions:
        return self._suggester.suggest(self._place, self._k)
