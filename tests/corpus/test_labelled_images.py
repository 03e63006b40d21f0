"""Pictures in idx files, and the digits that scikit-learn carries."""

from __future__ import annotations

import builtins
import gzip
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelling import ALL, Workplace, idx, places

from charrnn.corpus.labelled import LabelledCorpus
from charrnn.errors import DataError, MissingExtraError
from charrnn.text import blocks, builtin

IMAGES = {"kind": "images", "source": "x", "labels": "y"}
PIXELS = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3)
LABELS = np.array([7, 2, 7, 11, 2], np.uint8)


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    work = Workplace(tmp_path)
    work.write("x", idx(PIXELS))
    work.write("y", gzip.compress(idx(LABELS)))
    return work


def test_rows_and_pixels(work: Workplace) -> None:
    for read, features, steps in (("rows", 3, 2), ("pixels", 1, 6)):
        corpus = work.corpus(**IMAGES, read=read, split=ALL)
        split = corpus.split("train")
        assert (corpus.vocabulary, corpus.features, corpus.highest) == (None, features, 255)
        assert corpus.labels == ("2", "7", "11")
        assert [corpus.labels[number] for number in split.labels.tolist()] == ["7", "2", "7", "11", "2"]
        assert (split.steps, split.lengths.tolist()) == (steps, [steps] * 5)
        assert split.items.dtype == np.uint8
        assert split.item(3).shape == (steps, features)
        assert [split.item(i).reshape(2, 3).tolist() for i in range(5)] == PIXELS.tolist()
        assert split.text(0) is None
        assert places(split) == [f"x:{number}" for number in range(1, 6)]


def test_a_picture_is_made_of_whole_rows(work: Workplace) -> None:
    corpus = work.corpus(**IMAGES, read="rows", split=ALL)
    offsets = np.fromfile(corpus.folder / "offsets.bin", "<u8")
    offsets[1] += 1
    (corpus.folder / "offsets.bin").write_bytes(offsets.tobytes())
    with pytest.raises(DataError, match="damaged") as caught:
        LabelledCorpus.open(corpus.folder).split("train")
    assert caught.value.why == "an item is not made of steps of 3 values"


def test_a_test_set_and_pictures_without_labels(work: Workplace) -> None:
    work.write("tx", gzip.compress(idx(PIXELS[3:] + 1)))
    work.write("ty", idx(LABELS[3:]))
    work.write("more", idx(PIXELS[:2] + 100))
    given: dict[str, Any] = {"test_source": "tx", "test_labels": "ty", "unlabelled_source": "more", "split": [1, 0]}
    corpus = work.corpus(**IMAGES, **given)
    assert [corpus.labels[number] for number in corpus.split("test").labels.tolist()] == ["11", "2"]
    assert corpus.split("test").items.tolist() == (PIXELS[3:] + 1).ravel().tolist()
    assert corpus.split("unlabelled").items.tolist() == (PIXELS[:2] + 100).ravel().tolist()
    assert [source.role for source in corpus.manifest.sources] == [
        "items",
        "labels",
        "test",
        "test labels",
        "unlabelled",
    ]
    assert places(corpus.split("test")) == ["tx:1", "tx:2"]


def test_an_item_may_end_anywhere_in_a_block(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in range(1, 20):
        monkeypatch.setattr(blocks, "BLOCK", block)
        corpus = work.corpus(**IMAGES, split=ALL, seed=block)
        assert corpus.split("train").items.tolist() == PIXELS.ravel().tolist()


def named_set(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four small files in the place of MNIST's."""
    files = {"train-images": X, "train-labels": Y, "test-images": idx(PIXELS[:3] + 9), "test-labels": idx(LABELS[:3])}
    for name, data in files.items():
        source = f"named:mnist/{name}"
        known = replace(builtin.KNOWN[source], content=hashlib.sha256(data).hexdigest())
        monkeypatch.setitem(builtin.KNOWN, source, known)
        work.write(known.places[0], gzip.compress(data))
    monkeypatch.setenv("CHARRNN_DATA", str(work.folder))


def test_a_named_set_brings_its_labels_and_its_test_set(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    named_set(work, monkeypatch)
    work.write("more", idx(PIXELS[:2] + 100))
    corpus = work.corpus(kind="images", source="named:mnist", split=[1, 0], unlabelled_source="more")
    assert corpus.split("train").items.tolist() == PIXELS.ravel().tolist()
    assert corpus.split("test").items.tolist() == (PIXELS[:3] + 9).ravel().tolist()
    assert corpus.split("unlabelled").items.tolist() == (PIXELS[:2] + 100).ravel().tolist()
    assert [corpus.labels[number] for number in corpus.split("test").labels.tolist()] == ["7", "2", "7"]
    assert places(corpus.split("test"))[0] == "named:mnist/test-images:1"


def test_a_named_set_is_the_same_however_it_is_packed(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    named_set(work, monkeypatch)
    keys: dict[str, Any] = {"kind": "images", "source": "named:mnist", "split": [1, 0]}
    digest = work.corpus(**keys).digest
    work.write("mnist/train-images-idx3-ubyte.gz", gzip.compress(X, 1, mtime=5))
    assert not work.prepare(**keys).fresh
    assert work.corpus(**keys).digest == digest


def test_the_digits_of_scikit_learn_take_further_files(work: Workplace) -> None:
    pytest.importorskip("sklearn")
    work.write("more", idx(np.zeros((2, 8, 8), np.uint8)))
    corpus = work.corpus(kind="images", source="builtin:digits", split=ALL, unlabelled_source="more")
    assert (len(corpus.split("train")), len(corpus.split("unlabelled"))) == (1797, 2)


X, Y = idx(PIXELS), idx(LABELS)


@pytest.mark.parametrize(
    ("files", "what", "why"),
    [
        ({"x": X[:-1]}, "the idx file is cut short", "it holds 29 values, its header says 30"),
        ({"y": Y[:-1]}, "the idx file is cut short", "it holds 4 values, its header says 5"),
        ({"x": X[:10]}, "the idx file is cut short", "its header has 10 bytes of 16"),
        ({"x": X + b"x"}, "the idx file holds more than its header says", None),
        ({"y": Y + b"x"}, "the idx file holds more than its header says", None),
        ({"x": b""}, "this is not an idx file of pictures", "it begins with nothing, and such a file with 00 00 08 03"),
        (
            {"x": Y},
            "this is not an idx file of pictures",
            "it begins with 00 00 08 01, and such a file with 00 00 08 03",
        ),
        ({"y": X}, "this is not an idx file of labels", "it begins with 00 00 08 03, and such a file with 00 00 08 01"),
        ({"x": X[:2] + b"\x0d" + X[3:]}, "this is not an idx file of pictures", "it begins with 00 00 0d 03, and"),
        ({"y": idx(LABELS[:4])}, "pictures and labels do not belong together", "there are 5 pictures and 4 labels"),
        ({"x": idx(PIXELS[:0])}, "the idx file is empty or impossibly large", "its sizes are (0, 2, 3)"),
        (
            {"x": X[:4] + b"\xff" * 12 + X[16:]},
            "the idx file is empty or impossibly large",
            "its sizes are (4294967295",
        ),
        ({"x": gzip.compress(X)[:-9]}, "the gzip file is damaged", "Compressed file ended"),
        ({"y": idx(LABELS * 0)}, "there is nothing to learn: all items have the same label", "it is '0'"),
    ],
)
def test_files_that_are_refused(work: Workplace, files: dict[str, bytes], what: str, why: str | None) -> None:
    for name, content in files.items():
        work.write(name, content)
    error = work.failure(**IMAGES, split=ALL)
    assert (error.what, error.exit_code) == (what, 3)
    assert str(error.why).startswith(str(why))
    named = [work.place(name) for name in (("x", "y") if "together" in what else files)]
    assert str(error.where) == ("x" if "nothing to learn" in what else "\n".join(named))


def test_labels_are_read_to_their_end(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", len(Y))
    work.write("y", Y + b"x")
    assert work.failure(**IMAGES, split=ALL).what == "the idx file holds more than its header says"


def test_pictures_of_another_size(work: Workplace) -> None:
    work.write("more", idx(PIXELS.reshape(5, 3, 2)))
    error = work.failure(**IMAGES, unlabelled_source="more", split=ALL)
    assert error.what == "the pictures are of another size than those of corpus.source"
    assert (error.where, error.why) == (work.place("more"), "(3, 2) here, (2, 3) there")


def test_one_file_and_no_folder(work: Workplace) -> None:
    work.write("many/a", X)
    work.write("many/b", X)
    error = work.failure(kind="images", source="many", labels="y")
    assert (error.what, error.why) == ("corpus.source must be a single idx file", "these are 2 files")
    error = work.failure(kind="images", source="x", labels="z")
    assert (error.what, error.where, error.hint) == ("there is no such source", work.place("z"), "check corpus.labels")


@pytest.mark.slow
def test_digits(work: Workplace) -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="the extra `labels` is not installed")
    corpus: LabelledCorpus = work.corpus(kind="images", source="builtin:digits", split=ALL)
    split = corpus.split("train")
    bunch = datasets.load_digits()
    assert (corpus.labels, corpus.features, corpus.highest) == (tuple("0123456789"), 8, 16)
    assert (len(split), split.steps) == (1797, 8)
    assert split.items.tolist() == bunch.images.ravel().tolist()
    assert split.labels.tolist() == bunch.target.tolist()
    assert split.place(0) == "builtin:digits:1"
    assert corpus.folder.name.startswith("digits-")


def test_digits_without_their_package(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **keys: Any) -> Any:
        if name.startswith("sklearn"):
            raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
        return real(name, *args, **keys)

    monkeypatch.setattr(builtins, "__import__", without)
    error = work.failure(kind="images", source="builtin:digits")
    assert isinstance(error, MissingExtraError)
    assert error.hint == "pip install 'charrnn[labels]'"
