"""A run on a corpus in parts is the run on the same corpus in one file, and goes on with either."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab import Lab

from charrnn.corpus.tokens import TokenCorpus

PARTS = "corpus.part_bytes=100"


@pytest.mark.parametrize("stream", ["{lanes: 4, chunk: 10}", "{kind: windows, length: 20, batch: 8, shuffle: true}"])
def test_the_run_is_the_same(lab: Lab, stream: str) -> None:
    given = f"stream={stream}", "model.input.batchnorm=false"
    lab.train("one", "new", None, *given)
    whole = corpus_below(lab.path)
    assert whole.manifest.part_bytes is None
    shutil.rmtree(lab.path / "corpora")
    lab.train("parts", "new", None, *given, PARTS)
    assert corpus_below(lab.path).manifest.part_bytes == 100
    assert corpus_below(lab.path).digest == whole.digest
    assert lab.records("parts") == lab.records("one")
    assert lab.records("parts", "samples.jsonl") == lab.records("one", "samples.jsonl")


def test_a_run_goes_on_when_its_corpus_has_other_parts(lab: Lab) -> None:
    lab.train("unbroken")
    lab.stopped("run", 40)
    shutil.rmtree(lab.path / "corpora")
    lab.train("run", "resume", None, PARTS)
    assert corpus_below(lab.path).manifest.part_bytes == 100
    assert lab.records("run") == lab.records("unbroken")


def corpus_below(path: Path) -> TokenCorpus:
    (folder,) = (path / "corpora").iterdir()
    return TokenCorpus.open(folder)
