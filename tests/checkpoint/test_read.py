from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corrupting import DAMAGES, flip, name_of, neighbour, swap

from charrnn.checkpoint import read
from charrnn.checkpoint.layout import MANIFEST, step_name
from charrnn.checkpoint.read import Checkpoint
from charrnn.checkpoint.write import write_checkpoint
from charrnn.errors import CheckpointError
from charrnn.files import digest

FILES = ["model.safetensors", "lanes.safetensors", "train.json", "vocabulary.json", MANIFEST]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints, to be copied."""
    parent = tmp_path_factory.mktemp("written")
    for step in (1, 2, 12):
        write_checkpoint(
            parent,
            step,
            {"model": {"w": np.arange(4.0), "n": np.array(step)}, "lanes": {"0.h": np.ones((2, 3), np.float32)}},
            {"train": {"step": step, "history": [{"step": step, "loss": 0.5}]}, "vocabulary": ["a", "ä", "漢"]},
        )
    return parent


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A checkpoint to spoil, the newest of three."""
    shutil.copytree(written, tmp_path / "checkpoints")
    return tmp_path / "checkpoints" / step_name(12)


def everything(folder: Path) -> dict[str, Any]:
    """All that a checkpoint holds, by way of all that reads one."""
    opened = Checkpoint.open(folder)
    groups = {name: opened.tensors(name) for name in ("model", "lanes")}
    arrays = {f"{g}/{n}": (a.shape, a.dtype.str, a.tobytes()) for g, named in groups.items() for n, a in named.items()}
    return {"step": opened.step, **arrays, **{name: opened.document(name) for name in ("train", "vocabulary")}}


def refusal(folder: Path) -> CheckpointError:
    """The error of reading the checkpoint; it must offer the newest of the others by name."""
    with pytest.raises(CheckpointError) as caught:
        everything(folder)
    assert caught.value.exit_code == 4
    assert caught.value.hint == f"use another checkpoint by name, such as {folder.parent / step_name(2)}"
    return caught.value


def of_another_step(path: Path) -> None:
    path.write_bytes((path.parents[1] / step_name(1) / path.name).read_bytes())


@pytest.mark.faults
@pytest.mark.parametrize("damage", DAMAGES, ids=name_of)
@pytest.mark.parametrize("file", FILES)
def test_damage_to_any_file_is_told_by_name_with_another_checkpoint_on_offer(
    folder: Path, file: str, damage: Callable[[Path], None]
) -> None:
    before, other = everything(folder.parent / step_name(2)), neighbour(folder / file).name
    damage(folder / file)
    error = refusal(folder)
    # A digest that was damaged in the manifest shows at the file that it is of.
    names = {file, *(["the manifest"] if file == MANIFEST else []), *([other] if damage is swap else [])}
    assert any(name in f"{error.where} {error.why}" for name in names)
    assert str(error.where).startswith(str(folder))
    assert everything(folder.parent / step_name(2)) == before


@pytest.mark.faults
@pytest.mark.parametrize("file", ["model.safetensors", "train.json", MANIFEST])
def test_a_file_of_another_checkpoint_is_refused(folder: Path, file: str) -> None:
    of_another_step(folder / file)
    assert str(refusal(folder).where).startswith(str(folder))


@pytest.mark.faults
@pytest.mark.parametrize("file", FILES)
def test_no_flipped_bit_anywhere_changes_what_is_read(folder: Path, file: str) -> None:
    whole = everything(folder)
    data = (folder / file).read_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        (folder / file).write_bytes(changed)
        try:
            assert everything(folder) == whole
        except CheckpointError:
            continue
        # White space between the words of the manifest means nothing.
        assert file == MANIFEST
        assert json.loads(changed) == json.loads(data)


def test_without_another_checkpoint_the_hint_says_what_else_to_try(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, 1, {"model": {}}, {})
    flip(folder / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(folder).tensors("model")
    assert caught.value.hint == "name another checkpoint or run"


@pytest.mark.parametrize("place", ["none", "none/none", "a file", "a file/inside", "."])
def test_where_there_is_no_checkpoint_that_is_said(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint here") as caught:
        Checkpoint.open(tmp_path / place)
    assert caught.value.where == str(tmp_path / place)
    assert MANIFEST in str(caught.value.why)


def test_what_the_manifest_does_not_list_is_not_read(folder: Path) -> None:
    (folder / "extra.json").write_text("1")
    opened = Checkpoint.open(folder)
    for call in (opened.document, opened.tensors):
        with pytest.raises(CheckpointError, match="damaged") as caught:
            call("extra")
        assert caught.value.why == "the manifest does not list it"


def test_a_checkpoint_may_be_moved_out_of_its_run(folder: Path, tmp_path: Path) -> None:
    whole = everything(folder)
    folder.rename(tmp_path / "my favourite")
    assert everything(tmp_path / "my favourite") == whole


def edit(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps(manifest | changes), encoding="utf-8")


def put(folder: Path, name: str, data: bytes) -> None:
    """A hostile author writes what they like, with a manifest to fit."""
    (folder / name).write_bytes(data)
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    edit(folder, files=files | {name: {"bytes": len(data), "sha256": digest.of_bytes(data)}})


@pytest.mark.faults
@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/b", "./a", "a/", "..\\x", "C:\\x", "", ".", "..", "//x", "../step-00000002/x"]
)
def test_the_manifest_cannot_name_a_file_outside_its_folder(folder: Path, name: str) -> None:
    edit(folder, files={name: {"bytes": 6, "sha256": digest.of_bytes(b"secret")}})
    with pytest.raises(CheckpointError, match="manifest is damaged") as caught:
        Checkpoint.open(folder)
    assert repr(name) in str(caught.value.why)
    refusal(folder)


@pytest.mark.faults
@pytest.mark.parametrize("name", ["a\0b", "\ud800", "n" * 300], ids=["zero byte", "surrogate", "long"])
def test_a_name_that_no_file_can_have_is_refused(folder: Path, name: str) -> None:
    edit(folder, files={name: {"bytes": 6, "sha256": digest.of_bytes(b"secret")}})
    refusal(folder)


@pytest.mark.faults
@pytest.mark.parametrize("file", FILES)
def test_a_file_that_the_disk_cannot_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == folder / file:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    error = refusal(folder)
    assert error.where == str(folder / file)
    assert os.strerror(errno.EIO) in str(error.why)


@pytest.mark.faults
@pytest.mark.parametrize(
    "changes",
    [
        {"format": 1}, {"format": "1"}, {"format": None}, {"kind": "corpus"}, {"kind": ["checkpoint"]},
        {"step": 13}, {"step": "x"}, {"step": None}, {"step": float("inf")}, {"step": float("nan")}, {"step": {}},
        {"files": []}, {"files": None}, {"files": {"train.json": 1}}, {"files": {"train.json": {}}},
        {"files": {"train.json": {"bytes": float("inf"), "sha256": ""}}},
        {"files": {"train.json": {"bytes": -1, "sha256": ""}}}, {"files": {"train.json": {"bytes": [], "sha256": ""}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_manifest_that_says_something_else_is_refused(folder: Path, changes: dict[str, Any]) -> None:
    edit(folder, **changes)
    assert MANIFEST in str(refusal(folder).where) or "files" in changes


@pytest.mark.faults
@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "1", '"checkpoint"', "{}", "[" * 100_000, '{"a":' * 100_000, "9" * 5000, "\xff\xfe", "{" * 3],
    ids=lambda text: text[:12],
)
def test_a_manifest_that_is_not_one_is_refused(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_bytes(text.encode("latin-1"))
    error = refusal(folder)
    assert (error.what, error.where) == ("the checkpoint's manifest is damaged", str(folder / MANIFEST))


@pytest.mark.faults
@pytest.mark.parametrize("text", ["[" * 100_000, "{", "", "\xff", "9" * 5000], ids=lambda text: text[:12])
def test_a_document_that_is_not_json_is_refused(folder: Path, text: str) -> None:
    put(folder, "train.json", text.encode("latin-1"))
    error = refusal(folder)
    assert (error.what, error.where) == ("the checkpoint is damaged", str(folder / "train.json"))


@pytest.mark.faults
def test_a_huge_json_file_is_refused_unread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Checkpoint.open(folder)
    monkeypatch.setattr(read, "LARGEST_DOCUMENT", (folder / "train.json").stat().st_size)
    opened.document("train")
    monkeypatch.setattr(read, "LARGEST_DOCUMENT", (folder / "train.json").stat().st_size - 1)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    with pytest.raises(CheckpointError) as caught:
        opened.document("train")
    assert (caught.value.why, caught.value.where) == ("the file is too large", str(folder / "train.json"))
    monkeypatch.setattr(read, "LARGEST_MANIFEST", (folder / MANIFEST).stat().st_size - 1)
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(folder)
    assert (caught.value.why, caught.value.where) == ("the file is too large", str(folder / MANIFEST))


class Payload:
    """A pickle that says so when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("code-was-run",)


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.faults
@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Payload()),
        b"",
        struct.pack("<Q", 100_000_000) + b"{}",
        struct.pack("<Q", 100_000_001) + b"{}",
        struct.pack("<Q", 2**64 - 1) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 40_000) + b'{"a":' * 8_000,
        safetensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)),
        safetensors({"w": {"dtype": "F32", "shape": [2**62, 2], "data_offsets": [0, 8]}}, bytes(8)),
        safetensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(3)),
        safetensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, bytes(8)),
        safetensors({"w": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, bytes(1)),
        safetensors({"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}, bytes(2)),
        safetensors({"w": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}, bytes(1)),
        safetensors({"w": {"dtype": "X", "shape": [1], "data_offsets": [0, 1]}}, bytes(1)),
    ],
    ids=["pickle", "nothing", "100 MB header", "more", "2^64", "a list", "deep", "short", "overflow", "cut", "hole",
         "float8", "bfloat16", "float4", "unknown type"],
)  # fmt: skip
def test_a_file_that_is_not_safetensors_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    put(folder, "model.safetensors", data)
    error = refusal(folder)
    assert (error.what, error.where) == ("the checkpoint is damaged", str(folder / "model.safetensors"))
    assert error.why
    assert not (tmp_path / "code-was-run").exists()
