"""What goes wrong with labelled data: one clear error that names its place, and nothing half-written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelling import ALL, Workplace

from charrnn.corpus.labelled import LabelledCorpus
from charrnn.errors import DataError

TABLE = "label,text\nham,hello there\nspam,buy now!\nham,hello you\n"
BARE = {"header": False, "label": 1, "text": 2}


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.mark.parametrize(
    ("content", "keys", "place", "what"),
    [
        ("", {}, "", "the file has no items"),
        ("\n\n", {}, "", "the file has no items"),
        ("label,text\n", {}, "", "the file has no items"),
        (TABLE, {"text": "txet"}, ":1", "there is no column 'txet' for corpus.text"),
        (TABLE, {"label": "class"}, ":1", "there is no column 'class' for corpus.label"),
        (TABLE, BARE | {"text": 3}, ":1", "there is no column 3 for corpus.text"),
        ("text,label,text\na,x,b\n", {}, ":1", "two columns are named 'text'"),
        (TABLE + "ham\n", {}, ":5", "the row has 1 fields, and the first one has 2"),
        (TABLE + "\nham,a,b\n", {}, ":6", "the row has 3 fields, and the first one has 2"),
        ("x\ta\ny\tb\nz\n", BARE | {"quoting": "none"}, ":3", "the row has 1 fields, and the first one has 2"),
        (TABLE + ",nobody\n", {}, ":5", "the label is empty"),
        (TABLE + 'ham,"never\nended\n', {}, ":5", "the quotes of this row are wrong"),
        (TABLE + 'ham,"a" b\n', {}, ":5", "the quotes of this row are wrong"),
        (TABLE.encode() + b"ham,caf\xe9!\n", {}, ":5:8", "wrong byte 0xE9: the text is not utf-8"),
        (TABLE.encode() + b"ham,a\0b\n", {}, ":5:6", "NUL character: this is not plain text"),
        (b"label,text\n\xff,a\nx,b\n", {"unit": "byte"}, ":2", "lone surrogate U+DCFF: it stands for no character"),
        ('{"text": "a", "label": "x"}\n{"text": "b"\n', {}, ":2:13", "the line is not JSON"),
        ('{"text": "a", "label": "x", "label": "y"}\n', {}, ":1", "two columns are named 'label'"),
        ('{"text": "a", "label": "x"}\n[1]\n', {}, ":2", "the line is not a JSON object but [1]"),
        (
            '{"text": "a", "label": "x"}\n{"txt": 1, "label": "x"}\n',
            {},
            ":2",
            "there is no column 'text' for corpus.text",
        ),
        ('{"text": "a", "label": "x"}\n{"text": 1, "label": "x"}\n', {}, ":2", "the text is not a string but 1"),
        ('{"text": "a", "label": null}\n', {}, ":1", "the label is empty"),
        ('{"text": "a", "label": 1.5}\n', {}, ":1", "the label is not a string or a whole number but 1.5"),
        ('{"text": "\\ud800", "label": 1}\n', {}, ":1", "lone surrogate U+D800: it stands for no character"),
        ("not json\n", {"format": "jsonl"}, ":1:1", "the line is not JSON"),
        (gzip.compress(TABLE.encode(), mtime=0)[:-9], {}, "", "the gzip file is damaged"),
    ],
)
def test_tables_that_are_refused(
    work: Workplace, content: str | bytes, keys: dict[str, Any], place: str, what: str
) -> None:
    error = work.failure(content, split=ALL, **keys)
    assert (error.what, error.where, error.exit_code) == (what, work.place("items") + place, 3)


def test_what_is_in_an_object_of_a_line_is_no_column(work: Workplace) -> None:
    inner = '{"text": "a", "label": "x", "more": {"b": 1, "b": 2}}\n{"text": "b", "label": "y"}\n'
    assert len(work.corpus(inner, split=ALL).split("train")) == 2


def test_what_is_wrong_with_a_column_is_said(work: Workplace) -> None:
    error = work.failure(TABLE, text="txet", label="class")
    assert (error.why, error.hint) == ("the columns are 'label', 'text'", "did you mean 'text'?")
    error = work.failure("a;b c;d\nx;y;z\n")
    assert error.why == "the columns are 'a', 'b c', 'd'"
    assert "corpus.header: false" in str(error.hint)
    assert work.failure('{"txt": "a", "class": "x"}\n', text="txt").hint == "set corpus.label", "JSON has no header"
    assert "set corpus.quoting: none" in str(work.failure(TABLE + 'ham,"a\n').hint)
    assert "quote the field that holds the delimiter" in str(work.failure(TABLE + "ham,a,b\n").hint)


def test_a_label_that_is_never_taught(work: Workplace) -> None:
    lines = "".join(f"item {i},{'xy'[i % 2]}\n" for i in range(100))
    work.write("test", "text,label\nitem 3,x\nnew,z\nnewer,z\n")
    error = work.failure("text,label\n" + lines, test_source="test")
    assert error.what == "the label 'z' occurs in the test split and never in training"
    assert error.where == work.place("test") + ":3"
    rare = [f"rare {i},{i}\n" for i in range(20)]
    error = work.failure("text,label\n" + "".join(rare), split=[0.5, 0.5, 0.0])
    assert "occurs in the valid split and never in training" in error.what


def test_settings_that_the_source_is_too_small_for(work: Workplace) -> None:
    assert work.failure(TABLE, split=["rest", 4, 0]).what == "corpus.split asks for more items than the source has"
    assert work.failure(TABLE, split=[0, "rest", 0]).what == "the training split is empty"
    assert work.failure(TABLE, split=ALL, labelled=4).what.startswith("corpus.labelled is 4, and training has 3")
    assert work.failure(TABLE, split=ALL, labelled=1).what == "a label would have no item to learn from"
    error = work.failure("label,text\nx,a\nx,b\n", split=ALL)
    assert (error.what, error.why) == ("there is nothing to learn: all items have the same label", "it is 'x'")
    error = work.failure("label,text\nx,a\ny,aa\n", split=ALL)
    assert error.what == "there is nothing to learn: the items repeat one symbol"


def test_folders_that_are_refused(work: Workplace) -> None:
    work.write("r/r.pos", "good\n")
    work.write("r/r.neg", "bad\n")
    error = work.failure(kind="folder", source="r")
    assert (error.what, error.where) == (
        "two files have the label 'r'",
        work.place("r/r.neg") + "\n" + work.place("r/r.pos"),
    )
    assert "corpus.label_from: suffix" in str(error.hint)
    work.write("r/bare", "x")
    error = work.failure(kind="folder", source="r", label_from="suffix")
    assert (error.what, error.where) == (
        "the name of this file has no suffix to be the label",
        work.place("r/bare"),
    )
    work.write("n/a.txt", "good\n")
    work.write("n/b.txt", "\n\n")
    error = work.failure(kind="folder", source="n")
    assert (error.what, error.where) == ("the label 'b' has no items", work.place("n/b.txt"))
    work.write("n/b.txt", b"one\ntw\xff\n")
    error = work.failure(kind="folder", source="n")
    assert (error.what, error.where) == ("wrong byte 0xFF: the text is not utf-8", work.place("n/b.txt") + ":2:3")


def test_sources_that_are_not_there(work: Workplace) -> None:
    work.write("items", TABLE)
    for key in ("source", "test_source", "unlabelled_source"):
        error = work.failure(**{key: "nowhere"})
        assert (error.what, error.hint) == ("there is no such source", f"check corpus.{key}")
    assert work.failure(sha256="0" * 64).what == "the source is not the file that corpus.sha256 says"


def test_a_source_that_changes_while_it_is_read(work: Workplace) -> None:
    count = iter(range(100))

    def check() -> None:
        if next(count) == 0:  # after it was looked at
            work.write("items", TABLE.replace("buy", "bye"))

    assert work.failure(TABLE, split=ALL, given={"check": check}).what == "the source was changed while it was read"


@pytest.fixture
def folder(work: Workplace) -> Path:
    """A corpus of five rows with hidden labels."""
    return work.corpus(TABLE + "spam,win\nham,hi\n", split=ALL, labelled=2).folder


def damage(folder: Path, *, verify: bool = False) -> DataError:
    with pytest.raises(DataError, match="damaged") as caught:
        LabelledCorpus.open(folder, verify=verify).split("train")
    return caught.value


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("items.bin", np.array([60000], "<u2"), "it has an id beyond the"),
        ("offsets.bin", np.array([1], "<u8"), "its numbers do not ascend from 0 to the"),
        ("offsets.bin", np.array([0, 9, 9], "<u8"), "its numbers do not ascend from 0 to the"),
        ("labels.bin", np.array([2], "<i4"), "it has a number outside of -1 to 1"),
        ("truths.bin", np.array([-2], "<i4"), "it has a number outside of -1 to 1"),
        ("places.bin", np.array([1], "<i8"), "it names a source that the manifest has not"),
        ("places.bin", np.array([-1], "<i8"), "it has a number outside of 0 to"),
    ],
)
def test_damaged_arrays_never_reach_a_model(folder: Path, name: str, values: np.ndarray, why: str) -> None:
    data, new = (folder / name).read_bytes(), values.tobytes()
    (folder / name).write_bytes(new + data[len(new) :])
    error = damage(folder)
    assert error.where == str(folder / name)
    assert str(error.why).startswith(why)
    assert damage(folder, verify=True).why == "its sha256 is not the one in the manifest"


@pytest.mark.parametrize("name", ["items.bin", "offsets.bin", "labels.bin", "truths.bin", "places.bin"])
def test_another_size(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b"x")
    assert "the manifest says" in str(damage(folder).why)
    (folder / name).unlink()
    assert damage(folder).why == "it is missing"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"files": {}}, "its files or its splits"),
        ({"splits": {}}, "its files or its splits"),
        ({"labels": ["ham"]}, "the splits do not follow each other, or are of other labels"),
        ({"features": 3}, "its features are not those of its kind"),
        ({"counts": {"rows": 6}}, "the size of offsets.bin"),
        ({"format": 2}, "format 2 of kind 'labelled'"),
        ({"kind": "tokens"}, "format 1 of kind 'tokens'; expected 1 of kind 'labelled'"),
        ({"digest": "x"}, "digest:"),
    ],
)
def test_a_manifest_that_is_wrong(folder: Path, changes: dict[str, Any], why: str) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for key, value in changes.items():
        manifest[key] = manifest[key] | value if key == "counts" else value
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError) as caught:
        LabelledCorpus.open(folder)
    assert why in str(caught.value.why)
    assert caught.value.where == str(path)


def test_the_vocabulary_is_always_verified(folder: Path) -> None:
    path = folder / "vocabulary.json"
    path.write_bytes(path.read_bytes().replace(b'"e"', b'"f"'))
    assert damage(folder).why == "its sha256 is not the one in the manifest"


def test_a_corpus_that_is_replaced_before_it_is_read(work: Workplace) -> None:
    out = work.folder / "here"
    corpus = work.prepare(TABLE, split=ALL, given={"out": out}).corpus
    work.prepare(TABLE, split=ALL, seed=2, given={"out": out})
    with pytest.raises(DataError, match="the corpus was replaced meanwhile"):
        corpus.split("train")
