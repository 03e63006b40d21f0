"""The vectors of symbols: of a text's characters or words, or of those of labelled texts.

Shapes: V symbols, D factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import numpy as np

from charrnn.config.schema import Corpus
from charrnn.corpus.labelled_corpus import LabelledCorpus
from charrnn.corpus.tokens import TokenCorpus
from charrnn.corpus.words import words_of
from charrnn.errors import UsageError
from charrnn.runs.named_vectors import Chosen, NamedVectors
from charrnn.text.labels import label as _named
from charrnn.text.normal import normalised_text

_FREQUENT = "the most frequent first"


@dataclass(frozen=True)
class _SymbolVectors(NamedVectors):
    """What symbols have in common, whatever they are read from.

    Attributes:
        form: the form of the texts whose symbols these are.
    """

    form: Corpus

    @property
    def titles(self) -> None:
        """Symbols have no other names."""

    def row(self, name: str) -> int:
        """The row of a name, or of a symbol, brought into the form of the texts; see `NamedVectors.row`."""
        known = {self.names[row]: int(row) for row in self.used}
        formed = normalised_text(name, self.form)
        for spelling in (name, formed, _named(name), _named(formed)):
            if spelling in known:
                return known[spelling]
        near = get_close_matches(formed, known, n=3, cutoff=0.6)
        raise UsageError(
            f"the model has no vector for {name!r}",
            where=self.origin.folder,
            why=f"it has {len(known)}, and this is none of them",
            hint=f"did you mean {' or '.join(near)}?" if near else "charrnn embeddings lists what there is",
        )


@dataclass(frozen=True)
class TextVectors(_SymbolVectors):
    """Of a language model, or vectors of words; a row of zeros was never trained.

    Attributes:
        words_only: whether only the words of the text were learned (`corpus/words.py`).
    """

    words_only: bool

    @cached_property
    def used(self) -> np.ndarray:
        """See `NamedVectors.used`; the `<start>` of texts is none of them."""
        trained_V: np.ndarray = np.any(self.table_VD, axis=1)
        trained_V[:1] = False
        return np.flatnonzero(trained_V)

    def most_frequent(self, most: int) -> Chosen:
        """See `NamedVectors.most_frequent`; all of them need no text, which alone could tell their order."""
        folder = self.origin.data()
        if folder is None:
            if len(self.used) <= most:
                return Chosen(self.used, "in the order of the vocabulary")
            count = len(self.used)
            folder = self.origin.needed(
                f"which {most} of the {count} symbols are the most frequent",
                f", or take all of them with --top {count}",
            )
        corpus = TokenCorpus.open(folder)
        split = corpus.split("train")
        read = words_of(split, corpus.vocabulary).ids_N if self.words_only else split.tokens
        return Chosen(self.first(np.bincount(read, minlength=len(self.names)), most), _FREQUENT)


@dataclass(frozen=True)
class LabelledVectors(_SymbolVectors):
    """Of a classifier of texts. Its vocabulary has bytes that training never met: only the corpus tells which."""

    @cached_property
    def _counts_V(self) -> np.ndarray:
        corpus = LabelledCorpus.open(self.origin.needed("which symbols were trained"))
        return np.bincount(corpus.split("train").items, minlength=len(self.names))

    @property
    def used(self) -> np.ndarray:
        """See `NamedVectors.used`."""
        return np.flatnonzero(self._counts_V)

    def most_frequent(self, most: int) -> Chosen:
        """See `NamedVectors.most_frequent`."""
        return Chosen(self.first(self._counts_V, most), _FREQUENT)
