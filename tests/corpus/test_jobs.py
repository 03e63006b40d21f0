"""Several processes make the corpus that one makes, and say what one says."""

from __future__ import annotations

import errno
import gzip
import os
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from crewing import Here

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus import crew as crew_module
from charrnn.corpus import worker as worker_module
from charrnn.corpus.counting import Given
from charrnn.corpus.crew import Crew
from charrnn.corpus.prepare import prepare
from charrnn.corpus.ready import Prepared
from charrnn.corpus.several import Jobs, cores
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import CharRnnError, DataError, DiskFullError, Interrupted, PeerError
from charrnn.text.vocabulary import Vocabulary

Prepare = Callable[..., Prepared[TokenCorpus]]
LINES = "Das Mädchen\r\nging über die Straße; naïve Ω\u0301.\n\n漢字 e\u0301\n"


def jobs(count: int, piece: int = 64) -> dict[str, Any]:
    return {"jobs": Jobs(count, least=1, piece=piece)}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def source(tmp_path: Path) -> None:
    """Files of all kinds: cut, whole, packed, empty, small ones beside each other."""
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("\ufeff" + LINES * 20, encoding="utf-8")
    (folder / "b.gz").write_bytes(gzip.compress((LINES * 5).encode(), mtime=0))
    (folder / "c.txt").write_bytes(b"")
    for number in range(6):
        (folder / f"d{number}.txt").write_text(f"short {number}", encoding="utf-8")
    (folder / "e.txt").write_text("no line ends here " * 30, encoding="utf-8")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crew within this process, which is there at once, and can be looked into."""
    monkeypatch.setattr(crew_module, "Member", Here)


SETTINGS: list[dict[str, Any]] = [
    {},
    {"unit": "word", "min_count": 3},
    {"unit": "byte"},
    {"min_count": 40, "documents": {"text": "\n\n"}},
    {"normal_form": "NFC", "case": "lower", "documents": {"kind": "files"}},
    {"encoding": "latin-1", "newlines": "keep", "part_bytes": 1000},
]


def same_for_any_number(tmp_path: Path, keys: dict[str, Any]) -> None:
    source(tmp_path)
    settings = Corpus.model_validate({"source": "texts", **keys})
    found = []
    for count, piece in ((1, 64), (2, 64), (3, 300)):
        ready = prepare(settings, base=tmp_path, corpora=tmp_path / str(count), **jobs(count, piece))
        assert ready.fresh
        found.append(files(ready.corpus.folder))
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.parametrize("keys", SETTINGS)
@pytest.mark.usefixtures("here")
def test_the_corpus_is_the_same_for_any_number(tmp_path: Path, keys: dict[str, Any]) -> None:
    same_for_any_number(tmp_path, keys)


def test_so_it_is_by_processes(tmp_path: Path) -> None:
    same_for_any_number(tmp_path, {"min_count": 40, "documents": {"text": "\n\n"}, "part_bytes": 999})


@pytest.mark.parametrize("unknown", ["skip", "replace"])
@pytest.mark.usefixtures("here")
def test_what_a_given_vocabulary_lacks_is_told_in_the_order_of_the_text(
    prepared: Prepare, tmp_path: Path, unknown: Any
) -> None:
    given = Given(Vocabulary("char", (), tuple(sorted(set("Das ging\n")))), unknown)
    text = LINES + "".join(f"{chr(0x4E00 - number)} Das ging\n" for number in range(300))
    one = prepared(text, given={"given": given, "out": tmp_path / "1", **jobs(1)})
    two = prepared(given={"given": given, "out": tmp_path / "2", **jobs(2, 20)})
    assert one.lost[:3] == ("M", "ä", "d")
    assert two.lost == one.lost
    assert files(tmp_path / "2") == files(tmp_path / "1")


@pytest.mark.usefixtures("here")
def test_a_corpus_that_may_be_there_is_looked_at_by_all(prepared: Prepare, tmp_path: Path) -> None:
    heard: list[str] = []
    (tmp_path / "out").mkdir()
    watch = {"progress": lambda label, *_: heard.append(label), "out": tmp_path / "out", **jobs(2)}
    assert prepared(LINES * 9, given=watch).fresh
    assert list(dict.fromkeys(heard)) == ["look", "count", "encode", "measure"]
    assert not prepared(given=watch).fresh


@pytest.mark.usefixtures("here")
def test_tokens_that_are_many_wait_for_their_place_in_a_file(
    prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "HELD", 10)
    one = prepared(LINES * 9, given={"out": tmp_path / "1", **jobs(1)})
    two = prepared(given={"out": tmp_path / "2", **jobs(2)})
    assert files(two.corpus.folder) == files(one.corpus.folder)


def failure(prepared: Prepare, tmp_path: Path, text: bytes | None, count: int, **keys: Any) -> CharRnnError:
    with pytest.raises(CharRnnError) as caught:
        prepared(text, given=jobs(count), **keys)
    corpora = tmp_path / "corpora"
    assert not corpora.exists() or list(corpora.iterdir()) == []
    return caught.value


@pytest.mark.parametrize(
    ("text", "keys", "where"),
    [
        (LINES.encode() * 9 + b"ab\ncd\xff\n", {}, "text.txt:38:3"),
        (LINES.encode() * 9 + b"ab\ncd\0\n", {}, "text.txt:38:3"),
        (b"aaaa\n" * 50, {"split": [251, "rest", 0]}, "text.txt"),
        (b"\n" * 500, {}, "text.txt"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_is_wrong_with_a_text_is_told_as_by_one(
    prepared: Prepare, tmp_path: Path, text: bytes, keys: dict[str, Any], where: str
) -> None:
    one, two = (failure(prepared, tmp_path, text, count, **keys) for count in (1, 2))
    assert isinstance(one, DataError)
    assert str(one.where).endswith(where)
    assert (type(two), two.block()) == (type(one), one.block())


@pytest.mark.usefixtures("here")
def test_a_nul_far_behind_the_beginning_is_no_sign_of_a_binary_file(prepared: Prepare, tmp_path: Path) -> None:
    text = LINES.encode() * (5 * 2**20 // len(LINES.encode())) + b"a\0b\n" * 200
    heard: list[int] = []
    one = prepared(text, given={"out": tmp_path / "1", **jobs(1)})
    told = {"progress": lambda label, done, total: heard.append(done if label == "count" else len(text) * 4)}
    two = prepared(given={"out": tmp_path / "2", **told, **jobs(2, 2**20)})
    assert files(two.corpus.folder) == files(one.corpus.folder)
    assert heard == sorted(heard), "nobody thought so, and left it to one process"


class Meddling:
    """A check that changes the world when the work with this label has begun."""

    def __init__(self, label: str, meddle: Callable[[], object]) -> None:
        self.label, self.meddle, self.done = label, meddle, False

    def progress(self, label: str, done: int, total: int | None) -> None:
        if label == self.label and not self.done:
            self.done = True
            self.meddle()


@pytest.mark.parametrize("label", ["count", "encode"])
@pytest.mark.usefixtures("here")
def test_a_source_that_changes_meanwhile(prepared: Prepare, tmp_path: Path, label: str) -> None:
    text = LINES.encode() * 30

    def change() -> None:
        (tmp_path / "text.txt").write_bytes(text[:-1] + b"D")

    meddling = Meddling(label, change)
    with pytest.raises(DataError, match="the source was changed while it was read"):
        prepared(text, given={"progress": meddling.progress, **jobs(2)})
    assert list((tmp_path / "corpora").iterdir()) == []


def test_a_source_that_was_touched_is_read_again_by_one(
    prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others have ended by then: what they still write would lie among its tokens."""
    crews, members = started(monkeypatch), list[int]()
    meddling = Meddling("encode", lambda: os.utime(tmp_path / "text.txt", (1, 1)))

    def progress(label: str, done: int, total: int | None) -> None:
        meddling.progress(label, done, total)
        members.append(len(crews[0].members))

    two = prepared(LINES * 30, part_bytes=100, given={"progress": progress, "out": tmp_path / "2", **jobs(2)})
    assert (members[0], members[-1]) == (2, 0)
    one = prepared(part_bytes=100, given={"out": tmp_path / "1", **jobs(1)})
    assert files(two.corpus.folder) == files(one.corpus.folder)


@pytest.mark.usefixtures("here")
def test_a_full_disk(prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(worker: object, number: int, places: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker_module.Worker, "place", full)
    error = failure(prepared, tmp_path, LINES.encode() * 9, 2)
    assert isinstance(error, DiskFullError)
    assert (error.exit_code, error.why) == (7, "the disk is full")


def test_what_another_process_finds_is_told_by_this_one(prepared: Prepare, tmp_path: Path) -> None:
    error = failure(prepared, tmp_path, LINES.encode() * 9 + b"ab\ncd\xff\n", 2)
    assert str(error.where).endswith("text.txt:38:3")


def test_a_process_that_is_killed(prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crews = started(monkeypatch)
    meddling = Meddling("count", lambda: os.kill(crews[0].members[0].process.pid, signal.SIGKILL))
    with pytest.raises(PeerError) as caught:
        prepared(LINES * 200, given={"progress": meddling.progress, **jobs(2)})
    assert (caught.value.why, caught.value.exit_code) == ("it was ended by signal 9", 8)
    assert gone(crews)


@pytest.mark.parametrize("label", ["count", "encode"])
def test_a_stop_ends_all_and_leaves_nothing(
    prepared: Prepare, tmp_path: Path, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise Interrupted(signal.SIGTERM)

    crews = started(monkeypatch)
    with pytest.raises(Interrupted):
        prepared(LINES * 60, given={"progress": Meddling(label, stop).progress, **jobs(2)})
    corpora = tmp_path / "corpora"
    assert not corpora.exists() or list(corpora.iterdir()) == []
    assert gone(crews)


def started(monkeypatch: pytest.MonkeyPatch) -> list[Crew]:
    """The crews that are started from now on."""
    crews: list[Crew] = []
    real = Crew.start

    def start(crew: Crew) -> None:
        real(crew)
        if crew not in crews:
            crews.append(crew)
            PROCESSES[crew] = [member.process for member in crew.members]

    monkeypatch.setattr(Crew, "start", start)
    return crews


PROCESSES: dict[Crew, list[Popen[bytes]]] = {}


def gone(crews: list[Crew]) -> bool:
    processes = [process for crew in crews for process in PROCESSES.pop(crew)]
    return len(processes) == 2 and all(process.poll() is not None for process in processes)


def test_workers_end_with_whoever_started_them() -> None:
    crew = Crew(1, Corpus(source="x"), lambda: None)
    crew.start()
    (member,) = crew.members
    member.line.close()
    assert member.process.wait(timeout=60) == 0
    crew.members.clear()


def test_workers_load_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        crew_module, "_PROGRAM", crew_module._PROGRAM + "\nsys.exit(7 if 'torch' in sys.modules else 5)"
    )
    crew = Crew(1, Corpus(source="x"), lambda: None)
    crew.start()
    (member,) = crew.members
    member.line.close()
    assert member.process.wait(timeout=60) == 5
    crew.members.clear()


@pytest.mark.parametrize(
    ("data", "keys", "whole"),
    [
        (gzip.compress(b"ab\n" * 99, mtime=0), {}, "a gzip file can be read from its beginning only"),
        (b"ab " * 99, {}, "it has no line ends to be cut at"),
        (("ab\n" * 99).encode("utf-16"), {"encoding": "utf-16"}, "a text in utf-16 cannot be cut before it is read"),
        (b"ab\n" * 99, {}, None),
    ],
)
@pytest.mark.usefixtures("here")
def test_why_one_process_reads_a_large_text(prepared: Prepare, data: bytes, keys: Any, whole: str | None) -> None:
    assert prepared(data, given=jobs(2, 20), **keys).whole == whole


def test_small_texts_are_read_by_one() -> None:
    char, word, formed = (
        Corpus.model_validate({"source": "x", **keys}) for keys in ({}, {"unit": "word"}, {"normal_form": "NFC"})
    )
    two = Jobs(2, least=100, slow=10)
    assert [two.enough(settings, 50) for settings in (char, word, formed)] == [False, True, True]
    assert [two.enough(settings, 100) for settings in (char, word, formed)] == [True, True, True]
    assert not Jobs(1, least=1).enough(char, 10)
    assert Jobs().count == cores() >= 1
