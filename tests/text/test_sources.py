"""What may stand after `source:`."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from piping import piped

from charrnn.config.schema.corpus import Corpus
from charrnn.errors import DataError
from charrnn.text import builtin, sources
from charrnn.text.sources import Source, open_source
from charrnn.text.watch import Watch

SHARED = Path(__file__).parents[3] / "shared" / "data"


def found(source: str, base: Path, **keys: str) -> Source:
    settings = Corpus.model_validate({"source": source, **keys})
    with open_source(settings, base=base, corpora=base / "corpora", spool=base, watch=Watch()) as opened:
        return opened


def failure(source: str, base: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        found(source, base)
    assert caught.value.exit_code == 3
    return caught.value


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    for name in ("texts/b.txt", "texts/a.txt", "texts/sub/c.txt", "texts/.hidden", "texts/.git/d.txt", "texts/a/z.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "texts" / "empty").mkdir()
    (tmp_path / "texts" / "broken").symlink_to("nowhere")
    return tmp_path


def test_a_file(texts: Path) -> None:
    source = found("texts/a.txt", texts)
    assert source.name == "a"
    assert [(file.name, file.place) for file in source.files] == [("a.txt", texts / "texts/a.txt")]
    assert found(str(texts / "texts/a.txt"), Path("/")).files == source.files
    (texts / "Mein Buch (2).txt.gz").write_text("x")
    assert found("Mein Buch (2).txt.gz", texts).name == "Mein-Buch-2"


def test_a_folder_is_all_its_files_in_order_but_the_hidden_ones(texts: Path) -> None:
    source = found("texts", texts)
    assert source.name == "texts"
    assert source.folder == (texts / "texts").resolve()
    assert [file.name for file in source.files] == ["a.txt", "a/z.md", "b.txt", "sub/c.txt"]
    assert [file.place for file in source.files] == [texts / "texts" / file.name for file in source.files]


def test_a_glob(texts: Path) -> None:
    assert [file.name for file in found("texts/*.txt", texts).files] == ["texts/a.txt", "texts/b.txt"]
    recursive = found("texts/**/*.txt", texts)
    assert [file.name for file in recursive.files] == ["texts/a.txt", "texts/b.txt", "texts/sub/c.txt"]
    assert found(f"{texts}/texts/?.txt", Path("/")).name == "texts"
    (texts / "odd[1].txt").write_text("x")
    assert [file.name for file in found("odd[1].txt", texts).files] == ["odd[1].txt"]


def test_a_base_that_looks_like_a_glob(tmp_path: Path) -> None:
    base = tmp_path / "b[x]"
    base.mkdir()
    (base / "a.txt").write_text("x")
    assert [file.name for file in found("*.txt", base).files] == ["a.txt"]


def test_what_is_missing(texts: Path) -> None:
    error = failure("texts/aa.txt", texts)
    assert (error.what, error.where) == ("there is no such source", str(texts / "texts/aa.txt"))
    assert error.hint == f"did you mean {texts / 'texts/a.txt'}?"
    assert failure("nowhere/a.txt", texts).hint == "check corpus.source"
    assert failure("texts/*.pdf", texts).what == "the source has no files"
    assert failure("texts/empty", texts).what == "the source has no files"
    os.mkfifo(texts / "pipe")
    assert failure("pipe", texts).what == "the source is neither a file nor a folder"


def test_a_refusal_of_the_system_is_not_passed_over(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scandir)
    assert failure("texts", texts).why == "Permission denied"


def test_names_that_are_not_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/sch\xf6n.txt"
    with open(path, "w") as file:
        file.write("x")
    assert [file.name for file in found("*.txt", tmp_path).files] == ["sch\ufffdn.txt"]


def test_standard_input_is_kept_as_long_as_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, int, int | None]] = []
    watch = Watch(lambda *block: heard.append(block))
    spool = tmp_path / "new"
    opened = open_source(Corpus(source="-"), base=tmp_path, corpora=tmp_path, spool=spool, watch=watch)
    with piped(b"from a pipe", monkeypatch), opened as source:
        assert source.name == "stdin"
        with source.files[0].open() as file:
            assert file.read() == b"from a pipe"
        assert source.files[0].place in [*spool.iterdir()]
    assert list(spool.iterdir()) == []
    assert heard == [("read", 11, None)]


def test_a_stop_while_standard_input_is_read_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    opened = open_source(Corpus(source="-"), base=tmp_path, corpora=tmp_path, spool=tmp_path, watch=Watch(check=stop))
    with piped(b"from a pipe", monkeypatch), pytest.raises(KeyboardInterrupt), opened:
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_url_needs_a_digest(tmp_path: Path) -> None:
    error = failure("https://example.invalid/a.txt", tmp_path)
    assert error.what == "a download needs the sha256 that the file must have"
    assert error.hint is not None
    assert "corpus.sha256" in error.hint


@pytest.mark.parametrize("source", ["file:///etc/passwd", "ftp://example.invalid/a", "data:text/plain,x"])
def test_other_schemes_are_file_names(tmp_path: Path, source: str) -> None:
    assert failure(source, tmp_path).what == "there is no such source"


def test_unknown_names(tmp_path: Path) -> None:
    error = failure("named:nietsche", tmp_path)
    assert error.what == "there is no text named 'named:nietsche'"
    assert error.why is not None
    assert error.why.startswith("known: named:nietzsche, named:tiny-shakespeare, ")
    assert error.hint == "did you mean named:nietzsche?"
    assert failure("builtin:pyton-reference", tmp_path).hint == "did you mean builtin:python-reference?"


def test_the_reference_of_python(tmp_path: Path) -> None:
    source = found("builtin:python-reference", tmp_path)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert source.name == "python-reference"
    assert source.files[0].name == f"builtin:python-reference (Python {version})"
    assert isinstance(source.files[0].place, bytes)
    text = source.files[0].place.decode()
    assert 300_000 < len(text) < 1_000_000
    from pydoc_data.topics import topics

    first, second = sorted(topics)[:2]
    assert text.startswith(f"{topics[first].rstrip()}\n\n{topics[second].lstrip(chr(10))[:40]}")


def test_a_python_without_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert "without the text" in failure("builtin:python-reference", tmp_path).what


@pytest.mark.parametrize("place", ["nietzsche/nietzsche.txt", "nietzsche.txt"])
def test_known_texts_are_looked_for_in_the_data_folder(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARRNN_DATA", str(tmp_path))
    real = SHARED / "nietzsche" / "nietzsche.txt"
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("not he")
    error = failure("named:nietzsche", tmp_path)
    assert error.where == str(path)
    assert error.what == "this file is not the known one that its name says"
    if real.is_file():
        path.write_bytes(real.read_bytes())
        source = found("named:nietzsche", tmp_path)
        assert source.name == "nietzsche"
        assert [(file.name, file.place) for file in source.files] == [("named:nietzsche", path)]


def test_known_texts_are_downloaded_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(url: str, sha256: str, folder: Path, watch: Watch) -> Path:
        asked.append((url.rpartition("/")[2], sha256[:8], folder))
        return tmp_path / "fetched"

    monkeypatch.setattr(sources, "download", download)
    monkeypatch.delenv("CHARRNN_DATA", raising=False)
    assert found("named:tiny-shakespeare", tmp_path).files[0].place == tmp_path / "fetched"
    monkeypatch.setenv("CHARRNN_DATA", str(tmp_path))
    found("named:nietzsche", tmp_path)
    folder = tmp_path / "corpora" / "downloads"
    assert asked == [("input.txt", "86c4e6aa", folder), ("nietzsche.txt", "23cf6987", folder)]


def test_files_with_a_name_lie_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARRNN_DATA", str(tmp_path / "data"))
    error = failure("named:names-by-language", tmp_path)
    assert error.what == "the files of named:names-by-language are not at hand"
    assert "$CHARRNN_DATA/names-by-language/" in str(error.hint)
    folder = tmp_path / "data" / "names-by-language"
    folder.mkdir(parents=True)
    for name in ("Dutch.txt", "Czech.txt", "notes.md"):
        (folder / name).write_text("x\n")
    source = found("named:names-by-language", tmp_path)
    assert [file.name for file in source.files] == ["names-by-language/Czech.txt", "names-by-language/Dutch.txt"]
    assert source.name == "names-by-language"
    monkeypatch.delenv("CHARRNN_DATA")
    assert failure("named:sms-spam", tmp_path).hint is not None


PICTURES = "named:mnist/test-labels"


@pytest.mark.parametrize("name", ["t10k-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte"])
def test_a_packed_file_is_known_by_what_is_in_it(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"labels"
    monkeypatch.setenv("CHARRNN_DATA", str(tmp_path))
    monkeypatch.setitem(
        builtin.KNOWN, PICTURES, replace(builtin.KNOWN[PICTURES], content=hashlib.sha256(content).hexdigest())
    )
    path = tmp_path / "mnist" / name
    path.parent.mkdir()
    for data in (gzip.compress(content, mtime=1), gzip.compress(content, 1, mtime=2), content):
        path.write_bytes(data)
        source = found(PICTURES, tmp_path)
        assert [(file.name, file.place) for file in source.files] == [(PICTURES, content)]
    for data in (gzip.compress(b"others"), gzip.compress(content)[:-9], gzip.compress(content)[:5] + b"x", b"others"):
        path.write_bytes(data)
        error = failure(PICTURES, tmp_path)
        assert (error.what, error.where) == ("this file is not the known one that its name says", str(path))


def test_a_packed_file_is_downloaded_and_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARRNN_DATA", raising=False)
    asked = []

    def download(url: str, sha256: str, folder: Path, watch: Watch) -> Path:
        asked.append((url.rpartition("/")[2], sha256[:8]))
        (tmp_path / "fetched").write_bytes(gzip.compress(b"something else"))
        return tmp_path / "fetched"

    monkeypatch.setattr(sources, "download", download)
    assert failure(PICTURES, tmp_path).where == str(tmp_path / "fetched")
    assert asked == [("t10k-labels-idx1-ubyte.gz", "f7ae60f9")]


def test_a_set_of_pictures_is_no_text(tmp_path: Path) -> None:
    error = failure("named:mnist", tmp_path)
    assert (error.what, error.hint) == ("this name is that of a set of pictures", "set corpus.kind: images")
