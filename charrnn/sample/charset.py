"""Which symbols may be drawn where characters are banned, or a few alone are allowed.

What is promised is about the text, not about symbols: a character may be spelled by bytes, and then the byte that would
complete it is what is banned; a word is banned for any of its characters.

Shapes: V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from charrnn.errors import UsageError
from charrnn.sample.text import REPLACEMENT, spelled
from charrnn.text.vocabulary import Vocabulary

_MOST_KEPT = 1024  # masks; there are as many as ways to begin a character


class Charset:
    """The characters that a text may have, and the symbols that keep to them.

    Args:
        vocabulary: the symbols.
        ban: characters that never appear.
        only: the only ones that may; None: all.

    Raises:
        UsageError: no symbol is left.
    """

    def __init__(self, vocabulary: Vocabulary, ban: str = "", only: str | None = None) -> None:
        self._ban, self._only = frozenset(ban), None if only is None else frozenset(only)
        self._bytes = vocabulary.byte_values
        self._first = 1 + len(self._bytes)
        self._free = not ban and only is None
        self._symbols_V = np.array([not self.permits(symbol) for symbol in vocabulary.symbols], dtype=bool)
        self._known: dict[bytes, np.ndarray] = {}
        if self.banned(b"").all():
            raise UsageError(
                "no symbol of the model's vocabulary is left to draw",
                where="--only" if only is not None else "--ban",
                why="it is drawn among symbols all of whose characters are allowed, and there is none",
                hint="allow more characters; charrnn embeddings RUN lists the symbols that the model knows",
            )

    def permits(self, text: str) -> bool:
        """Whether all characters of `text` may appear."""
        return self._free or not any(c in self._ban or (self._only is not None and c not in self._only) for c in text)

    @property
    def looks_back(self) -> bool:
        """Whether what may come next depends on what came before: bytes spell characters, and not all may come."""
        return bool(self._bytes) and not self._free

    @property
    def permits_broken(self) -> bool:
        """Whether U+FFFD may appear, which stands for bytes that form no character."""
        return self.permits(REPLACEMENT)

    def banned(self, pending: bytes) -> np.ndarray:
        """A mask (V,) of the symbols that may not come next; at least one may.

        Args:
            pending: the bytes of a character that is not complete.
        """
        if self._free:
            pending = b""
        if pending not in self._known:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[pending] = self._mask(pending)
        return self._known[pending]

    def _mask(self, pending: bytes) -> np.ndarray:
        banned_V = np.ones(self._first + len(self._symbols_V), dtype=bool)  # the first is `<start>`
        banned_V[1 : self._first] = [not self._may_follow(pending, byte) for byte in self._bytes]
        banned_V[self._first :] = self._symbols_V
        if pending and not self.permits_broken:  # a symbol that is no byte would break the character off
            banned_V[self._first :] = True
        return banned_V

    def _may_follow(self, pending: bytes, byte: int) -> bool:
        text, rest = spelled(pending + bytes([byte]))
        return self.permits(text) and not (rest and self._leads_nowhere(rest))

    def _leads_nowhere(self, begun: bytes) -> bool:
        """Whether what has been begun could become nothing but a character that may not appear."""
        if self._free:
            return False
        if self._only is not None:
            known = set(self._bytes)
            spellings = (c.encode("utf-8", "surrogatepass") for c in self._only - self._ban)
            return not any(data.startswith(begun) and known.issuperset(data) for data in spellings)
        characters = self._completions(begun)
        first = next(characters, None)
        if first is None:
            return not self.permits_broken
        return not (self.permits(first) or any(map(self.permits, characters)))

    def _completions(self, begun: bytes) -> Iterator[str]:
        """The characters that the vocabulary's bytes can make of what has been begun."""
        for byte in self._bytes:
            text, rest = spelled(begun + bytes([byte]))
            if len(text) == 1 and not rest and text != REPLACEMENT:
                yield text
            elif not text:
                yield from self._completions(rest)
