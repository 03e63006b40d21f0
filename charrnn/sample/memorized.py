"""How much of what a model has written stands word for word in the text that it was trained on.

Shapes: N symbols of all samples, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from charrnn.sample.copies import NOWHERE, longest_copies
from charrnn.sample.text import REPLACEMENT
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Watch

_BLOCK = 1 << 22


@dataclass(frozen=True)
class Passage:
    """A passage of a text that stands in the training text and cannot be made longer there.

    Attributes:
        start: its first character in the text, from 0.
        text: the passage.
        offset: the character of the training text at which one occurrence of it begins, from 0.
        line: the line of the training text that this is in, from 1.
    """

    start: int
    text: str
    offset: int
    line: int


@dataclass(frozen=True)
class Memorized:
    """What of a text is copied.

    Attributes:
        characters: of the text.
        copied: those that lie in a copied passage.
        passages: all of them, the longest first, equals in their order; they may overlap.
    """

    characters: int
    copied: int
    passages: tuple[Passage, ...]

    @property
    def share(self) -> float:
        """The share of the characters that lie in a copied passage."""
        return self.copied / self.characters if self.characters else 0.0

    @property
    def longest(self) -> int:
        """The characters of the longest copied passage; 0 where there is none."""
        return len(self.passages[0].text) if self.passages else 0


def memorized(
    texts: Sequence[str], vocabulary: Vocabulary, tokens: np.ndarray, least: int, watch: Watch | None = None
) -> list[Memorized]:
    """What of each text is copied from the training text, in passages of at least `least` characters.

    Passages consist of whole symbols: of a model of words, of whole words. The training text is read twice, block by
    block, and may be as long as it likes. A text of U+FFFD is never a copy.

    Args:
        texts: what the model has written.
        vocabulary: its symbols.
        tokens: the training text.
        least: characters of the shortest passage that counts; from 1.
        watch: told about every block; it may raise to stop.
    """
    rows = [_ids(text, vocabulary) for text in texts]
    query_N = np.concatenate([np.append(row, NOWHERE) for row in rows]) if rows else np.empty(0, np.int64)
    widths_N = np.where(query_N < 0, 1, vocabulary.characters_per_id[np.maximum(query_N, 0)])
    symbols = _fewest(widths_N, query_N < 0, least)
    if symbols is None:
        spans: list[tuple[int, int, int]] = []
    else:
        lengths_N, starts_N = longest_copies(query_N, tokens, symbols, watch)
        spans = _whole(_maximal(lengths_N, starts_N), query_N, widths_N, least)
    places = _places(np.array([where for *_, where in spans], np.int64), tokens, vocabulary)
    ends = np.cumsum([len(row) + 1 for row in rows]).tolist()
    before_N = np.append(0, np.cumsum(widths_N))
    told = []
    for begin, end in pairwise([0, *ends]):
        mine = [(span, place) for span, place in zip(spans, places, strict=True) if begin <= span[0] < end]
        told.append(_told(begin, end - 1, mine, query_N, before_N, vocabulary))
    return told


def _told(
    begin: int,
    end: int,
    found: Sequence[tuple[tuple[int, int, int], tuple[int, int]]],
    query_N: np.ndarray,
    before_N: np.ndarray,
    vocabulary: Vocabulary,
) -> Memorized:
    covered = np.zeros(int(before_N[end] - before_N[begin]), dtype=bool)
    passages = []
    for (first, last, _), (offset, line) in found:
        start, stop = (int(before_N[place] - before_N[begin]) for place in (first, last))
        covered[start:stop] = True
        passages.append(Passage(start, vocabulary.decode(query_N[first:last]), offset, line))
    passages.sort(key=lambda passage: -len(passage.text))
    return Memorized(len(covered), int(covered.sum()), tuple(passages))


def _ids(text: str, vocabulary: Vocabulary) -> np.ndarray:
    """The symbols of a text, `NOWHERE` for each U+FFFD, which may stand for bytes that no text could hold."""
    parts = [vocabulary.encode(part) for part in text.split(REPLACEMENT)]
    ids = [np.append(part, NOWHERE) for part in parts[:-1]]
    return np.concatenate([*ids, parts[-1]])


def _fewest(widths_N: np.ndarray, breaks_N: np.ndarray, least: int) -> int | None:
    """The fewest symbols in a row, without a break, that have `least` characters; None where no row has."""
    before = np.append(0, np.cumsum(widths_N))
    parts = np.append(0, np.cumsum(breaks_N))
    firsts = np.arange(len(widths_N))
    lasts = np.searchsorted(before, before[:-1] + least)
    inside = lasts < len(before)
    firsts, lasts = firsts[inside], lasts[inside]
    unbroken = parts[lasts] == parts[firsts]
    return int((lasts - firsts)[unbroken].min()) if unbroken.any() else None


def _maximal(lengths_N: np.ndarray, starts_N: np.ndarray) -> list[tuple[int, int, int]]:
    """First symbol, end, and place in the long row, of the passages that are part of no other."""
    goes_on_N = np.append(lengths_N[1:] == lengths_N[:-1] + 1, False)
    ends = np.flatnonzero((lengths_N > 0) & ~goes_on_N)
    return [(int(j + 1 - lengths_N[j]), int(j + 1), int(starts_N[j])) for j in ends]


def _whole(
    spans: Sequence[tuple[int, int, int]], query_N: np.ndarray, widths_N: np.ndarray, least: int
) -> list[tuple[int, int, int]]:
    """The passages without the bytes of characters that are not complete in them; those long enough, and, of those that
    have become parts of others, none."""
    kept = []
    for first, end, where in spans:
        start, stop = first, end
        while start < stop and widths_N[start] == 0:
            start += 1
        if stop < len(query_N) and widths_N[stop] == 0:
            stop -= 1
            while stop > start and widths_N[stop] == 0:
                stop -= 1
        if widths_N[start:stop].sum() >= least:
            kept.append((start, stop, where + start - first))
    kept.sort(key=lambda span: (span[0], -span[1]))
    reached = np.maximum.accumulate([0, *(stop for _, stop, _ in kept)]).tolist()
    return [span for span, before in zip(kept, reached, strict=False) if span[1] > before]


def _places(where: np.ndarray, tokens: np.ndarray, vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """The characters in front of each token, and the number of the line that it is in."""
    lines_V = np.array([data.count(b"\n") for data in vocabulary.utf8], np.int64)
    order = np.argsort(where, kind="stable")
    places = [(0, 1)] * len(where)
    characters, line, begin = 0, 1, 0
    for number in order.tolist():
        for start in range(begin, int(where[number]), _BLOCK):
            ids = np.asarray(tokens[start : min(start + _BLOCK, int(where[number]))])
            characters += int(vocabulary.characters_per_id[ids].sum())
            line += int(lines_V[ids].sum())
        begin = max(begin, int(where[number]))
        places[number] = (characters, line)
    return places
