"""Opening a corpus: damaged, foreign and hostile files are refused with their names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.corpus import manifest as manifest_module
from charrnn.corpus import tokens as tokens_module
from charrnn.corpus.ready import Prepared
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError

Prepare = Callable[..., Prepared[TokenCorpus]]


@pytest.fixture
def folder(prepared: Prepare) -> Path:
    """A corpus of 60 tokens."""
    return prepared("abc de\n" * 8 + "abc ", split=[40, "rest", 5]).corpus.folder


def failure(folder: Path, name: str, *, verify: bool = False) -> DataError:
    with pytest.raises(DataError) as caught:
        TokenCorpus.open(folder, verify=verify)
    assert caught.value.exit_code == 3
    assert caught.value.where == str(folder / name)
    assert caught.value.hint == "prepare the corpus again (charrnn prepare)"
    return caught.value


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_splits(folder: Path) -> None:
    corpus = TokenCorpus.open(folder, verify=True)
    train, valid, test = (corpus.split(name) for name in ("train", "valid", "test"))
    assert [split.name for split in (train, valid, test)] == ["train", "valid", "test"]
    assert [len(split.tokens) for split in (train, valid, test)] == [40, 15, 5]
    assert train.tokens.dtype == np.uint8
    assert np.concatenate([train.tokens, valid.tokens, test.tokens]).tolist() == corpus.tokens.tolist()
    assert corpus.vocabulary.decode(test.tokens) == "\nabc "
    assert (test.characters, test.bytes) == (5, 5)
    with pytest.raises(ValueError, match="read-only"):
        train.tokens[0] = 1
    with pytest.raises(DataError, match="no split named 'dev'"):
        corpus.split("dev")


def test_large_arrays_are_mapped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = TokenCorpus.open(folder).tokens
    assert type(in_memory) is np.ndarray
    monkeypatch.setattr(tokens_module, "_IN_MEMORY", 60)
    mapped = TokenCorpus.open(folder).tokens
    assert isinstance(mapped, np.memmap)
    assert mapped.tolist() == in_memory.tolist()


def test_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no prepared corpus") as caught:
        TokenCorpus.open(tmp_path / "nowhere")
    assert caught.value.where == str(tmp_path / "nowhere")


@pytest.mark.parametrize("size", [0, 59, 61])
def test_another_size(folder: Path, size: int) -> None:
    (folder / "tokens.bin").write_bytes(b"\x01" * size)
    assert failure(folder, "tokens.bin").why == f"it has {size} bytes, the manifest says 60"


@pytest.mark.parametrize("name", ["tokens.bin", "vocabulary.json"])
def test_a_missing_file_and_a_link(folder: Path, name: str, tmp_path: Path) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    assert failure(folder, name).why == "it is missing"
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert failure(folder, name).why == "it is missing"


def test_a_flipped_token_is_found_on_verification(folder: Path) -> None:
    data = bytearray((folder / "tokens.bin").read_bytes())
    data[7] ^= 1
    (folder / "tokens.bin").write_bytes(data)
    TokenCorpus.open(folder)
    assert failure(folder, "tokens.bin", verify=True).why == "its sha256 is not the one in the manifest"


def test_an_id_beyond_the_vocabulary_never_reaches_a_model(folder: Path) -> None:
    (folder / "tokens.bin").write_bytes(b"\x63" * 60)
    with pytest.raises(DataError, match="damaged") as caught:
        TokenCorpus.open(folder).split("train")
    assert caught.value.why == "it has an id beyond the 8 of the vocabulary"


def test_the_vocabulary_is_always_verified(folder: Path) -> None:
    path = folder / "vocabulary.json"
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"A"'))
    assert failure(folder, "vocabulary.json").why == "its sha256 is not the one in the manifest"


def test_a_corpus_that_is_replaced_before_it_is_read(folder: Path, prepared: Prepare) -> None:
    corpus = TokenCorpus.open(folder)
    prepared("cab ed\n" * 8 + "cab ", split=[40, "rest", 5], given={"out": folder})
    with pytest.raises(DataError, match="the corpus was replaced meanwhile"):
        corpus.split("train")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": 2}, "format 2 of kind 'tokens'"),
        ({"kind": "ratings"}, "format 1 of kind 'ratings'"),
        ({"digest": "x"}, "digest:"),
        ({"dtype": "float64"}, "dtype:"),
        ({"dtype": "uint16"}, "the size of tokens.bin is not that of its tokens"),
        ({"extra": 1}, "extra:"),
        ({"counts": {"tokens": 60.0, "characters": 60, "bytes": 60, "replaced": 0}}, "counts.tokens:"),
        ({"counts": {"tokens": -1, "characters": 60, "bytes": 60, "replaced": 0}}, "counts.tokens:"),
        ({"counts": {"tokens": 1 << 70, "characters": 60, "bytes": 60, "replaced": 0}}, "counts.tokens:"),
        ({"files": {}}, "its files or its splits"),
        ({"splits": {}}, "its files or its splits"),
        ({"settings": {}}, "settings.source:"),
    ],
)
def test_a_manifest_that_is_wrong(folder: Path, changes: dict[str, Any], why: str) -> None:
    edit(folder, **changes)
    found = failure(folder, "manifest.json").why
    assert found is not None
    assert why in found


@pytest.mark.parametrize("name", ["../tokens.bin", "/etc/passwd", "tokens.bin/../x", ""])
def test_files_outside_the_folder_are_never_named(folder: Path, name: str) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    edit(folder, files={"vocabulary.json": files["vocabulary.json"], name: files["tokens.bin"]})
    found = failure(folder, "manifest.json").why
    assert found is not None
    assert "its files or its splits" in found


@pytest.mark.parametrize("ends", [(40, 55, 61), (40, 30, 60), (40, 55, 59), (41, 55, 60)])
def test_splits_that_are_not_the_text(folder: Path, ends: tuple[int, int, int]) -> None:
    splits = json.loads((folder / "manifest.json").read_text())["splits"]
    for (name, end), start in zip(zip(splits, ends, strict=True), (0, 40, ends[1]), strict=True):
        splits[name] |= {"start": start, "end": end}
    edit(folder, splits=splits)
    assert "splits" in str(failure(folder, "manifest.json").why)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"format": NaN}', "[" * 100_000, '{"format": 1' + "0" * 5000 + "}", "\ufeff{}", "\xff"],
)
@pytest.mark.parametrize("name", ["manifest.json", "vocabulary.json"])
def test_hostile_json(folder: Path, name: str, text: str) -> None:
    (folder / name).write_bytes(text.encode("latin-1", "replace"))
    failure(folder, name)


def test_a_manifest_of_many_bytes_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_module, "_MOST_JSON", 100)
    assert failure(folder, "manifest.json").why == "it is larger than 100 bytes"


def test_a_vocabulary_that_is_none(folder: Path) -> None:
    data = b'{"format": 1, "unit": "char", "bytes": [], "symbols": ["b", "a"]}'
    (folder / "vocabulary.json").write_bytes(data)
    files = json.loads((folder / "manifest.json").read_text())["files"]
    files |= {"vocabulary.json": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
    edit(folder, files=files, seal=None)
    assert "not in the order" in str(failure(folder, "vocabulary.json").why)
