"""The embedding of a trained model, opened for a look at it: torch-free, from a checkpoint alone.

Shapes: V symbols, D factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import numpy as np

from charrnn.checkpoint.layout import DOCUMENT
from charrnn.config.schema import Corpus, VectorsConfig
from charrnn.corpus.tokens import TokenCorpus
from charrnn.corpus.words import words_of
from charrnn.errors import CheckpointError, UsageError
from charrnn.runs.folder import find_checkpoint
from charrnn.runs.use import config_of
from charrnn.text.labels import label as _named
from charrnn.text.normal import normalised_text
from charrnn.text.vocabulary import Vocabulary

_TABLE, _VOCABULARY = "input.table", "vocabulary"


@dataclass(frozen=True)
class Embedding:
    """A table of vectors, each with a name.

    Attributes:
        folder: the checkpoint.
        label: how to call it in a message.
        names: what each row stands for, on one line and without spaces: `a`, `\\n`, `<space>`, `king`.
        table_VD: the rows; one of zeros was never trained.
        corpus: the form of the texts whose symbols these are; None where they are of no text.
        corpus_digest: what was learned from.
        words_only: whether only the words of the text were learned (`corpus/words.py`).
    """

    folder: Path
    label: str
    names: list[str]
    table_VD: np.ndarray
    corpus: Corpus | None
    corpus_digest: str
    words_only: bool

    @cached_property
    def used(self) -> np.ndarray:
        """The numbers of the rows that were trained; the `<start>` of texts is none of them."""
        trained_V: np.ndarray = np.any(self.table_VD, axis=1)
        trained_V[: 0 if self.corpus is None else 1] = False
        return np.flatnonzero(trained_V)

    @cached_property
    def unit_VD(self) -> np.ndarray:
        """The rows with the length 1; zeros stay."""
        length_V = np.linalg.norm(self.table_VD, axis=1)
        return self.table_VD / np.where(length_V > 0.0, length_V, 1.0)[:, None]

    def row(self, name: str) -> int:
        """The row of a name, or of a symbol, brought into the form of the corpus.

        Raises:
            UsageError: there is none, or it was never trained; near spellings are offered.
        """
        known = {self.names[row]: int(row) for row in self.used}
        formed = name if self.corpus is None else normalised_text(name, self.corpus)
        for spelling in (name, formed, _named(name), _named(formed)):
            if spelling in known:
                return known[spelling]
        near = get_close_matches(formed, known, n=3, cutoff=0.6)
        raise UsageError(
            f"the model has no vector for {name!r}",
            where=self.folder,
            why=f"it has {len(known)}, and this is none of them",
            hint=f"did you mean {' or '.join(near)}?" if near else "charrnn embeddings lists what there is",
        )

    def neighbours(self, row: int, count: int) -> list[tuple[int, float]]:
        """The `count` rows whose directions are nearest to that of `row`, and the cosines; the nearest first."""
        others = self.used[self.used != row]
        cosines = self.unit_VD[others] @ self.unit_VD[row]
        order = np.argsort(-cosines, kind="stable")[:count]
        return [(int(others[place]), float(cosines[place])) for place in order]


def most_frequent(embedding: Embedding, corpora: Path, most: int) -> np.ndarray:
    """At most so many rows that were trained: where there are more, those of the most frequent symbols of the training
    split, the most frequent first.

    Raises:
        UsageError: there are more, and the text that would tell is not there.
    """
    if len(embedding.used) <= most:
        return embedding.used
    folder = next(iter(sorted(corpora.glob(f"*-{embedding.corpus_digest[:8]}"))), None)
    if folder is None:
        raise UsageError(
            f"which {most} of the {len(embedding.used)} symbols are the most frequent is not known",
            where=corpora,
            why="the text that the model was trained on is not prepared here",
            hint=f"prepare it with charrnn prepare CONFIG, or take all of them with --top {len(embedding.used)}",
        )
    corpus = TokenCorpus.open(folder)
    split = corpus.split("train")
    read = words_of(split, corpus.vocabulary).ids_N if embedding.words_only else split.tokens
    counts_V = np.bincount(read, minlength=corpus.vocabulary.size)
    return embedding.used[np.argsort(-counts_V[embedding.used], kind="stable")[:most]]


def open_embedding(place: Path | None, runs: Path) -> Embedding:
    """The embedding of a run or of a checkpoint; None means the newest run.

    Raises:
        UsageError: there is no such run, or its model has no embedding.
        CheckpointError: the checkpoint is missing or damaged.
    """
    checkpoint, which = find_checkpoint(place, runs)
    config = config_of(checkpoint)
    tables = checkpoint.tensors("model")
    if _TABLE not in tables or _VOCABULARY + DOCUMENT not in checkpoint.files:
        raise UsageError("this model has no embedding", where=checkpoint.folder, why="its input is not looked up")
    vocabulary = Vocabulary.from_json(checkpoint.document(_VOCABULARY))
    table_VD = tables[_TABLE]
    if table_VD.shape[0] != vocabulary.size:
        raise CheckpointError(
            "the embedding does not fit the vocabulary",
            where=checkpoint.folder,
            why=f"{table_VD.shape[0]} rows for {vocabulary.size} symbols",
        )
    names = [vocabulary.symbol(id_) for id_ in range(vocabulary.size)]
    label = f"{checkpoint.folder} ({which})"
    corpus = config.corpus if isinstance(config.corpus, Corpus) else None
    digest, words_only = checkpoint.document("config")["corpus_digest"], isinstance(config, VectorsConfig)
    return Embedding(checkpoint.folder, label, names, table_VD, corpus, digest, words_only)
