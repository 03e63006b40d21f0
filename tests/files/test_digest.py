from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from charrnn.files import digest

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_bytes_have_the_digest_of_the_standard() -> None:
    assert digest.of_bytes(b"abc") == ABC
    assert digest.of_bytes(b"") == EMPTY


@pytest.mark.parametrize("size", [0, 3, 1 << 18, (1 << 18) + 1, 1_000_003])
def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path, size: int) -> None:
    data = (b"0123456789" * (size // 10 + 1))[:size]
    (tmp_path / "file").write_bytes(data)
    assert digest.of_file(tmp_path / "file") == hashlib.sha256(data).hexdigest() == digest.of_bytes(data)


def test_a_missing_file_is_the_caller_s_to_explain(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest.of_file(tmp_path / "none")


def test_the_order_of_keys_plays_no_part_and_that_of_items_does() -> None:
    assert digest.of_json({"a": 1, "b": {"c": 2, "d": 3}}) == digest.of_json({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest.of_json([1, 2]) != digest.of_json([2, 1])


def test_the_digest_of_a_json_value_is_pinned() -> None:
    # Corpora on users' disks are known by it.
    assert digest.of_json({"ö": [1, 0.5, None, True], "a": "x y"}) == digest.of_bytes(
        b'{"a":"x y","\\u00f6":[1,0.5,null,true]}'
    )
