"""The n-grams of a text, of every length up to a limit: each one's count and its number of left neighbours.

Every distinct n-gram has an id, its rank among the n-grams of its length. The ranking is iterated: a 1-gram's
id is its symbol, and an n-gram (h, w) is ranked by the integer id(h)·V + w. The sorted integers are all that
is kept to find an n-gram again; those that share a context h lie side by side.

Legend: N tokens of the text, V vocabulary (`<start>` included), G distinct n-grams of one length (G ≤ N for
n ≥ 2), L tokens of a query, h context, w next symbol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.baselines.discounting import Counts, Tally
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check

START = Vocabulary.START
"""The id of `<start>`: it stands before the first token of a text, and is never predicted."""

UNSEEN = -1
"""The id of an n-gram that does not occur in the training text."""

MOST_TOKENS = 2**32 - 1
LARGEST_VOCABULARY = 2**24
# Together the two keep every id·V + w below 2^56, so that int64 holds it.

Tokens = NDArray[np.integer[Any]]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """All distinct n-grams of one length.

    Attributes:
        keys: shape (G,), ascending: id(h)·V + w. At length 1 each of the V symbols has one, seen or not.
        raw: how often each n-gram occurs. `<start>` itself is not counted.
        continuations: how many distinct symbols occur before each n-gram; one that begins with `<start>` has
            nothing before it and keeps its raw count. None at the greatest length: only a longer n-gram would
            need them.
    """

    keys: Ids
    raw: Tally
    continuations: Tally | None

    def find(self, contexts: Ids, words: Ids, vocabulary_size: int) -> Ids:
        """The ids of the n-grams (h, w), shape (L,), given the ids of h and the symbols w; or `UNSEEN`."""
        found = np.full(len(words), UNSEEN, dtype=np.int64)
        # An unseen context has no seen continuation: at high orders this leaves few n-grams to search for.
        candidates = np.flatnonzero(contexts != UNSEEN)
        if len(self.keys) and len(candidates):
            keys = contexts[candidates] * vocabulary_size + words[candidates]
            ranks = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
            found[candidates] = np.where(self.keys[ranks] == keys, ranks, UNSEEN)
        return found


class _Ranking(NamedTuple):
    keys: Ids
    counts: Counts
    examples: Ids
    ranks: Ids


def _rank(keys: Ids) -> _Ranking:
    """Sort `keys`: the distinct ones, how often and at which position (one of them) each occurs, all ranks.

    `np.unique` would do, but it asks for a stable sort, which costs twice the time.
    """
    order = np.argsort(keys)
    ascending = keys[order]
    is_first = np.ones(len(keys), dtype=np.bool_)
    is_first[1:] = ascending[1:] != ascending[:-1]
    starts = np.flatnonzero(is_first)
    ranks = np.empty(len(keys), dtype=np.int64)
    ranks[order] = np.cumsum(is_first) - 1
    counts = np.diff(starts, append=len(keys)).astype(np.uint32)
    return _Ranking(ascending[starts], counts, order[starts], ranks)


def count_levels(tokens: Tokens, vocabulary_size: int, order: int, check: Check = no_check) -> tuple[Level, ...]:
    """Count the n-grams of lengths 1 … `order` of `<start>` followed by `tokens`.

    Costs one sort of N integers per length. Keeps at most 16 bytes per token and length (8 for the key, 4 for
    each of the two counts); while it runs, about 65 more per token, whatever the order.

    Args:
        tokens: shape (N,), symbols in [1, V).
        vocabulary_size: V.
        order: the greatest length.
        check: called once per length; it may raise to stop.
    """
    assert len(tokens) <= MOST_TOKENS, "counts are kept in 32 bits"
    assert vocabulary_size <= LARGEST_VOCABULARY, "id * V + w must fit into 64 bits"
    text = np.empty(len(tokens) + 1, dtype=np.int64)
    text[0] = START
    text[1:] = tokens
    ids = text  # ids[i] is the id of the n-gram that begins at position i
    keys = np.arange(vocabulary_size, dtype=np.int64)
    raw = np.bincount(text[1:], minlength=vocabulary_size).astype(np.uint32)
    levels = []
    for length in range(2, order + 1):
        check()
        ranking = _rank(ids[:-1] * vocabulary_size + text[length - 1 :])
        # Each distinct longer n-gram is one distinct left neighbour of the n-gram without its first symbol.
        continuations = np.bincount(ids[1:][ranking.examples], minlength=len(keys)).astype(np.uint32)
        if len(ids):  # else the text is shorter than this
            continuations[ids[0]] = raw[ids[0]]
        levels.append(Level(keys, Tally.of(raw), Tally.of(continuations)))
        keys, raw, ids = ranking.keys, ranking.counts, ranking.ranks
    levels.append(Level(keys, Tally.of(raw), None))
    return tuple(levels)
