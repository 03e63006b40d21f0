"""`pretrained`: the vectors of a file are what an embedding begins with, word by word.

A resumed run goes on from its own checkpoint. It needs the file no more, but refuses another one in its place.

Shapes: M symbols that the file has, D factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import flatten
from charrnn.config.schema import Config
from charrnn.contracts import Task
from charrnn.corpus.tokens import TokenCorpus
from charrnn.corpus.words import words_of
from charrnn.errors import ConfigError
from charrnn.files import digest
from charrnn.logs.console import Console
from charrnn.tasks.vectors import VectorsTask
from charrnn.text.blocks import read_errors
from charrnn.text.vectors_file import read_vectors

_KEYS = ("model.pretrained", "model.input.pretrained")


@dataclass(frozen=True)
class Pretrained:
    """What a file of vectors has for the symbols of a text.

    Attributes:
        path: the file.
        sha256: its digest.
        rows_M: the symbols that it has.
        table_MD: their vectors.
        missing: how many symbols it has not.
        unused: how many of its vectors are of other words.
        share: how many of the training split's symbols it has, each as often as it is there.
        frozen: whether the table stays as it begins.
    """

    path: Path
    sha256: str
    rows_M: np.ndarray
    table_MD: np.ndarray
    missing: int
    unused: int
    share: float
    frozen: bool

    def give(self, model: nn.Module) -> None:
        """Put the vectors into the table of a fresh model."""
        table = model.input.table
        with torch.no_grad():
            table[torch.from_numpy(self.rows_M)] = torch.from_numpy(self.table_MD).to(table)

    def say(self, console: Console) -> None:
        """Tell how much of the text the file covers."""
        matched, known = len(self.rows_M), len(self.rows_M) + self.missing
        console.note(
            f"vectors from {self.path}: {matched} of {known} symbols matched ({100.0 * matched / known:.1f} %; "
            f"{100.0 * self.share:.1f} % of the training text), {self.missing} missing, {self.unused} unused"
        )
        if self.frozen and self.missing:
            console.note(f"the table is frozen, so the vectors of the {self.missing} missing symbols stay random")

    def document(self) -> dict[str, Any]:
        """Where the vectors come from, for the checkpoints of the run that they begin."""
        counts = {"matched": len(self.rows_M), "missing": self.missing, "unused": self.unused}
        return {"file": str(self.path), "sha256": self.sha256, **counts}


def pretrained_of(task: Task) -> Pretrained | None:
    """The vectors that the config of a task asks for; None where an embedding begins fresh.

    Raises:
        ConfigError: they have another size than the embedding.
        DataError: the file cannot be read, or is no file of vectors.
    """
    asked, corpus = _asked(task.config), task.corpus
    if asked is None or not isinstance(corpus, TokenCorpus):
        return None
    key, path, size, frozen = asked
    split, vocabulary = corpus.split("train"), corpus.vocabulary
    read = words_of(split, vocabulary).ids_N if isinstance(task, VectorsTask) else split.tokens
    counts_V = np.bincount(read, minlength=vocabulary.size)
    learned = counts_V > 0 if isinstance(task, VectorsTask) else np.arange(vocabulary.size) > 0
    ids = {vocabulary.symbol(int(id_)): int(id_) for id_ in np.flatnonzero(learned)}
    with read_errors(path):
        sha256 = digest.of_file(path)
    found = read_vectors(path, ids)
    if found.table_MD.shape[1] != size:
        raise ConfigError(
            f"{key}: the vectors have {found.table_MD.shape[1]} factors, and the embedding {size}",
            where=path,
            hint=f"set {key.removesuffix('pretrained')}size to {found.table_MD.shape[1]}, or take another file",
        )
    rows_M = np.array([ids[word] for word in found.words], np.int64)
    share = float(counts_V[rows_M].sum() / counts_V.sum())
    return Pretrained(path, sha256, rows_M, found.table_MD, len(ids) - len(rows_M), found.unused, share, frozen)


def beginning(checkpoint: Checkpoint | None, pretrained: Pretrained | None) -> dict[str, Any]:
    """Where the first vectors of a run came from, for its checkpoints; nothing where they were fresh.

    Args:
        checkpoint: the run's own, where it goes on.
        pretrained: what it begins with, where it begins.
    """
    if checkpoint is None:
        return {} if pretrained is None else {"pretrained": pretrained.document()}
    former = checkpoint.document("config")
    return {"pretrained": former["pretrained"]} if "pretrained" in former else {}


def check_pretrained(checkpoint: Checkpoint, config: Config) -> None:
    """Hold the file of vectors that a config names against the one that the run began with, where it still is.

    Raises:
        ConfigError: it is another one; or only one of the two has any.
    """
    former, asked = checkpoint.document("config").get("pretrained"), _asked(config)
    if former is None and asked is None:
        return
    path = None if asked is None else asked[1]
    if former is not None and path is not None:
        with read_errors(path):
            if not path.exists() or digest.of_file(path) == former["sha256"]:
                return
    raise ConfigError(
        "the embedding did not begin with these vectors",
        where=checkpoint.folder,
        why=f"in the run: {_told(former)}; now: {path or 'fresh vectors'}",
        hint="name the former file, or start anew with --out DIR or --force",
    )


def _told(former: dict[str, Any] | None) -> str:
    return "fresh vectors" if former is None else f"{former['file']}, sha256 {former['sha256'][:16]}…"


def _asked(config: Config) -> tuple[str, Path, int, bool] | None:
    """The key that names a file, the file, the size of the embedding, and whether it is frozen."""
    values = flatten(config)
    for key in _KEYS:
        if values.get(key) is not None:
            section = key.removesuffix("pretrained")
            return key, Path(values[key]), values[section + "size"], values.get(section + "frozen", False)
    return None
