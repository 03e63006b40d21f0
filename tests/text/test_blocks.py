"""The bytes of source files: unpacked, hashed, and the same on every reading."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import pytest

from charrnn.errors import DataError
from charrnn.text.blocks import BLOCK, SourceFile, file_digest, read_blocks


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def content(path: Path) -> bytes:
    return b"".join(read_blocks(SourceFile(path.name, path), sha256(path.read_bytes()), lambda done: None))


def failure(path: Path, digest: str | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        list(read_blocks(SourceFile(path.name, path), digest or sha256(path.read_bytes()), lambda done: None))
    assert caught.value.where == str(path)
    return caught.value


def test_blocks_are_of_bounded_size_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(os.urandom(2 * BLOCK + 5))
    done: list[int] = []
    blocks = list(read_blocks(SourceFile("a", path), sha256(path.read_bytes()), done.append))
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, 5]
    assert done == [BLOCK, 2 * BLOCK, 2 * BLOCK + 5]
    assert b"".join(blocks) == path.read_bytes()
    done.clear()
    assert file_digest(SourceFile("a", path), done.append) == (2 * BLOCK + 5, sha256(path.read_bytes()))
    assert done == [BLOCK, 2 * BLOCK, 2 * BLOCK + 5]


def test_gzip_is_known_by_its_first_bytes_not_by_its_name(tmp_path: Path) -> None:
    packed, plain = tmp_path / "packed.txt", tmp_path / "plain.txt.gz"
    packed.write_bytes(gzip.compress(b"hello ") + gzip.compress(b"world"))
    plain.write_bytes(b"hello")
    assert content(packed) == b"hello world"
    assert content(plain) == b"hello"


def test_a_packed_bomb_comes_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(5 * BLOCK), 9))
    done: list[int] = []
    blocks = read_blocks(SourceFile("bomb", path), sha256(path.read_bytes()), done.append)
    assert [len(block) for block in blocks] == [BLOCK] * 5
    assert done[-1] == path.stat().st_size


@pytest.mark.parametrize("damage", ["cut", "flip", "tail"])
def test_damaged_gzip(tmp_path: Path, damage: str) -> None:
    data = bytearray(gzip.compress(os.urandom(1000)))
    if damage == "cut":
        del data[-9:]
    elif damage == "flip":
        data[500] ^= 1
    else:
        data += b"tail"
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    assert failure(path).what == "the gzip file is damaged"


def test_a_source_that_changes_between_the_passes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one")
    assert failure(path, sha256(b"two")).what == "the source was changed while it was read"


def test_a_file_that_vanished(tmp_path: Path) -> None:
    error = failure(tmp_path / "gone.txt", sha256(b""))
    assert (error.what, error.why) == ("cannot read", "No such file or directory")
    with pytest.raises(DataError, match="cannot read"):
        SourceFile("gone", tmp_path / "gone.txt").size()


def test_bytes_in_memory_are_a_source_too() -> None:
    file = SourceFile("builtin:x", b"abc")
    assert file.size() == 3
    assert file.label == "builtin:x"
    assert file_digest(file, lambda done: None) == (3, sha256(b"abc"))
    assert list(read_blocks(file, sha256(b"abc"), lambda done: None)) == [b"abc"]
