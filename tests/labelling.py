"""A workplace for labelled corpora: write files, prepare, look at what came out."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from charrnn.config.schema.labelled import Folder, Images, Labelled, Table
from charrnn.corpus.labelled import LabelledCorpus, LabelledSplit, prepare_labelled
from charrnn.errors import CharRnnError

DATA = Path(os.environ.get("CHARRNN_DATA", Path(__file__).parents[1] / "../shared/data"))
ADAPTER: TypeAdapter[Table | Folder | Images] = TypeAdapter(Labelled)
ALL = [1, 0, 0]


class Workplace:
    """A folder in which files are written and prepared."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.corpora = folder / "corpora"

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def prepare(self, content: str | bytes | None = None, *, given: dict[str, Any] | None = None, **keys: Any) -> Any:
        if content is not None:
            self.write("items", content)
        settings = ADAPTER.validate_python({"source": "items", **keys})
        where = {"base": self.folder, "corpora": self.corpora} | (given or {})
        found = prepare_labelled(settings, **where)
        return found

    def corpus(self, content: str | bytes | None = None, **keys: Any) -> LabelledCorpus:
        found: LabelledCorpus = self.prepare(content, **keys).corpus
        return LabelledCorpus.open(found.folder, verify=True)

    def failure(self, content: str | bytes | None = None, **keys: Any) -> CharRnnError:
        """The error of a preparation that is refused, of which nothing may remain."""
        with pytest.raises(CharRnnError) as caught:
            self.prepare(content, **keys)
        assert not self.corpora.exists() or list(self.corpora.iterdir()) == []
        return caught.value

    def place(self, name: str) -> str:
        return str(self.folder / name)


def pairs(corpus: LabelledCorpus, name: str = "train") -> list[tuple[str | None, str | None]]:
    """Text and label of each item of a split."""
    split = corpus.split(name)
    labels = [None if number < 0 else corpus.labels[number] for number in split.labels.tolist()]
    return [(split.text(i), label) for i, label in enumerate(labels)]


def places(split: LabelledSplit) -> list[str]:
    return [split.place(i) for i in range(len(split))]


def idx(values: np.ndarray) -> bytes:
    """An array of unsigned bytes as an idx file."""
    return (
        bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.astype("u1").tobytes()
    )
