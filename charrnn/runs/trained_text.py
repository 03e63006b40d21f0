"""The text that a model was trained on, where it is still prepared: torch-free."""

from __future__ import annotations

from pathlib import Path

from charrnn.checkpoint.read import Checkpoint
from charrnn.corpus.ready import named_by
from charrnn.corpus.tokens import Split, TokenCorpus
from charrnn.errors import DataError
from charrnn.runs.use import OpenModel


def trained_text(model: OpenModel, corpora: Path) -> TokenCorpus:
    """The corpus that a model was trained on.

    Args:
        model: the model.
        corpora: where corpora lie.

    Raises:
        DataError: it is not there, or it is damaged.
    """
    digest = Checkpoint.open(model.folder).document("config")["corpus_digest"]
    folder = named_by(corpora, digest)
    config = model.folder.parent.parent / "config.yaml"
    prepare = f"charrnn prepare {config if config.is_file() else 'CONFIG'}"
    if folder is None:
        raise DataError(
            "the text that the model was trained on is not prepared here",
            where=corpora,
            why=f"no folder's name ends with -{digest[:8]}",
            hint=f"prepare it: {prepare}",
        )
    corpus = TokenCorpus.open(folder)
    if corpus.digest != digest or corpus.vocabulary.digest != model.vocabulary.digest:
        raise DataError(
            "the text that is prepared here is not the one that the model was trained on",
            where=folder,
            hint=f"move this folder away, and prepare the former text: {prepare}",
        )
    return corpus


def passage(corpus: TokenCorpus, split: str) -> Split:
    """A split of a corpus that has something in it.

    Raises:
        DataError: it is empty.
    """
    found = corpus.split(split)
    if not len(found.tokens):
        raise DataError(
            f"the {split} split is empty", where=corpus.folder, hint="train with a share for it in corpus.split"
        )
    return found
