"""Tokens in parts: one row to whoever reads them, a file each on the disk, and what is wrong with one is said of it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crewing import Here
from hypothesis import given
from hypothesis import strategies as st

from charrnn.corpus import crew, parts, placing
from charrnn.corpus.manifest import Manifest
from charrnn.corpus.parts import PartedTokens, read_span, spans
from charrnn.corpus.ready import Prepared
from charrnn.corpus.several import Jobs
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError
from charrnn.runs.findings import corpus_finding, is_corpus
from charrnn.text import blocks

Prepare = Callable[..., Prepared[TokenCorpus]]
TEXT = "Das Mädchen\r\nging über die Straße.\n" * 20
CONTENT = b"".join(np.arange(1, 41, dtype="<u2"))


def row(folder: Path, each: int = 7) -> PartedTokens:
    """The numbers from 1 to 40 in parts."""
    paths = [folder / name for name, _, _ in spans(2 * each, 0, len(CONTENT))]
    for path, (_, _, size) in zip(paths, spans(2 * each, 0, len(CONTENT)), strict=True):
        path.write_bytes(CONTENT[paths.index(path) * 2 * each :][:size])
    return PartedTokens(paths, each, 40, np.dtype("<u2"))


@st.composite
def passages(draw: st.DrawFn) -> tuple[int, int]:
    start = draw(st.integers(0, 39))
    return start, draw(st.integers(start + 1, 40))


@given(passages(), st.integers(1, 50), st.data())
def test_it_is_read_like_an_array(passage: tuple[int, int], each: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole, plain = row(Path(folder), each), np.arange(1, 41, dtype="<u2")
        tokens, known = whole.passage(*passage), plain[slice(*passage)]
        count = len(known)
        assert (len(tokens), tokens.size, tokens.shape, tokens.ndim, tokens.dtype) == (count, count, (count,), 1, "<u2")
        ends = st.none() | st.integers(-45, 45)
        cut = slice(data.draw(ends), data.draw(ends), data.draw(st.sampled_from([None, 1, 2, -1])))
        assert tokens[cut].tolist() == known[cut].tolist()
        places = np.array(data.draw(st.lists(st.integers(-count, count - 1), max_size=12)), np.int64)
        assert tokens[places].tolist() == known[places].tolist()
        assert tokens[places[:, None]].shape == (len(places), 1)
        wanted = np.array(data.draw(st.lists(st.booleans(), min_size=len(places), max_size=len(places))), np.bool_)
        assert tokens.where(wanted, places, 0).tolist() == np.where(wanted, known[places], 0).tolist()
        one = data.draw(st.integers(-count, count - 1))
        assert tokens[one] == known[one]
        assert np.asarray(tokens).tolist() == tokens.tolist() == known.tolist()
        assert np.asarray(tokens, np.int64).dtype == np.int64
        assert (tokens.min(), tokens.max()) == (known.min(), known.max())
        assert tokens.passage(0, count // 2)[:].tolist() == known[: count // 2].tolist()


@pytest.mark.parametrize("places", [40, -41, np.array([0, 40]), np.ones(40, np.bool_), np.array([0.5])])
def test_places_that_are_none(tmp_path: Path, places: Any) -> None:
    with pytest.raises(IndexError):
        row(tmp_path)[places]


def test_a_part_is_mapped_when_one_of_its_tokens_is_read(tmp_path: Path) -> None:
    tokens = row(tmp_path).passage(7, 40)
    assert tokens.mapped == ()
    tokens.where(np.array([False, True]), np.array([0, 10]), 0)
    assert tokens.mapped == (2,)
    assert tokens[30] == 38
    assert tokens.passage(0, 14).tolist() == list(range(8, 22))
    assert tokens.mapped == (1, 2, 5)


def test_a_passage_of_one_part_is_no_copy_and_cannot_be_written_to(tmp_path: Path) -> None:
    tokens = row(tmp_path)
    assert isinstance(tokens[7:9], np.memmap)
    for read in (tokens[7:9], tokens[5:9]):
        with pytest.raises(ValueError, match="read-only"):
            read[0] = 1


@pytest.mark.parametrize("part_bytes", [4, 7, 100, 1 << 30])
@pytest.mark.parametrize("keys", [{}, {"unit": "word"}, {"min_count": 2}, {"documents": {"text": "\n"}}])
def test_the_corpus_is_the_same_in_parts(prepared: Prepare, tmp_path: Path, part_bytes: int, keys: Any) -> None:
    keys = {"unit": "char", "min_count": 1, **keys}
    one = prepared(TEXT, **keys).corpus
    other = prepared(given={"out": tmp_path / "parts"}, part_bytes=part_bytes, **keys).corpus
    width = np.dtype(one.manifest.dtype).itemsize
    each = min(part_bytes - part_bytes % width, one.manifest.counts.tokens * width)
    assert one.digest == other.digest
    assert one.vocabulary == other.vocabulary
    assert one.manifest.splits == other.manifest.splits
    assert other.manifest.part_bytes == each
    content = (one.folder / "tokens.bin").read_bytes()
    names = [f"tokens-{number:05}.bin" for number in range(-(-len(content) // each))]
    assert other.manifest.token_files == names
    assert [(other.folder / name).read_bytes() for name in names] == [
        content[at : at + each] for at in range(0, len(content), each)
    ]
    for split in ("train", "valid", "test"):
        assert other.split(split).tokens.tolist() == one.split(split).tokens.tolist()
        assert other.split(split).documents.tolist() == one.split(split).documents.tolist()
    assert not prepared(part_bytes=part_bytes, **keys).fresh, "in how many files a corpus lies is no other corpus"


def test_a_span_is_read_from_several_parts(tmp_path: Path) -> None:
    row(tmp_path)
    assert read_span(tmp_path, 14, 10, 33) == CONTENT[10:33]


@pytest.fixture
def parted(prepared: Prepare) -> Path:
    return prepared(TEXT, part_bytes=100).corpus.folder


def test_a_part_may_be_moved(parted: Path, tmp_path: Path) -> None:
    before = TokenCorpus.open(parted).tokens.tolist()
    shutil.move(parted / "tokens-00002.bin", tmp_path / "elsewhere")
    (parted / "tokens-00002.bin").symlink_to(tmp_path / "elsewhere")
    assert TokenCorpus.open(parted, verify=True).tokens.tolist() == before
    assert corpus_finding(parted, "mend").state == "ok"


def unlinked(path: Path) -> None:
    path.unlink()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flipped(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (unlinked, "it is missing"),
        (dangling, "it is missing"),
        (cut_short, "it has 99 bytes, the manifest says 100"),
        (flipped, "its sha256 is not the one in the manifest"),
    ],
)
def test_a_damaged_part_is_named(parted: Path, prepared: Prepare, damage: Callable[[Path], None], why: str) -> None:
    part = parted / "tokens-00003.bin"
    damage(part)
    with pytest.raises(DataError) as caught:
        TokenCorpus.open(parted, verify=True)
    assert (caught.value.what, caught.value.where, caught.value.why, caught.value.exit_code) == (
        "the corpus is damaged: tokens-00003.bin",
        str(part),
        why,
        3,
    )
    found = corpus_finding(parted, "mend")
    assert (found.state, found.why, found.exit_code) == ("damaged", f"tokens-00003.bin: {why}", 3)
    again = prepared(part_bytes=100)
    assert again.damage == f"{part}: {why}"
    assert TokenCorpus.open(parted, verify=True).manifest.part_bytes == 100


def test_a_part_that_is_cut_after_the_corpus_was_opened(parted: Path) -> None:
    tokens = TokenCorpus.open(parted).split("train").tokens
    assert tokens[0] > 0
    cut_short(parted / "tokens-00003.bin")
    with pytest.raises(DataError, match=r"the corpus is damaged: tokens-00003\.bin"):
        tokens[350]
    assert tokens[250] > 0


def edited(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "manifest.json"
    value = json.loads(path.read_text())
    del value["seal"]
    change(value)
    path.write_text(json.dumps(value))


def of_other_sizes(value: dict[str, Any]) -> None:
    value["files"]["tokens-00000.bin"]["bytes"] += 2
    value["files"]["tokens-00001.bin"]["bytes"] -= 2


def without_the_first(value: dict[str, Any]) -> None:
    del value["files"]["tokens-00000.bin"]


def with_one_of_all(value: dict[str, Any]) -> None:
    value["files"]["tokens.bin"] = value["files"]["tokens-00000.bin"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (of_other_sizes, "its parts are not of one size"),
        (without_the_first, "its files or its splits are not those of a corpus"),
        (with_one_of_all, "its files or its splits are not those of a corpus"),
    ],
)
def test_a_manifest_whose_parts_cannot_be(parted: Path, change: Callable[[dict[str, Any]], None], why: str) -> None:
    edited(parted, change)
    with pytest.raises(DataError) as caught:
        Manifest.read(parted)
    assert caught.value.why is not None
    assert caught.value.why.endswith(why)


def test_what_is_left_of_a_corpus_in_parts_is_known_as_one(parted: Path) -> None:
    (parted / "manifest.json").unlink()
    assert is_corpus(parted)


def test_the_memory_of_large_files_is_let_go(
    prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one process and by several; the corpus is the same, and a small one is kept."""
    advised: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda file, start, count, advice: advised.append((start, count)))
    small = prepared(TEXT).corpus
    assert advised == []
    monkeypatch.setattr(parts, "KEPT", 100)
    monkeypatch.setattr(parts, "_AT_ONCE", 200)
    monkeypatch.setattr(blocks, "BLOCK", 50)
    monkeypatch.setattr(placing, "BLOCK", 50)
    one = prepared(given={"out": tmp_path / "1"}).corpus
    assert advised == [(0, 0)] * 3
    monkeypatch.setattr(crew, "Member", Here)
    several = prepared(given={"out": tmp_path / "2", "jobs": Jobs(2, least=1, piece=100)}).corpus
    assert [start for start, _ in advised] == [0] * 6
    assert [count // 200 for _, count in advised[3:]] == [1, 2, 3]
    for corpus in (one, several):
        assert (corpus.folder / "tokens.bin").read_bytes() == (small.folder / "tokens.bin").read_bytes()
