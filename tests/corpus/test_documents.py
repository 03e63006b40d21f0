"""Where documents begin: found whatever the blocks, kept with the corpus, and given to each split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus import tokens as tokens_module
from charrnn.corpus.documents import DocumentWriter, HashedFile, SeparatorFinder, within
from charrnn.corpus.prepare import prepare
from charrnn.corpus.ready import Prepared
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.text import blocks
from charrnn.text.vocabulary import Vocabulary

Prepare = Callable[..., Prepared[TokenCorpus]]
WHOLE = [1, 0, 0]
EMPTY_LINE = {"kind": "separator", "text": "\n\n"}


def pieces_of(text: str, separator: str) -> list[str]:
    """The documents of `text`, each with the separator that ends it."""
    *ended, rest = text.split(separator)
    return [document + separator for document in ended] + ([rest] if rest else [])


def starts_of(pieces: list[str]) -> list[int]:
    return [0, *accumulate(map(len, pieces))][:-1]


def documents_of(corpus: TokenCorpus, name: str = "train") -> list[str]:
    split = corpus.split(name)
    ends = [*split.documents.tolist()[1:], len(split.tokens)]
    return [
        corpus.vocabulary.decode(split.tokens[start:end])
        for start, end in zip(split.documents.tolist(), ends, strict=False)
    ]


texts = st.text("ab\n", min_size=1, max_size=60)


@given(st.text("ab", max_size=20), st.text("ab", min_size=1, max_size=3))
@example("aaaaa", "aa")
def test_a_separator_is_found_wherever_the_blocks_are_cut(text: str, separator: str) -> None:
    def ids(characters: str) -> np.ndarray:
        return np.array(["ab".index(character) for character in characters], np.uint8)

    expected = list(accumulate(map(len, pieces_of(text, separator))))[: text.count(separator)]
    for block in range(1, len(text) + 2):
        finder, found = SeparatorFinder(ids(separator)), []
        for start in range(0, len(text), block):
            found += finder.ends(ids(text[start : start + block])).tolist()
        assert found == expected


@given(text=texts, separator=st.text("ab\n", min_size=1, max_size=3), block=st.integers(1, 70))
def test_the_documents_of_a_prepared_text(
    text: str, separator: str, block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("ab\n" + text)
    text = "ab\n" + text
    settings = Corpus.model_validate({"source": "text.txt", "split": WHOLE, "documents": {"text": separator}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        if separator not in text:
            with pytest.raises(DataError, match="never occurs"):
                prepare(settings, base=folder, corpora=folder / "corpora")
            return
        corpus = prepare(settings, base=folder, corpora=folder / "corpora").corpus
    assert documents_of(corpus) == pieces_of(text, separator)
    stored = (corpus.folder / "documents.bin").read_bytes()
    assert stored == b"".join(start.to_bytes(8, "little") for start in starts_of(pieces_of(text, separator)))
    assert corpus.manifest.documents == len(stored) // 8
    assert corpus.manifest.files["documents.bin"].sha256 == hashlib.sha256(stored).hexdigest()


@pytest.mark.parametrize(
    ("text", "separator", "expected"),
    [
        ("one\n\ntwo\n\n\n\nthree", "\n\n", ["one\n\n", "two\n\n", "\n\n", "three"]),
        ("one\n\ntwo\n\n", "\n\n", ["one\n\n", "two\n\n"]),
        ("\n\none", "\n\n", ["\n\n", "one"]),
        ("a\n\n\nb", "\n\n", ["a\n\n", "\nb"]),
        ("one\r\n\r\ntwo", "\n\n", ["one\n\n", "two"]),
        ("one\n\ntwo", "\r\n\r\n", ["one\n\n", "two"]),
    ],
)
def test_examples(prepared: Prepare, text: str, separator: str, expected: list[str]) -> None:
    corpus = prepared(text.encode(), split=WHOLE, documents={"text": separator}).corpus
    assert documents_of(corpus) == expected


def test_the_separator_takes_the_form_of_the_corpus(prepared: Prepare) -> None:
    keys: dict[str, Any] = {"split": WHOLE, "case": "lower", "normal_form": "NFC"}
    corpus = prepared("eins ENDE\u0301 zwei ende\u0301", documents={"text": "Ende\u0301"}, **keys).corpus
    assert documents_of(corpus) == ["eins endé", " zwei endé"]


def test_words_are_compared_as_words(prepared: Prepare) -> None:
    corpus = prepared("one END two ENDING three END", unit="word", split=WHOLE, documents={"text": " END"}).corpus
    assert documents_of(corpus) == ["one END", " two ENDING three END"]


def test_a_rare_separator_is_compared_as_it_is_spelled(prepared: Prepare) -> None:
    text = "aabb\u2603aabb\u2603bb"
    corpus = prepared(text, min_count=3, split=WHOLE, documents={"text": "\u2603"}).corpus
    assert corpus.vocabulary.symbols == ("a", "b")
    assert documents_of(corpus) == ["aabb\u2603", "aabb\u2603", "bb"]


def test_bytes_are_compared_as_bytes(prepared: Prepare) -> None:
    corpus = prepared(b"\xffa\xc3\xa9\r\n\xfe", unit="byte", split=WHOLE, documents={"text": "\u00e9\r"}).corpus
    assert corpus.split("train").documents.tolist() == [0, 5]


def test_every_file_is_a_document_and_an_empty_one_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    contents = {"a": "", "b": "one\n", "c": "", "d": "\ufeff", "e": "two words", "f": "x", "g": ""}
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    for unit, block in [("char", 1), ("char", 1 << 20), ("word", 3), ("byte", 2)]:
        monkeypatch.setattr(blocks, "BLOCK", block)
        settings = Corpus.model_validate(
            {"source": "texts", "unit": unit, "split": WHOLE, "documents": {"kind": "files"}}
        )
        corpus = prepare(settings, base=tmp_path, corpora=tmp_path / f"corpora-{unit}-{block}").corpus
        expected = ["one\n", *(["\ufeff"] if unit == "byte" else []), "two words", "x"]
        assert documents_of(corpus) == expected


def test_a_separator_may_reach_over_the_joint_of_two_files(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a").write_text("one\n")
    (folder / "b").write_text("\ntwo")
    settings = Corpus.model_validate({"source": "texts", "split": WHOLE, "documents": EMPTY_LINE})
    corpus = prepare(settings, base=tmp_path, corpora=tmp_path / "corpora").corpus
    assert documents_of(corpus) == ["one\n\n", "two"]


def test_without_the_setting_the_text_is_one_document(prepared: Prepare) -> None:
    corpus = prepared("one\n\ntwo\n\n", split=[6, "rest", 0]).corpus
    assert not (corpus.folder / "documents.bin").exists()
    assert corpus.manifest.documents == 1
    assert [corpus.split(name).documents.tolist() for name in ("train", "valid", "test")] == [[0], [0], []]


def test_a_split_that_is_cut_out_of_a_document_begins_with_its_rest(prepared: Prepare) -> None:
    corpus = prepared("ab\n\ncd\n\nef\n\ngh", split=[6, "rest", 6], documents=EMPTY_LINE).corpus
    assert [documents_of(corpus, name) for name in ("train", "valid", "test")] == [
        ["ab\n\n", "cd"],
        ["\n\n"],
        ["ef\n\n", "gh"],
    ]
    for name in ("train", "valid", "test"):
        starts = corpus.split(name).documents
        assert starts.dtype == np.int64
        with pytest.raises(ValueError, match="read-only"):
            starts[0] = 1


@given(st.sets(st.integers(1, 40)), st.integers(0, 41), st.integers(0, 41))
def test_within_a_passage(others: set[int], one: int, other: int) -> None:
    starts = sorted({0} | others)
    start, end = min(one, other), max(one, other)
    expected = [place - start for place in range(start, end) if place == start or place in starts]
    assert within(np.array(starts, np.uint64), start, end).tolist() == expected


def test_starts_are_written_as_they_come_and_not_gathered(tmp_path: Path) -> None:
    settings = Corpus.model_validate({"source": "x", "documents": {"text": "b"}})
    with (tmp_path / "documents.bin").open("wb", buffering=0) as file:
        writer = DocumentWriter(settings, Vocabulary("char", (), ("a", "b")), HashedFile(file))
        for block in range(1, 6):
            writer.feed(np.tile(np.array([1, 2], np.uint8), 100))
            assert (tmp_path / "documents.bin").stat().st_size == 8 * 100 * block
        assert writer.finish().bytes == 8 * 500
    starts = np.fromfile(tmp_path / "documents.bin", "<u8")
    assert starts.tolist() == list(range(0, 1000, 2))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"documents": {"text": "\n\n\n"}}, None),
        ({"documents": {"text": "\\n\\n"}}, r"the text has no '\\' (U+005C REVERSE SOLIDUS)"),
        ({"documents": {"text": "\n\n"}, "unit": "byte", "source": "crlf.txt"}, None),
    ],
)
def test_a_separator_that_never_occurs_is_told(
    prepared: Prepare, tmp_path: Path, keys: dict[str, Any], why: str | None
) -> None:
    (tmp_path / "crlf.txt").write_bytes(b"ann\r\n\r\nan")
    with pytest.raises(DataError, match="never occurs") as caught:
        prepared("ann\n\nan", **keys)
    assert caught.value.why == why
    assert "corpus.documents" in str(caught.value.where)
    assert list((tmp_path / "corpora").iterdir()) == []


def test_a_separator_of_which_nothing_is_left_is_told(prepared: Prepare) -> None:
    with pytest.raises(DataError, match="nothing is left of the separator"):
        prepared("one two", documents={"text": "\ufeff"})


@pytest.mark.parametrize("documents", [{"text": ""}, {}, {"kind": "file"}, "files", {"kind": "files", "text": "x"}])
def test_settings_that_are_wrong(documents: Any) -> None:
    with pytest.raises(ValidationError):
        Corpus.model_validate({"source": "x", "documents": documents})


def test_another_separator_is_another_corpus(prepared: Prepare) -> None:
    first, second, third = (
        prepared("one\n\ntwo.three", documents=documents).corpus.digest
        for documents in (None, EMPTY_LINE, {"text": "."})
    )
    assert len({first, second, third}) == 3


def test_a_corpus_from_before_the_setting_is_still_good(prepared: Prepare) -> None:
    corpus = prepared("one\n\ntwo").corpus
    path = corpus.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["settings"]["documents"], manifest["settings"]["part_bytes"], manifest["seal"]
    former = {name: value for name, value in manifest["settings"].items() if name not in ("source", "sha256")}
    sources = [source["sha256"] for source in manifest["sources"]]
    assert corpus.digest == digest.of_json({"format": 1, "kind": "tokens", "settings": former, "sources": sources})
    path.write_text(json.dumps(manifest))
    assert not prepared().fresh
    assert TokenCorpus.open(corpus.folder).split("train").documents.tolist() == [0]


def test_a_corpus_with_documents_is_replaced_by_one_without(prepared: Prepare, tmp_path: Path) -> None:
    out = tmp_path / "here"
    for documents, names in [(EMPTY_LINE, ["documents.bin"]), (None, []), (EMPTY_LINE, ["documents.bin"])]:
        assert prepared("one\n\ntwo", documents=documents, given={"out": out}).fresh
        assert sorted(path.name for path in out.iterdir()) == [*names, "manifest.json", "tokens.bin", "vocabulary.json"]


@pytest.fixture
def folder(prepared: Prepare) -> Path:
    """A corpus of 16 tokens with four documents, at 0, 4, 8 and 12."""
    return prepared("ab\n\ncd\n\nef\n\nghij", split=WHOLE, documents=EMPTY_LINE).corpus.folder


@pytest.mark.parametrize(
    "starts", [[1, 4, 8, 12], [0, 4, 4, 12], [0, 8, 4, 12], [0, 4, 8, 16], [0, 4, 8, 2**64 - 1], [0, 0, 0, 0]]
)
@pytest.mark.parametrize("mapped", [False, True])
def test_damaged_starts_never_reach_a_model(
    folder: Path, starts: list[int], mapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mapped:
        monkeypatch.setattr(tokens_module, "_IN_MEMORY", 1)
    assert TokenCorpus.open(folder, verify=True).split("train").documents.tolist() == [0, 4, 8, 12]
    np.array(starts, "<u8").tofile(folder / "documents.bin")
    with pytest.raises(DataError, match=r"damaged: documents\.bin") as caught:
        TokenCorpus.open(folder).split("train")
    assert str(caught.value.why).startswith("its numbers do not ascend")
    with pytest.raises(DataError, match=r"damaged: documents\.bin"):
        TokenCorpus.open(folder, verify=True)


def test_missing_or_of_another_size(folder: Path, prepared: Prepare) -> None:
    path = folder / "documents.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="damaged") as caught:
        TokenCorpus.open(folder)
    assert (caught.value.where, caught.value.why) == (str(path), "it has 31 bytes, the manifest says 32")
    path.unlink()
    with pytest.raises(DataError, match="damaged") as caught:
        TokenCorpus.open(folder)
    assert caught.value.why == "it is missing"
    assert prepared(split=WHOLE, documents=EMPTY_LINE).fresh
    assert TokenCorpus.open(folder, verify=True).manifest.documents == 4


@pytest.mark.parametrize(("size", "why"), [(0, "no documents"), (136, "more of them"), (31, "not that of whole")])
def test_a_manifest_that_says_another_number(folder: Path, size: int, why: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["documents.bin"]["bytes"] = size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError) as caught:
        TokenCorpus.open(folder)
    assert why in str(caught.value.why)


def test_a_manifest_whose_files_are_not_those_of_its_settings(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["settings"]["documents"] = None
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError) as caught:
        TokenCorpus.open(folder)
    assert "its files or its splits" in str(caught.value.why)
