"""The real data sets, where they lie at hand: their known sizes, and that nothing of them leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelling import ADAPTER, DATA, pairs

from charrnn.corpus.labelled import LabelledCorpus, prepare_labelled

SMS = {"source": "sms-spam/SMSSpamCollection", "header": False, "label": 1, "text": 2, "quoting": "none"}
NAMES = {"kind": "folder", "source": "names-by-language"}
REVIEWS = {"kind": "folder", "source": "rt-polarity/rt-polarity.*", "label_from": "suffix"}
MNIST = {
    "kind": "images",
    "source": "mnist/train-images-idx3-ubyte.gz",
    "labels": "mnist/train-labels-idx1-ubyte.gz",
    "test_source": "mnist/t10k-images-idx3-ubyte.gz",
    "test_labels": "mnist/t10k-labels-idx1-ubyte.gz",
}


def prepared(corpora: Path, keys: dict[str, Any]) -> LabelledCorpus:
    if not (DATA / keys["source"].split("/")[0]).exists():
        pytest.skip(f"the real data are not at hand: {DATA / keys['source']} (set CHARRNN_DATA)")
    return prepare_labelled(ADAPTER.validate_python(keys), base=DATA, corpora=corpora).corpus


def texts(corpus: LabelledCorpus) -> list[set[str | None]]:
    return [{text for text, _ in pairs(corpus, name)} for name in ("train", "valid", "test")]


def test_messages(tmp_path: Path) -> None:
    corpus = prepared(tmp_path, SMS | {"split": ["rest", 500, 700]})
    lines = (DATA / "sms-spam/SMSSpamCollection").read_text().replace("\r\n", "\n").split("\n")[:-1]
    assert (corpus.manifest.counts.rows, corpus.manifest.counts.distinct) == (5574, 5574 - 403)
    assert corpus.labels == ("ham", "spam")
    train, valid, test = texts(corpus)
    assert [len(part) for part in (train, valid, test)] == [3971, 500, 700]
    assert train.isdisjoint(valid | test)
    assert valid.isdisjoint(test)
    for name in ("train", "valid", "test"):
        split = corpus.split(name)
        for i, (text, label) in enumerate(pairs(corpus, name)):
            assert lines[int(split.place(i).rpartition(":")[2]) - 1] == f"{label}\t{text}"


def test_names(tmp_path: Path) -> None:
    corpus = prepared(tmp_path, NAMES)
    counts = corpus.manifest.counts
    assert (len(corpus.labels), counts.rows, counts.distinct, counts.ambiguous) == (18, 20050, 17455, 465)
    train, valid, test = texts(corpus)
    assert len(train) + len(valid) + len(test) == 17455
    assert len(train | valid | test) == 17455
    assert 0.04 < len(valid) / 17455 < 0.06


def test_reviews(tmp_path: Path) -> None:
    corpus = prepared(tmp_path, REVIEWS | {"split": [1, 0, 0]})
    assert corpus.labels == ("neg", "pos")
    assert corpus.manifest.splits["train"].per_label == [5331, 5331]
    words = prepared(tmp_path, REVIEWS | {"unit": "word", "labelled": 100})
    assert words.manifest.splits["train"].per_label == [50, 50]
    assert words.split("unlabelled").truths.min() >= 0


@pytest.mark.slow
def test_pictures(tmp_path: Path) -> None:
    corpus = prepared(tmp_path, MNIST | {"labelled": 100, "split": ["rest", 10000]})
    assert [len(corpus.split(name)) for name in ("train", "unlabelled", "valid", "test")] == [100, 49900, 10000, 10000]
    assert corpus.manifest.splits["train"].per_label == [10] * 10
    assert (corpus.features, corpus.split("train").steps, corpus.highest) == (28, 28, 255)
    test = corpus.split("test")
    assert corpus.labels == tuple("0123456789")
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert corpus.manifest.counts.test_seen == 0
