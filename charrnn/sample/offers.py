"""What is offered to someone who writes: single symbols and whole words, and the likeliest of many words."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Suggestion:
    """Something that may come next.

    Attributes:
        text: what would be put behind the text: a symbol, or the rest of a word, perhaps with a space in front of it.
        word: the whole word, with what of it is there already; for a symbol a label of it, on one line.
        probability: that the text goes on with it; of a word, that it also ends there.
    """

    text: str
    word: str
    probability: float


@dataclass(frozen=True)
class Suggestions:
    """What may come next, the likeliest first.

    Attributes:
        symbols: single symbols.
        words: words, or rests of the one that was begun.
        complete: whether the words are proven to be the likeliest of all; else the beam may have lost one.
    """

    symbols: tuple[Suggestion, ...]
    words: tuple[Suggestion, ...]
    complete: bool


@dataclass
class Found:
    """The k likeliest words so far."""

    k: int
    words: list[tuple[float, tuple[int, ...]]] = field(default_factory=list)

    def add(self, path: tuple[int, ...], share: float) -> None:
        """Take note of a word."""
        if share > 0.0:
            self.words.append((share, path))
            self.words.sort(key=lambda word: -word[0])
            del self.words[self.k :]

    @property
    def least(self) -> float:
        """What a further word must exceed."""
        return self.words[-1][0] if len(self.words) == self.k else 0.0

    def best(self) -> list[tuple[tuple[int, ...], float]]:
        """They, the likeliest first."""
        return [(path, share) for share, path in self.words]
