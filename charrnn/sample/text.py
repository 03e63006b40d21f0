"""The text of drawn symbols as it comes, up to a stop string; what a text must hold, and what its symbols spell."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from copy import copy

from charrnn.text.vocabulary import Vocabulary

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What is shown for bytes that form no character."""


def spelled(data: bytes, final: bool = False) -> tuple[str, bytes]:
    """The characters that `data` spells in UTF-8, and the bytes of one that is not complete.

    Args:
        data: the bytes; what forms no character becomes U+FFFD.
        final: nothing follows, so that an incomplete character is none either.
    """
    text, read = codecs.utf_8_decode(data, "replace", final)
    return text, data[read:]


def pieces_of(symbols: Iterable[int], vocabulary: Vocabulary) -> list[str]:
    """What each symbol adds to the text: a character appears with the last of its bytes."""
    pieces, pending = list[str](), b""
    for symbol in symbols:
        piece, pending = spelled(pending + vocabulary.utf8[symbol])
        pieces.append(piece)
    return pieces


class Text:
    """A text that grows symbol by symbol.

    It ends in front of the first stop string: the one that begins first in the whole text, however the text comes in
    pieces. What may be the beginning of a stop string is held back until it is known not to be. While a required string
    is missing no stop string counts; those count that begin after the symbol with which the last of them appears.

    Args:
        vocabulary: what symbols stand for.
        stop: the stop strings.
        require: strings that have to appear.
        last: the character in front of the text; empty where there is none.

    Attributes:
        ended: whether a stop string has ended it.
        missing: the required strings that have not appeared.
        last: the last character so far.
        pending: the bytes of a character that is not complete.
    """

    def __init__(
        self, vocabulary: Vocabulary, stop: Sequence[str] = (), require: Sequence[str] = (), last: str = ""
    ) -> None:
        self.ended = False
        self.missing = tuple(require)
        self.last = last
        self.pending = b""
        self._utf8, self._stop = vocabulary.utf8, tuple(stop)
        self._longest = max(map(len, self.missing), default=0)
        self._held = self._recent = ""

    def feed(self, symbol: int) -> str:
        """The text that is certain after one more symbol; a text that has ended takes no more."""
        piece, self.pending = spelled(self.pending + self._utf8[symbol])
        self._held += piece
        self.last = piece[-1:] or self.last
        if self.missing:
            self._look_for_missing(piece)
        elif self._stop:
            return self._certain()
        certain, self._held = self._held, ""
        return certain

    def finish(self, permits_broken: bool = True) -> str:
        """What is held back when no more symbols come.

        Args:
            permits_broken: show a last character that is not complete as U+FFFD; else it is left out.
        """
        if self.ended:
            return ""
        rest = spelled(self.pending, final=True)[0] if permits_broken else ""
        held, self._held, self.pending = self._held + rest, "", b""
        return held[: _end(held, self._stop)]

    def copy(self) -> Text:
        """The same text, to be gone on with in another way."""
        return copy(self)

    def _certain(self) -> str:
        """What cannot be the beginning of a stop string any more; the text may end with it."""
        end = _end(self._held, self._stop)
        certain_end = len(self._held) - max((_overlap(self._held, text) for text in self._stop), default=0)
        # A stop string that begins before `end` may still become complete, and then the text ends there.
        if end < len(self._held) and end <= certain_end:
            self.ended = True
            return self._held[:end]
        certain, self._held = self._held[:certain_end], self._held[certain_end:]
        return certain

    def _look_for_missing(self, piece: str) -> None:
        self._recent += piece
        self.missing = tuple(text for text in self.missing if text not in self._recent)
        self._recent = self._recent[max(0, len(self._recent) - self._longest + 1) :]


def text_of(symbols: Iterator[int], vocabulary: Vocabulary, stop: Sequence[str] = ()) -> Iterator[str]:
    """The text of symbols as it comes, up to the first stop string; see `Text`. No symbol is taken after it."""
    text = Text(vocabulary, stop)
    for symbol in symbols:
        piece = text.feed(symbol)
        if piece:
            yield piece
        if text.ended:
            return
    rest = text.finish()
    if rest:
        yield rest


def _end(text: str, stop: Sequence[str]) -> int:
    """Where the earliest stop string in `text` begins; the end of `text` where there is none."""
    return min((place for place in (text.find(s) for s in stop) if place >= 0), default=len(text))


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that is a beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
