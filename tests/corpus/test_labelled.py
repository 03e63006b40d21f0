"""From labelled sources to a corpus: what is in it, and when it is made."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelling import ALL, Workplace, pairs, places

from charrnn.corpus import labelled_corpus
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.errors import DataError, UsageError
from charrnn.text import blocks

TABLE = "label,text\nham,hello there\nspam,buy now!\nham,hello you\nspam,now or never\nham,hello there\n"
ROWS = [("hello there", "ham"), ("buy now!", "spam"), ("hello you", "ham"), ("now or never", "spam")]
ROWS.append(ROWS[0])


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.mark.parametrize("unit", ["char", "word", "byte"])
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_a_table_comes_back(work: Workplace, unit: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", block)
    corpus = work.corpus(TABLE, unit=unit, split=ALL)
    assert corpus.labels == ("ham", "spam")
    assert pairs(corpus) == ROWS
    assert places(corpus.split("train")) == [f"items:{line}" for line in range(2, 7)]
    assert [len(corpus.split(name)) for name in ("unlabelled", "valid", "test")] == [0, 0, 0]


FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "tabs": ("text\tlabel\n" + "".join(f"{a}\t{b}\n" for a, b in ROWS), {}),
    "semicolons": ("x;text;label\n" + "".join(f"1,5;{a};{b}\n" for a, b in ROWS), {}),
    "bars": ("text|label\n" + "".join(f"{a}|{b}\n" for a, b in ROWS), {"delimiter": "|"}),
    "numbers": ("".join(f"{b},{a}\n" for a, b in ROWS), {"header": False, "label": 1, "text": 2}),
    "a header and numbers": (TABLE, {"label": 1, "text": 2}),
    "no end": (TABLE.removesuffix("\n"), {}),
    "CRLF": (TABLE.replace("\n", "\r\n"), {}),
    "CRLF kept": (TABLE.replace("\n", "\r\n"), {"newlines": "keep"}),
    "CRLF and no quotes": (TABLE.replace("\n", "\r\n"), {"newlines": "keep", "quoting": "none"}),
    "CR": (TABLE.replace("\n", "\r"), {}),
    "a mark": ("\ufeff" + TABLE, {}),
    "quotes": ('"label","text"\n' + "".join(f'{b},"{a}"\n' for a, b in ROWS), {}),
    "objects": ("".join(json.dumps({"text": a, "n": 1, "label": b}) + "\n\n" for a, b in ROWS), {}),
    "empty lines": (TABLE.replace("\n", "\n\n"), {}),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_forms_of_tables(work: Workplace, name: str, packed: bool) -> None:
    content, keys = FORMS[name]
    data = gzip.compress(content.encode()) if packed else content.encode()
    assert pairs(work.corpus(data, split=ALL, **keys)) == ROWS


def test_quotes(work: Workplace) -> None:
    quoted = 'text,label\n"a, ""b""\nc",x\nd "e" f,y\n'
    corpus = work.corpus(quoted, split=ALL)
    assert pairs(corpus) == [('a, "b"\nc', "x"), ('d "e" f', "y")]
    assert places(corpus.split("train")) == ["items:2", "items:4"]
    assert pairs(work.corpus('x\t"a" b\ny\t"c\n', split=ALL, header=False, label=1, text=2, quoting="none")) == [
        ('"a" b', "x"),
        ('"c', "y"),
    ]


def test_a_long_field_and_a_mark_within_an_item(work: Workplace) -> None:
    long, limit = "ab " * 70_000, csv.field_size_limit()
    corpus = work.corpus(f'text,label\n"{long}",x\n\ufeffb,y\n', split=ALL)
    assert [text for text, _ in pairs(corpus)] == [long, "\ufeffb"]
    assert csv.field_size_limit() == limit, "a setting of the whole process"


def test_newlines_within_items(work: Workplace) -> None:
    content = 'text,label\r\n"a\r\nb\rc\nd",x\r\ne,y\r\n'
    assert pairs(work.corpus(content, split=ALL))[0] == ("a\nb\nc\nd", "x")
    assert pairs(work.corpus(content, split=ALL, newlines="keep"))[0] == ("a\r\nb\rc\nd", "x")
    objects = '{"text": "a\\r\\nb", "label": "x"}\n{"text": "c", "label": "y"}\n'
    assert pairs(work.corpus(objects, split=ALL))[0] == ("a\nb", "x")


def test_labels_in_objects_may_be_numbers_and_truth_values(work: Workplace) -> None:
    lines = [{"text": f"text {i}", "label": label} for i, label in enumerate([10, 9, 9, 10])]
    assert work.corpus("".join(json.dumps(line) + "\n" for line in lines), split=ALL).labels == ("9", "10")
    lines = [{"text": f"text {i}", "label": label} for i, label in enumerate([True, False])]
    assert work.corpus("".join(json.dumps(line) + "\n" for line in lines), split=ALL).labels == ("false", "true")


def test_items_are_distinct_by_their_normal_form(work: Workplace) -> None:
    content = "text,label\nE\u0301a,x\n\u00c9A,x\né\u0061,y\nother,y\n"
    corpus = work.corpus(content, split=ALL, case="lower", normal_form="NFC")
    assert [text for text, _ in pairs(corpus)] == ["\u00e9a"] * 3 + ["other"]
    counts = corpus.manifest.counts
    assert (counts.rows, counts.distinct, counts.ambiguous) == (4, 2, 1)
    assert work.corpus(content, split=ALL).manifest.counts.distinct == 4


def test_encodings(work: Workplace) -> None:
    content = "text,label\ncafé,x\nthé,y\n"
    assert pairs(work.corpus(content.encode("cp1252"), split=ALL, encoding="cp1252"))[0] == ("café", "x")
    corpus = work.corpus(content.encode("cp1252"), split=ALL, errors="replace")
    assert [text for text, _ in pairs(corpus)] == ["caf\ufffd", "th\ufffd"]
    assert corpus.manifest.counts.replaced == 2
    assert "wrong bytes that were replaced: 2" in corpus.manifest.remarks


def test_bytes_are_read_as_they_are(work: Workplace) -> None:
    data = b"\xef\xbb\xbftext,label\n\xff\xfe\0\xc3\xa9,stra\xc3\x9fe\nab,y\r\n"
    corpus = work.corpus(data, split=ALL, unit="byte")
    assert corpus.labels == ("straße", "y")
    split = corpus.split("train")
    assert corpus.vocabulary is not None
    found = [b"".join(corpus.vocabulary.utf8[id_] for id_ in split.item(i).tolist()) for i in range(2)]
    assert found == [b"\xff\xfe\0\xc3\xa9", b"ab"]
    assert corpus.vocabulary.size == 257


def test_what_only_other_splits_hold_is_spelled(work: Workplace) -> None:
    lines = "".join(f"{'ab'[i % 2]} {chr(0x4E00 + i)},{'xy'[i % 2]}\n" for i in range(60))
    corpus = work.corpus("text,label\n" + lines, min_count=1)
    taught = {character for text, _ in pairs(corpus) for character in text or ""}
    assert corpus.vocabulary is not None
    assert corpus.vocabulary.symbols == tuple(sorted(taught))
    assert len(corpus.vocabulary.byte_values) == 256
    everything = [text for name in ("train", "valid", "test") for text, _ in pairs(corpus, name)]
    assert sorted(map(str, everything)) == sorted(line.split(",")[0] for line in lines.splitlines())
    assert {len(item) for item in map(corpus.split("train").item, range(len(corpus.split("train"))))} == {3}
    assert corpus.split("valid").lengths.tolist() == [5] * len(corpus.split("valid"))


def test_unlabelled_items_teach_the_vocabulary(work: Workplace) -> None:
    work.write("more", "text\nzz\n")
    assert work.corpus(TABLE, split=ALL).vocabulary.symbols.count("z") == 0  # type: ignore[union-attr]
    assert work.corpus(TABLE, split=ALL, unlabelled_source="more").vocabulary.symbols.count("z") == 1  # type: ignore[union-attr]


def test_long_items_are_cut_and_that_is_told(work: Workplace) -> None:
    corpus = work.corpus(TABLE, split=ALL, longest=9)
    assert [text for text, _ in pairs(corpus)] == ["hello the", "buy now!", "hello you", "now or ne", "hello the"]
    split = corpus.split("train")
    assert (split.steps, split.lengths.tolist()) == (9, [9, 8, 9, 9, 9])
    assert corpus.manifest.counts.cut == 3
    assert "items that were cut to corpus.longest: 3" in corpus.manifest.remarks


def test_rows_without_a_text_are_left_out_and_that_is_told(work: Workplace) -> None:
    corpus = work.corpus(TABLE + "ham,\nspam,\n", split=ALL)
    assert pairs(corpus) == ROWS
    assert corpus.manifest.remarks == (
        "rows that repeat an item (all rows of one item are in one split): 1",
        "rows that were left out, for their text is empty: 2",
    )


def test_a_folder_has_a_file_for_each_label(work: Workplace) -> None:
    work.write("names/Straße.txt", "Ä\r\n\r\nb\n\nc")
    work.write("names/zwei.txt.gz", gzip.compress(b"d\nb\n"))
    corpus = work.corpus(kind="folder", source="names", split=ALL)
    assert pairs(corpus) == [("Ä", "Straße"), ("b", "Straße"), ("c", "Straße"), ("d", "zwei"), ("b", "zwei")]
    assert places(corpus.split("train")) == [*(f"Straße.txt:{n}" for n in (1, 3, 5)), "zwei.txt.gz:1", "zwei.txt.gz:2"]
    assert corpus.manifest.counts.ambiguous == 1
    assert [source.label for source in corpus.manifest.sources] == ["Straße", "zwei"]


def test_the_suffix_may_be_the_label(work: Workplace) -> None:
    work.write("reviews/r.pos", "good \n")
    work.write("reviews/r.neg", "bad\u2028bad\n")
    work.write("reviews/readme", "x")
    corpus = work.corpus(kind="folder", source="reviews/r.*", label_from="suffix", split=ALL)
    assert pairs(corpus) == [("bad\u2028bad", "neg"), ("good ", "pos")]


def test_another_name_of_a_file_is_another_label_and_another_corpus(work: Workplace) -> None:
    for name in ("a", "b", "other/a", "other/c"):
        work.write(f"names/{name}.txt", name[-1] if name != "other/c" else "b")
    one = work.corpus(kind="folder", source="names/*.txt", split=ALL)
    other = work.corpus(kind="folder", source="names/other", split=ALL)
    assert [source.sha256 for source in one.manifest.sources] == [source.sha256 for source in other.manifest.sources]
    assert (one.labels, other.labels) == (("a", "b"), ("a", "c"))
    assert one.digest != other.digest


def test_a_test_set_that_is_given(work: Workplace) -> None:
    work.write("test", "label\ttext\nspam\tnever seen\nham\thello you\n")
    corpus = work.corpus(TABLE, test_source="test", split=["rest", 1])
    assert pairs(corpus, "test") == [("never seen", "spam"), ("hello you", "ham")]
    assert places(corpus.split("test")) == ["test:2", "test:3"]
    assert len(pairs(corpus)) + len(pairs(corpus, "valid")) == 5
    assert "rows of the test set whose item also occurs in training or validation: 1" in corpus.manifest.remarks


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ("text\nnew one\nhello you\n", {}),
        ("label,text\n,new one\n,hello you\n", {}),
        ("new one\n\nhello you\n", {"unlabelled_form": "lines"}),
    ],
)
def test_items_without_labels(work: Workplace, content: str, keys: dict[str, Any]) -> None:
    work.write("more", content)
    corpus = work.corpus(TABLE, unlabelled_source="more", split=ALL, **keys)
    assert pairs(corpus) == ROWS
    assert pairs(corpus, "unlabelled") == [("new one", None), ("hello you", None)]
    assert corpus.split("unlabelled").truths.tolist() == [-1, -1]
    assert corpus.manifest.counts.unlabelled_held_out == 0


def test_hidden_labels_are_truths_and_never_labels(work: Workplace) -> None:
    work.write("more", "text\nnew one\n")
    corpus = work.corpus(TABLE, labelled=2, split=ALL, unlabelled_source="more")
    train, hidden = corpus.split("train"), corpus.split("unlabelled")
    assert sorted(label for _, label in pairs(corpus) if label) in (["ham", "spam"], ["ham", "ham", "spam"])
    assert train.truths.tolist() == train.labels.tolist()
    assert set(hidden.labels.tolist()) == {-1}
    known = [(hidden.text(i), corpus.labels[hidden.truths[i]]) for i in range(len(hidden) - 1)]
    assert sorted([*pairs(corpus), *known]) == sorted(ROWS)
    assert hidden.truths[-1] == -1
    assert corpus.manifest.splits["unlabelled"].per_label == [0, 0]
    assert not (work.corpus(TABLE, split=ALL).folder / "truths.bin").exists()


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), min_size=1, max_size=12)


@settings(max_examples=25)
@given(
    rows=st.lists(st.tuples(texts, st.sampled_from(["x", "y"])), max_size=30), unit=st.sampled_from(["char", "word"])
)
def test_every_text_comes_back(
    rows: list[tuple[str, str]], unit: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [("some", "x"), ("thing", "y"), *rows]
    work = Workplace(tmp_path_factory.mktemp("work"))
    content = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
    keys: dict[str, Any] = {"newlines": "keep", "unit": unit, "split": ALL, "min_count": 3}
    assert pairs(work.corpus(content, **keys)) == rows


@settings(max_examples=25)
@given(rows=st.lists(st.text('ab,;"\n\t| ', min_size=1, max_size=9), min_size=1, max_size=20))
def test_what_csv_writes_is_read(rows: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    import io

    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([["label", "text"], *(["xy"[i % 2], text] for i, text in enumerate([*rows, "last", "of all"]))])
    corpus = Workplace(tmp_path_factory.mktemp("work")).corpus(file.getvalue(), split=ALL)
    assert [text for text, _ in pairs(corpus)] == [*rows, "last", "of all"]


def test_what_is_on_the_disk(work: Workplace) -> None:
    result = work.prepare(TABLE, split=["rest", 1, 1], labelled=2, seed=3)
    folder, manifest = result.corpus.folder, json.loads((result.corpus.folder / "manifest.json").read_text())
    assert result.fresh
    assert folder == work.corpora / f"items-{result.corpus.digest[:8]}"
    names = ["items.bin", "labels.bin", "offsets.bin", "places.bin", "truths.bin", "vocabulary.json"]
    assert sorted(manifest["files"]) == names
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "manifest.json"])
    for name, record in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert record == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert (manifest["format"], manifest["kind"], manifest["labels"]) == (1, "labelled", ["ham", "spam"])
    assert manifest["dtype"] == "uint16"
    parts = manifest["splits"]
    assert list(parts) == ["train", "unlabelled", "valid", "test"]
    offsets = np.fromfile(folder / "offsets.bin", "<u8")
    labels = np.fromfile(folder / "labels.bin", "<i4")
    assert (len(offsets), len(labels)) == (6, 5)
    for name, part in parts.items():
        seen = labels[part["start"] : part["end"]]
        assert part["per_label"] == [int((seen == 0).sum()), int((seen == 1).sum())]
        assert part["distinct"] == len({text for text, _ in pairs(result.corpus, name)})
    assert sum(part["distinct"] for part in parts.values()) == manifest["counts"]["distinct"] == 4


def test_the_same_input_is_prepared_once_whatever_the_clock_says(work: Workplace) -> None:
    first = work.prepare(TABLE)
    os.utime(work.folder / "items", (1, 1))
    second = work.prepare()
    assert (first.fresh, second.fresh, second.corpus.digest) == (True, False, first.corpus.digest)
    (work.folder / "items").rename(work.folder / "moved.csv")
    third = work.prepare(source="moved.csv")
    assert third.corpus.digest == first.corpus.digest


def test_settings_that_change_the_corpus_change_its_digest(work: Workplace) -> None:
    work.write("other", TABLE)
    changes: list[dict[str, Any]] = [
        {},
        {"seed": 2},
        {"split": [0.8, 0.1, 0.1]},
        {"labelled": 2, "split": ALL},
        {"unit": "word"},
        {"min_count": 1},
        {"case": "lower"},
        {"longest": 5},
        {"newlines": "keep"},
        {"unlabelled_source": "other"},
        {"test_source": "other", "split": [1, 0]},
    ]
    digests = []
    for change in changes:
        digests.append(work.prepare(TABLE, **{"split": [0.9, 0.1, 0.0], **change}).corpus.digest)
    assert len(set(digests)) == len(changes)
    sha256 = hashlib.sha256(TABLE.encode()).hexdigest()
    assert work.prepare(split=[0.9, 0.1, 0.0], sha256=sha256).corpus.digest == digests[0]


def test_a_damaged_corpus_is_made_anew(work: Workplace) -> None:
    folder = work.prepare(TABLE, split=ALL).corpus.folder
    (folder / "items.bin").write_bytes(b"x" * (folder / "items.bin").stat().st_size)
    assert work.prepare(split=ALL).fresh
    assert pairs(LabelledCorpus.open(folder, verify=True)) == ROWS


def test_out_is_the_very_folder_and_nothing_foreign_is_replaced(work: Workplace) -> None:
    out = work.folder / "here"
    assert work.prepare(TABLE, split=ALL, given={"out": out}).corpus.folder == out
    assert work.prepare(TABLE, split=ALL, seed=2, given={"out": out}).fresh
    (out / "notes").write_text("mine")
    with pytest.raises(UsageError, match="holds other things"):
        work.prepare(TABLE, given={"out": out})
    for name in "ab":
        work.write(f"names/{name}", name)
    with pytest.raises(UsageError, match="inside its own source"):
        work.prepare(kind="folder", source="names", given={"out": work.folder / "names" / "x"})


def test_progress_and_stopping(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 50)
    heard: list[tuple[str, int, int | None]] = []
    work.prepare(TABLE, split=ALL, given={"progress": lambda *block: heard.append(block)})
    size = len(TABLE)
    for label in ("look", "read"):
        assert [(done, total) for name, done, total in heard if name == label] == [(50, size), (size, size)]
    assert heard[-1] == ("encode", 0, 5)

    class Stop(Exception):
        pass

    for last in range(1, len(heard) + 1):
        count = iter(range(1, last))

        def check(count: Any = count) -> None:
            if next(count, None) is None:
                raise Stop

        with pytest.raises(Stop):
            work.prepare(TABLE, seed=9, split=ALL, given={"check": check})
        assert len(list(work.corpora.iterdir())) == 1


def test_large_items_are_mapped(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = work.corpus(TABLE, split=ALL).folder
    monkeypatch.setattr(labelled_corpus, "_IN_MEMORY", 1)
    split = LabelledCorpus.open(folder).split("train")
    assert isinstance(split.items, np.memmap)
    assert [split.text(i) for i in range(5)] == [text for text, _ in ROWS]


def test_arrays_are_not_written_to(work: Workplace) -> None:
    split = work.corpus(TABLE, split=ALL).split("train")
    for array in (split.items, split.offsets, split.labels, split.truths, split.places):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(DataError, match="there is no split named 'dev'"):
        work.corpus(split=ALL).split("dev")


def test_preparing_never_loads_torch() -> None:
    code = "import sys, charrnn.corpus.labelled; print('torch' in sys.modules, 'sklearn' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False False\n"
