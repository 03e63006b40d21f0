"""What goes wrong while a corpus is made: one clear error, and nothing half-written."""

from __future__ import annotations

import errno
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from charrnn.corpus.ready import Prepared
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import CharRnnError, DataError, StorageError
from charrnn.text import blocks

Prepare = Callable[..., Prepared[TokenCorpus]]
TEXT = "Das Mädchen\r\nging über die Straße.\n" * 20


def text_of(corpus: TokenCorpus) -> str:
    return corpus.vocabulary.decode(corpus.tokens)


def failure(prepared: Prepare, tmp_path: Path, text: str | bytes | None, **keys: Any) -> CharRnnError:
    with pytest.raises(CharRnnError) as caught:
        prepared(text, **keys)
    corpora = tmp_path / "corpora"
    assert not corpora.exists() or list(corpora.iterdir()) == []
    return caught.value


@pytest.mark.parametrize(
    ("text", "keys", "what"),
    [
        (b"", {}, "the text is empty"),
        (b"\xef\xbb\xbf", {}, "the text is empty"),
        (gzip.compress(b"", mtime=0), {}, "the text is empty"),
        (b"aaaa", {}, "there is nothing to learn: the text repeats one symbol"),
        (b"\n\r\n\r", {}, "there is nothing to learn: the text repeats one symbol"),
        (b"aaaa", {"unit": "byte"}, "there is nothing to learn: the text repeats one symbol"),
        (b"word", {"unit": "word"}, "there is nothing to learn: the text repeats one symbol"),
        (b"\x89PNG\r\n\x1a\n\0\0", {}, "wrong byte 0x89: the text is not utf-8"),
        (b"MZ\0\0\1", {}, "NUL character: this is not plain text"),
        (b"MZ\0\0\1", {"unit": "word"}, "NUL character: this is not plain text"),
        (b"some text", {"split": [10, "rest", 0]}, "corpus.split asks for more tokens than the text has"),
        (b"some text", {"sha256": "0" * 64}, "the source is not the file that corpus.sha256 says"),
    ],
)
def test_texts_that_are_refused(
    prepared: Prepare, tmp_path: Path, text: bytes, keys: dict[str, Any], what: str
) -> None:
    error = failure(prepared, tmp_path, text, **keys)
    assert (error.what, error.exit_code) == (what, 3)


class Meddling:
    """A check that changes the world at the n-th block."""

    def __init__(self, at: int, meddle: Callable[[], object]) -> None:
        self.at, self.count, self.meddle = at, 0, meddle

    def __call__(self) -> None:
        self.count += 1
        if self.count == self.at:
            self.meddle()


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("text", ["Dos other text!", "Ω"])
def test_a_source_that_changes_between_the_passes(prepared: Prepare, tmp_path: Path, at: int, text: str) -> None:
    def change() -> None:
        (tmp_path / "text.txt").write_text(text)

    out = tmp_path / "out"
    out.mkdir()  # the corpus may be in there, so the source is looked at first, and counted then
    error = failure(prepared, tmp_path, "Das text", given={"check": Meddling(at, change), "out": out})
    assert list(out.iterdir()) == []
    assert (error.what, error.exit_code) == ("the source was changed while it was read", 3)


def test_a_source_that_changes_when_it_was_looked_at_and_counted_at_once(prepared: Prepare, tmp_path: Path) -> None:
    def change() -> None:
        (tmp_path / "text.txt").write_text("sat text")  # of the same symbols

    error = failure(prepared, tmp_path, "at texts", given={"check": Meddling(1, change)})
    assert (error.what, error.exit_code) == ("the source was changed while it was read", 3)


def test_a_stop_at_any_block_leaves_nothing_half_written(
    prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 300)
    counted = Meddling(0, lambda: None)
    prepared(TEXT, given={"check": counted, "out": tmp_path / "whole"})
    assert counted.count >= 3 * 3

    def stop() -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    prepared("another text", given={"out": out})
    for at in range(1, counted.count + 1):
        with pytest.raises(KeyboardInterrupt):
            prepared(TEXT, given={"check": Meddling(at, stop), "out": out})
        assert text_of(TokenCorpus.open(out, verify=True)) == "another text"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "text.txt", "whole"]


def test_a_full_disk_leaves_nothing(prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    class Full:
        def __init__(self, file: BinaryIO) -> None:
            self.file = file

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *exception: object) -> None:
            self.file.close()

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def full(path: Path, mode: str = "r", *rest: Any) -> Any:
        file = opened(path, mode, *rest)
        return Full(file) if path.name == "tokens.bin" and mode == "wb" else file  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", full)
    error = failure(prepared, tmp_path, TEXT)
    assert isinstance(error, StorageError)
    assert (error.exit_code, error.why) == (7, "the disk is full")


def test_a_folder_that_cannot_be_written(prepared: Prepare, tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        prepared(TEXT, given={"out": tmp_path / "text.txt" / "sub" / "here"})
    assert caught.value.exit_code == 7


def test_an_unreadable_source_is_not_a_failure_of_the_disk(
    prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside the block that writes the corpus, too, a refusal to read is exit code 3."""
    opened, count = blocks.open_regular, 0

    def refuse(path: Path) -> Any:
        nonlocal count
        count += path.name == "text.txt"
        if count == 2:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path)

    (tmp_path / "text.txt").write_text(TEXT)
    monkeypatch.setattr(blocks, "open_regular", refuse)
    error = failure(prepared, tmp_path, None)
    assert count == 2
    assert (error.exit_code, error.what, error.why) == (3, "cannot read", "Permission denied")


@pytest.mark.parametrize("refused", ["iterdir", "is_file"])
def test_a_folder_that_may_not_be_looked_into(
    prepared: Prepare, tmp_path: Path, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "out", getattr(Path, refused)
    out.mkdir()

    def refuse(path: Path) -> Any:
        if out in (path, path.parent):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, refused, refuse)
    if refused == "iterdir":
        with pytest.raises(StorageError, match="cannot write"):
            prepared(TEXT, given={"out": out})
    else:
        with pytest.raises(DataError, match="cannot read"):
            TokenCorpus.open(out)
