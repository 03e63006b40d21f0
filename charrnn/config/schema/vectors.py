"""`task: vectors`: vectors of words, learned from the words around them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from charrnn.config.schema.base import Count, Section, default_kind
from charrnn.config.schema.corpus import Corpus


class WordCorpus(Corpus):
    """The text, as for a language model, but that its unit is the word. Of unit `word` only the words are learned:
    spaces and punctuation are passed over, and so is a word that `min_count` has spelled by its characters."""

    unit: Literal["char", "byte", "word"] = "word"
    """What has a vector: a word (a run of at most 64 letters, digits and underscores), a code point, or a byte."""


class Contexts(Section):
    """Passages of the text, in another order in every epoch, and in each of them the words around every word. A context
    ends with its passage and with its document (`corpus.documents`)."""

    length: Count = 1000
    """Words of a passage, before subsampling."""

    batch: Count = 4
    """Passages per update."""

    window: Count = 5
    """How many words to each side belong to the context of a word, at most."""

    dynamic: bool = True
    """Draw the reach of every context anew from 1 … `window`, so that near words weigh more (Mikolov, Chen, Corrado,
    Dean 2013); `false` always reaches as far as `window`."""

    subsample: Annotated[float, Field(gt=0.0, lt=1.0)] | None = 1e-3
    """Frequent words are passed over by chance, before contexts are formed: of a word whose share of the text is f, a
    share of √(t/f) + t/f stays (Mikolov, Sutskever et al. 2013, as in their program), t being this threshold. `null`
    keeps all."""


class _Vectors(Section):
    size: Count = 100
    """Factors per word."""

    negatives: Annotated[float, Field(gt=0.0)] = 5.0
    """k: how much noise weighs beside each true word; the vectors approach the pointwise mutual information less log k
    (Levy and Goldberg 2014)."""

    noise: Count = 128
    """How many noise words are drawn for an update. All pairs of the update share them, each weighing
    `negatives` / `noise`: the same loss on average as noise drawn for every pair, by products of matrices."""

    power: Annotated[float, Field(ge=0.0, le=1.0)] = 0.75
    """Noise words are drawn by their count to this power (Mikolov, Sutskever et al. 2013)."""

    pretrained: Annotated[str, Field(min_length=1)] | None = None
    """A file of vectors, word2vec's text or GloVe's, plain or .gz, that the vectors of its words begin with. Relative
    to the config's folder. `null` begins with fresh ones."""


class SkipGram(_Vectors):
    """A word predicts each word of its context (Mikolov, Sutskever et al. 2013)."""

    kind: Literal["skip-gram"] = "skip-gram"


class Cbow(_Vectors):
    """The mean of the context predicts the word (Mikolov, Chen, Corrado, Dean 2013)."""

    kind: Literal["cbow"]


WordModel = Annotated[SkipGram | Cbow, Field(discriminator="kind"), default_kind("skip-gram")]
