"""A corpus of every kind, small; and all that reads a corpus or a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labelling import Workplace
from ratinglab import table

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import Ratings
from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.corpus.prepare import prepare
from charrnn.corpus.rating_tables import prepare_ratings
from charrnn.corpus.ratings import RatingsCorpus
from charrnn.corpus.tokens import TokenCorpus


def content(folder: Path) -> dict[str, bytes]:
    """All files of a checkpoint, verified."""
    opened = Checkpoint.open(folder)
    for name in opened.files:
        stem, _, suffix = name.partition(".")
        opened.tensors(stem) if suffix == "safetensors" else opened.document(stem)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tokens(work: Path) -> None:
    settings = Corpus.model_validate({"source": "text.txt", "documents": {"kind": "separator", "text": "\n\n"}})
    prepare(settings, base=work, corpora=work / "corpora", out=work / "out")


def labelled(work: Path) -> None:
    Workplace(work).prepare(source="rows.csv", labelled=9, given={"out": work / "out"})


def ratings(work: Path) -> None:
    settings = Ratings.model_validate({"source": "ratings.csv", "split": {"shares": [0.7, 0.2, 0.1], "seed": 3}})
    prepare_ratings(settings, base=work, corpora=work / "corpora", out=work / "out")


def sources(work: Path) -> None:
    """What the preparations read."""
    work.mkdir()
    (work / "text.txt").write_text("a text, and another one.\n\nMore of it.\n\n" * 30, encoding="utf-8")
    (work / "ratings.csv").write_text(table(), encoding="utf-8")
    rows = "".join(f"{'xy'[i % 2]},item {i}\n" for i in range(30))
    (work / "rows.csv").write_text("label,text\n" + rows, encoding="utf-8")


KINDS: dict[str, tuple[Callable[[Path], None], Any]] = {
    "tokens": (tokens, TokenCorpus), "labelled": (labelled, LabelledCorpus), "ratings": (ratings, RatingsCorpus),
}  # fmt: skip
"""What prepares `sources` into `out`, and the class that opens it."""


def read_corpus(opened: Any, folder: Path) -> None:
    """Read all that a corpus holds; raises what its readers raise."""
    corpus = opened.open(folder, verify=True)
    for name in corpus.manifest.splits:
        corpus.split(name)
