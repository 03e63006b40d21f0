"""Labels for items of a labelled corpus, from a file and back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelling import Workplace, idx

from charrnn.corpus.given_labels import GivenLabels, item_digest, read_labels, write_labels
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.errors import DataError

LABELS = ("a,b", 'the "other"', "l\nf", "ü")
TABLE = "".join(f'"{LABELS[i % 4].replace(chr(34), chr(34) * 2)}","text {i} ""so"",\t{"x" * i}"\n' for i in range(120))
HEADER = "item,digest,kept,label,confidence,p:x,p:y\n"


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> LabelledCorpus:
    work = Workplace(tmp_path_factory.mktemp("given"))
    return work.corpus("label,text\n" + TABLE, split=[0.6, 0.2, 0.2], labelled=8)


def same(one: GivenLabels, two: GivenLabels) -> None:
    assert one.parts == two.parts
    for name in ("part_N", "number_N", "label_N", "confidence_N", "kept_N"):
        left, right = getattr(one, name), getattr(two, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right, err_msg=name)
    assert (one.p_NC is None) == (two.p_NC is None)
    if one.p_NC is not None and two.p_NC is not None:
        assert one.p_NC.dtype == two.p_NC.dtype
        np.testing.assert_array_equal(one.p_NC, two.p_NC)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), soft=st.booleans())
def test_labels_come_back_in_the_order_of_the_corpus(
    corpus: LabelledCorpus, tmp_path: Path, data: st.DataObject, soft: bool
) -> None:
    there = [(part, n) for part in ("train", "unlabelled", "test") for n in range(len(corpus.split(part)))]
    chosen = data.draw(st.lists(st.sampled_from(there), unique=True, max_size=30))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    parts = tuple(part for part in ("train", "unlabelled", "test") if part in dict(chosen))

    def with_rows(rows: list[int], p_NC: np.ndarray, confidence_N: np.ndarray, label_N: np.ndarray) -> GivenLabels:
        return GivenLabels(
            parts,
            np.array([parts.index(chosen[row][0]) for row in rows], np.uint8),
            np.array([chosen[row][1] for row in rows], np.int64),
            label_N[rows].astype(np.int32),
            confidence_N[rows].astype(np.float32),
            label_N[rows] % 2 == 0,
            p_NC[rows].astype(np.float32) if soft else None,
        )

    count = len(chosen)
    drawn = random.dirichlet(np.full(4, 0.1), count), random.random(count), random.integers(0, 4, count)
    write_labels(tmp_path / "labels.csv", corpus, with_rows(list(range(count)), *drawn))
    same(
        read_labels(tmp_path / "labels.csv", corpus),
        with_rows(sorted(range(count), key=lambda i: there.index(chosen[i])), *drawn),
    )


def test_a_person_can_read_the_file(work: Workplace) -> None:
    corpus = work.corpus('label,text\nham,"one\ntwo\x1b[31m"\nspam,' + "s" * 130 + "\n", split=[1, 0, 0])
    given_ = GivenLabels(
        ("train",), np.zeros(2, np.uint8), np.array([1, 0]), np.array([1, 0], np.int32),
        np.array([0.9871, 1.0], np.float32), np.array([True, False]),
        np.array([[0.0129, 0.9871], [1.0, 0.0]], np.float32),
    )  # fmt: skip
    write_labels(work.folder / "labels.csv", corpus, given_)
    split = corpus.split("train")
    assert (work.folder / "labels.csv").read_text(encoding="utf-8").split("\n") == [
        "item,digest,kept,label,confidence,p:ham,p:spam,text",
        rf"train:0,{item_digest(split, 0)},0,ham,1.0,1.0,0.0,one\ntwo\x1b[31m",
        f"train:1,{item_digest(split, 1)},1,spam,0.9871,0.0129,0.9871,{'s' * 119}…",
        "",
    ]


def test_pictures_have_no_text(work: Workplace) -> None:
    random = np.random.default_rng(0)
    work.write("labels", idx(np.arange(6) % 2))
    corpus = work.corpus(idx(random.integers(0, 99, (6, 2, 2))), kind="images", labels="labels", split=[1, 0, 0])
    nothing = np.zeros(0, np.int32)
    write_labels(
        work.folder / "out.csv",
        corpus,
        GivenLabels(("train",), nothing.astype(np.uint8), nothing.astype(np.int64), nothing, nothing.astype(np.float32),
                    nothing.astype(np.bool_), None),
    )  # fmt: skip
    assert (work.folder / "out.csv").read_text() == "item,digest,kept,label,confidence\n"
    assert len(read_labels(work.folder / "out.csv", corpus)) == 0


SMALL = "label,text\n" + "".join(f"{'xy'[i % 2]},item {i}\n" for i in range(40))


def small(work: Workplace) -> LabelledCorpus:
    return work.corpus(SMALL, split=["rest", 5, 5], labelled=10)


def test_item_and_label_are_enough(work: Workplace) -> None:
    corpus = small(work)
    work.write("labels.csv", '\ufeffnote,label,item\r\n"by\nhand",y,unlabelled:3\r\n\r\n,x,unlabelled:0\r\n')
    given_ = read_labels(work.folder / "labels.csv", corpus)
    assert given_.parts == ("unlabelled",)
    assert given_.number_N.tolist() == [0, 3]
    assert given_.label_N.tolist() == [0, 1]
    assert given_.kept_N.tolist() == [True, True]
    assert given_.confidence_N.tolist() == [1.0, 1.0]
    assert given_.p_NC is None


def test_the_probability_of_the_label_is_the_confidence_where_none_is_told(work: Workplace) -> None:
    work.write("labels.csv", "item,label,p:y,p:x\nunlabelled:3,y,0.75,0.25\n")
    given_ = read_labels(work.folder / "labels.csv", small(work))
    assert given_.confidence_N.tolist() == [0.75]
    assert given_.p_NC is not None
    assert given_.p_NC.tolist() == [[0.25, 0.75]]


GOOD = "unlabelled:0,,1,x,0.9,0.9,0.1\n"
BAD: dict[str, tuple[str, int, str]] = {
    "nothing": ("", 0, "there are no labels"),
    "no column": ("item,lable\nunlabelled:0,x\n", 1, "no column 'label'"),
    "a column twice": ("item,label,label\nunlabelled:0,x,y\n", 1, "two columns are named 'label'"),
    "a column too many": ("item,label,p:x,p:y,p:z\n", 1, "a label that the corpus has not: 'z'"),
    "a column too few": ("item,label,p:x\n", 1, "not of every label: 'y'"),
    "a field too few": (HEADER + GOOD + "unlabelled:1,,1,x,0.9,1.0\n", 3, "6 fields, and the header 7"),
    "an open quote": (HEADER + GOOD + 'unlabelled:1,,1,"x,0.9,1.0\n', 3, "not one of a table"),
    "no item": (HEADER + "17,,1,x,0.9,0.9,0.1\n", 2, "'17' is no item"),
    "an unknown part": (HEADER + "more:17,,1,x,0.9,0.9,0.1\n", 2, "'more:17' is no item"),
    "an item beyond": (HEADER + "test:5,,1,x,0.9,0.9,0.1\n", 2, "there is no item test:5"),
    "a validation item": (HEADER + GOOD + "valid:0,,1,x,0.9,0.9,0.1\n", 3, "valid:0 is a validation item"),
    "another item": (HEADER + "unlabelled:0,00000000,1,x,0.9,0.9,0.1\n", 2, "not the item that this label is for"),
    "neither kept nor not": (HEADER + "unlabelled:0,,yes,x,0.9,0.9,0.1\n", 2, "`kept` is 1 or 0, not 'yes'"),
    "an unknown label": (HEADER + "unlabelled:0,,1,X,0.9,0.9,0.1\n", 2, "the corpus has no label 'X'"),
    "no confidence": (HEADER + "unlabelled:0,,1,x,high,0.9,0.1\n", 2, "a confidence is a number"),
    "a confidence beyond": (HEADER + "unlabelled:0,,1,x,1.5,0.9,0.1\n", 2, "a confidence is a number"),
    "NaN": (HEADER + "unlabelled:0,,1,x,0.9,nan,0.1\n", 2, "a probability is a number"),
    "below 0": (HEADER + "unlabelled:0,,1,x,0.9,1.1,-0.1\n", 2, "a probability is a number"),
    "not the whole": (HEADER + "unlabelled:0,,1,x,0.9,0.9,0.0985\n", 2, "the probabilities sum to 0.9985"),
    "an item twice": (
        HEADER + GOOD + "unlabelled:1,,1,x,0.9,0.9,0.1\n" + GOOD,
        4,
        "unlabelled:0 is given a second label",
    ),
    "after lines within quotes": ('note,item,label\n"a\nb",unlabelled:0,x\n,unlabelled:0,x\n', 4, "a second label"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_the_line(work: Workplace, name: str) -> None:
    content, line, what = BAD[name]
    work.write("labels.csv", content)
    with pytest.raises(DataError) as caught:
        read_labels(work.folder / "labels.csv", small(work))
    assert what in caught.value.what
    assert caught.value.where == work.place("labels.csv") + (f":{line}" if line else "")
    assert caught.value.hint


def test_bytes_that_are_no_text_and_a_file_that_is_not_there(work: Workplace) -> None:
    corpus = small(work)
    with pytest.raises(DataError, match="cannot read"):
        read_labels(work.folder / "labels.csv", corpus)
    work.write("labels.csv", b"\xef\xbb\xbfitem,label\nunlabelled:0,\xff\n")
    with pytest.raises(DataError, match="0xff is not UTF-8") as caught:
        read_labels(work.folder / "labels.csv", corpus)
    assert caught.value.where == work.place("labels.csv") + ":2"


def test_an_unknown_label_that_looks_like_one_is_guessed(work: Workplace) -> None:
    work.write("labels.csv", "item,label\nunlabelled:0,spma\n")
    corpus = work.corpus(SMALL.replace("x,", "ham,").replace("y,", "spam,"), split=["rest", 5, 5], labelled=10)
    with pytest.raises(DataError) as caught:
        read_labels(work.folder / "labels.csv", corpus)
    assert caught.value.hint == "did you mean 'spam'?"


def test_labels_of_another_corpus_are_refused(work: Workplace) -> None:
    corpus = small(work)
    given_ = GivenLabels(
        ("unlabelled",), np.zeros(1, np.uint8), np.array([2]), np.zeros(1, np.int32), np.ones(1, np.float32),
        np.ones(1, np.bool_), None,
    )  # fmt: skip
    write_labels(work.folder / "labels.csv", corpus, given_)
    same(read_labels(work.folder / "labels.csv", corpus), given_)
    with pytest.raises(DataError, match="not the item that this label is for") as caught:
        read_labels(work.folder / "labels.csv", work.corpus(SMALL, split=["rest", 5, 5], labelled=10, seed=2))
    assert caught.value.where == work.place("labels.csv") + ":2"


def test_no_torch_is_loaded() -> None:
    script = "import sys, charrnn.corpus.given_labels; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )
