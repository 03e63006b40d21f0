"""From a source to a corpus: what is in it, when it is made, and that nothing else remains."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from piping import piped

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.prepare import prepare
from charrnn.corpus.ready import Prepared
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import UsageError
from charrnn.text import blocks

Prepare = Callable[..., Prepared[TokenCorpus]]
TEXT = "Das Mädchen\r\nging über die Straße.\n" * 20
LF = TEXT.replace("\r\n", "\n")


def text_of(corpus: TokenCorpus) -> str:
    return "".join(corpus.vocabulary.decode(corpus.split(name).tokens) for name in ("train", "valid", "test"))


@pytest.mark.parametrize("unit", ["char", "word", "byte"])
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_the_text_comes_back(prepared: Prepare, unit: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", block)
    corpus = prepared(TEXT, unit=unit).corpus
    assert text_of(corpus) == (TEXT if unit == "byte" else LF)
    monkeypatch.setattr(blocks, "BLOCK", 1000)
    assert not prepared(unit=unit).fresh


def test_what_is_on_the_disk(prepared: Prepare, tmp_path: Path) -> None:
    result = prepared(TEXT, case="lower", split=[600, "rest", 10])
    corpus, manifest = result.corpus, json.loads((result.corpus.folder / "manifest.json").read_text())
    assert result.fresh
    assert corpus.folder == (tmp_path / "corpora" / f"text-{corpus.digest[:8]}").resolve()
    assert sorted(path.name for path in corpus.folder.iterdir()) == ["manifest.json", "tokens.bin", "vocabulary.json"]
    data = TEXT.encode()
    assert manifest["sources"] == [{"name": "text.txt", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}]
    assert manifest["counts"] == {"tokens": len(LF), "characters": len(LF), "bytes": len(LF.encode()), "replaced": 0}
    assert manifest["settings"]["case"] == "lower"
    assert (manifest["format"], manifest["kind"], manifest["dtype"]) == (1, "tokens", "uint8")
    for name, record in manifest["files"].items():
        content = (corpus.folder / name).read_bytes()
        assert record == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert corpus.vocabulary.symbols == tuple(sorted(set(LF.lower())))
    assert [(split["start"], split["end"]) for split in manifest["splits"].values()] == [
        (0, 600),
        (600, len(LF) - 10),
        (len(LF) - 10, len(LF)),
    ]
    for name in ("train", "valid", "test"):
        split = corpus.split(name)
        text = corpus.vocabulary.decode(split.tokens)
        assert (split.characters, split.bytes) == (len(text), len(text.encode()))


def test_tokens_are_little_endian_and_as_wide_as_needed(prepared: Prepare) -> None:
    text = "".join(map(chr, range(0x100, 0x400)))
    corpus = prepared(text).corpus
    assert corpus.split("train").tokens.dtype == np.uint16
    stored = (corpus.folder / "tokens.bin").read_bytes()
    assert stored == b"".join(id_.to_bytes(2, "little") for id_ in range(1, len(text) + 1))


def test_rare_characters_are_spelled(prepared: Prepare) -> None:
    corpus = prepared(TEXT + "漢", min_count=2).corpus
    assert text_of(corpus) == LF + "漢"
    assert corpus.manifest.counts.tokens == len(LF) + 3
    assert corpus.manifest.counts.characters == len(LF) + 1


def test_the_same_input_is_prepared_once_whatever_the_clock_says(prepared: Prepare, tmp_path: Path) -> None:
    first = prepared(TEXT)
    os.utime(tmp_path / "text.txt", (1, 1))
    before = {path: path.stat().st_mtime_ns for path in first.corpus.folder.iterdir()}
    second = prepared()
    assert (second.fresh, second.corpus.folder, second.corpus.digest) == (
        False,
        first.corpus.folder,
        first.corpus.digest,
    )
    assert {path: path.stat().st_mtime_ns for path in first.corpus.folder.iterdir()} == before


def test_a_changed_source_is_noticed_by_its_content_alone(prepared: Prepare, tmp_path: Path) -> None:
    first = prepared(TEXT)
    times = (tmp_path / "text.txt").stat()
    changed = TEXT.replace("Das", "Dos", 1)
    (tmp_path / "text.txt").write_bytes(changed.encode())
    os.utime(tmp_path / "text.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    second = prepared()
    assert second.fresh
    assert second.corpus.folder != first.corpus.folder
    assert text_of(second.corpus) == changed.replace("\r\n", "\n")


def test_settings_that_change_the_corpus_change_its_digest(prepared: Prepare) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"case": "lower"},
        {"newlines": "keep"},
        {"normal_form": "NFC"},
        {"unit": "word"},
        {"min_count": 2},
        {"split": [0.8, 0.1, 0.1]},
        {"bom": "keep"},
        {"errors": "replace"},
        {"encoding": "latin-1"},
    ]
    digests = [prepared(TEXT, **change).corpus.digest for change in changes]
    assert len(set(digests)) == len(changes)
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    assert prepared(TEXT, sha256=digest).corpus.digest == digests[0]


def test_a_damaged_corpus_is_made_anew(prepared: Prepare) -> None:
    first = prepared(TEXT).corpus
    with (first.folder / "tokens.bin").open("ab") as file:
        file.write(b"x")
    second = prepared()
    assert second.fresh
    assert text_of(second.corpus) == LF


def test_out_is_the_very_folder(prepared: Prepare, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "here"
    first = prepared(TEXT, given={"out": out})
    assert first.fresh
    assert first.corpus.folder == out.resolve()
    assert not prepared(given={"out": out}).fresh
    second = prepared("another text\n", given={"out": out})
    assert second.fresh
    assert text_of(second.corpus) == "another text\n"
    assert sorted(path.name for path in out.parent.iterdir()) == ["here"]
    assert not (tmp_path / "corpora").exists()


def test_out_may_be_an_empty_folder_and_half_a_corpus(prepared: Prepare, tmp_path: Path) -> None:
    out = tmp_path / "here"
    out.mkdir()
    assert prepared(TEXT, given={"out": out}).fresh
    (out / "manifest.json").unlink()
    assert prepared(TEXT, given={"out": out}).fresh


def test_what_is_not_a_corpus_is_never_replaced(prepared: Prepare, tmp_path: Path) -> None:
    out = tmp_path / "here"
    prepared(TEXT, given={"out": out})
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        prepared("another", given={"out": out})
    assert (caught.value.what, caught.value.why) == (
        "the folder holds other things than a corpus",
        "for example notes.txt",
    )
    assert (out / "notes.txt").read_text() == "mine"
    assert text_of(TokenCorpus.open(out)) == LF
    with pytest.raises(UsageError, match="this is a file"):
        prepared("another", given={"out": tmp_path / "text.txt"})
    assert (tmp_path / "text.txt").read_text() == "another"


def test_a_corpus_never_lies_in_its_source(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    for out in (None, tmp_path / "x" / "y"):
        with pytest.raises(UsageError, match="inside its own source"):
            prepare(Corpus(source="."), base=tmp_path, corpora=tmp_path / "corpora", out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_name_of_the_folder(prepared: Prepare) -> None:
    assert prepared(TEXT, given={"name": "mine"}).corpus.folder.name.startswith("mine-")
    assert prepared(source="builtin:python-reference").corpus.folder.name.startswith("python-reference-")


def test_several_files_are_one_text_and_no_word_reaches_over_a_joint(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "b.txt").write_bytes(b"\xef\xbb\xbfward\r")
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfback")
    (folder / "c.gz").write_bytes(gzip.compress(b"\n and out"))
    heard: list[tuple[str, int, int | None]] = []
    corpus = prepare(
        Corpus(source="texts", unit="word", split=(1, 0, 0)),
        base=tmp_path,
        corpora=tmp_path / "corpora",
        progress=lambda *block: heard.append(block),
    ).corpus
    sizes = [path.stat().st_size for path in sorted(folder.iterdir())]
    for label in ("count", "encode"):
        assert [done for name, done, _ in heard if name == label] == list(accumulate(sizes))
    tokens = [corpus.vocabulary.symbol(id_) for id_ in corpus.split("train").tokens.tolist()]
    assert tokens == ["back", "ward", "\\n", "\\n", "<space>", "and", "<space>", "out"]
    assert [source.name for source in corpus.manifest.sources] == ["a.txt", "b.txt", "c.gz"]


def test_standard_input(prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for out in (tmp_path / "out" / "here", None):
        assert not (tmp_path / "corpora").exists()
        with piped(TEXT.encode(), monkeypatch):
            corpus = prepared(source="-", given={"out": out}).corpus
        assert text_of(corpus) == LF
        assert corpus.manifest.sources[0].name == "standard input"
        assert [path.name for path in corpus.folder.parent.iterdir()] == [corpus.folder.name]


def test_a_binary_file_is_prepared_as_bytes(prepared: Prepare) -> None:
    data = bytes(range(256)) + b"\0\0"
    corpus = prepared(data, unit="byte", split=[1, 0, 0]).corpus
    assert corpus.vocabulary.size == 257
    assert corpus.manifest.dtype == "uint16"
    assert b"".join(corpus.vocabulary.utf8[id_] for id_ in corpus.tokens.tolist()) == data


def test_replaced_bytes_are_counted(prepared: Prepare) -> None:
    corpus = prepared(b"ab\xff\xfecd \xe2\x82", errors="replace").corpus
    assert corpus.manifest.counts.replaced == 3
    assert text_of(corpus) == "ab\ufffd\ufffdcd \ufffd"


def test_progress_counts_bytes_up_to_all_of_them(prepared: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 300)
    heard: list[tuple[str, int, int | None]] = []
    corpus = prepared(TEXT, given={"progress": lambda *block: heard.append(block)}).corpus
    size = len(TEXT.encode())
    steps = [*range(300, size, 300), size]
    for label in ("count", "encode"):
        assert [done for name, done, total in heard if name == label] == steps
    assert {total for name, _, total in heard if name != "measure"} == {size}
    assert heard[-1] == ("measure", corpus.manifest.counts.tokens, corpus.manifest.counts.tokens)
    again: list[tuple[str, int, int | None]] = []
    assert not prepared(given={"progress": lambda *block: again.append(block)}).fresh
    assert again == [("look", done, size) for done in steps]


def test_a_source_is_read_once_less_where_its_corpus_cannot_be_there(prepared: Prepare) -> None:
    def labels(**keys: Any) -> list[str]:
        heard: list[str] = []
        prepared(given={"progress": lambda label, *_: heard.append(label)}, **keys)
        return list(dict.fromkeys(heard))

    assert labels(source="builtin:python-reference") == ["count", "encode", "measure"]
    assert labels(source="builtin:python-reference", case="lower") == ["look", "count", "encode", "measure"]


def test_prepare_never_loads_torch() -> None:
    code = "import sys, charrnn.corpus.prepare; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
