"""The words of a text: of the symbols of a split, those that word vectors are learned for.

Shapes: N words of a split, V vocabulary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from charrnn.corpus.tokens import Split
from charrnn.text.vocabulary import Vocabulary

_WORD = re.compile(r"\w")


@dataclass(frozen=True, eq=False)
class Words:
    """What is learned of a split.

    Attributes:
        ids_N: the words, as ids of the vocabulary.
        documents: how many words stand in front of each document, ascending.
    """

    ids_N: np.ndarray
    documents: np.ndarray

    def known(self, counts_V: np.ndarray) -> Words:
        """Those that have a count."""
        return self.where(counts_V[self.ids_N] > 0)

    def where(self, kept_N: np.ndarray) -> Words:
        """Those that the mask has; what is left moves together."""
        before = np.concatenate([[0], np.cumsum(kept_N)])
        return Words(self.ids_N[kept_N], before[self.documents])


def words_of(split: Split, vocabulary: Vocabulary) -> Words:
    """The words of a split; of units other than `word`, all its symbols.

    A word is a symbol of letters, digits and underscores that stands alone: where two such symbols touch, they spell
    a rare word, or a run too long for one. Bytes spell too.
    """
    every = Words(np.asarray(split.tokens), split.documents)
    if vocabulary.unit != "word":
        return every
    letters_V = np.array([False, *[True] * len(vocabulary.byte_values), *map(_is_word, vocabulary.symbols)])
    byte_V = np.arange(vocabulary.size) <= len(vocabulary.byte_values)
    letters_N = letters_V[every.ids_N]
    alone_N = letters_N & ~byte_V[every.ids_N]
    alone_N[1:] &= ~letters_N[:-1]
    alone_N[:-1] &= ~letters_N[1:]
    return every.where(alone_N)


def _is_word(symbol: str) -> bool:
    return _WORD.match(symbol) is not None
