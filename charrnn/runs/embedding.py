"""The vectors of a trained model, opened for a look at them: torch-free."""

from __future__ import annotations

from pathlib import Path

from charrnn.checkpoint.layout import DOCUMENT
from charrnn.config.schema import ClassifyConfig, Corpus, RateConfig, VectorsConfig
from charrnn.config.schema.labelled import TextItems
from charrnn.errors import UsageError
from charrnn.runs.folder import find_checkpoint
from charrnn.runs.named_vectors import NamedVectors, Origin
from charrnn.runs.rated_vectors import Of, rated_vectors
from charrnn.runs.symbol_vectors import LabelledVectors, TextVectors
from charrnn.runs.use import config_of
from charrnn.text.vocabulary import Vocabulary

_TABLE, _VOCABULARY = "input.table", "vocabulary"


def open_embedding(place: Path | None, runs: Path, corpora: Path, of: Of | None = None) -> NamedVectors:
    """The vectors of a run or of a checkpoint; None means the newest run.

    Args:
        place: a run's folder, or a checkpoint's.
        runs: the folder of all runs.
        corpora: where prepared data lie.
        of: for a model of ratings, whose vectors: the items' unless it says otherwise.

    Raises:
        UsageError: there is no such run, or its model has no such vectors.
        CheckpointError: the checkpoint is missing or damaged.
    """
    checkpoint, which = find_checkpoint(place, runs)
    config = config_of(checkpoint)
    origin = Origin(checkpoint, f"{checkpoint.folder} ({which})", corpora)
    if isinstance(config, RateConfig):
        return rated_vectors(origin, config, of or "items")
    if of is not None:
        raise UsageError(f"--of {of} is for models of ratings only", why=f"the task of this run is `{config.task}`")
    tables = checkpoint.tensors("model")
    if _TABLE not in tables or _VOCABULARY + DOCUMENT not in checkpoint.files:
        raise UsageError("this model has no embedding", where=checkpoint.folder, why="its input is not looked up")
    vocabulary = Vocabulary.from_json(checkpoint.document(_VOCABULARY))
    names = [vocabulary.symbol(id_) for id_ in range(vocabulary.size)]
    if isinstance(config, ClassifyConfig):
        assert isinstance(config.corpus, TextItems), "pictures have no vocabulary"
        return LabelledVectors(origin, "symbol", names, tables[_TABLE], config.corpus.form)
    assert isinstance(config.corpus, Corpus)
    return TextVectors(origin, "symbol", names, tables[_TABLE], config.corpus, isinstance(config, VectorsConfig))
