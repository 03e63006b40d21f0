from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from faultydisk import FaultyDisk

from charrnn.errors import StorageError
from charrnn.files import atomic
from charrnn.files.atomic import beside, make_folder, move, new_folder, remove_folder, sweep, write_bytes, write_json

HOST = hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:8]
REFUSALS = [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG]
OLD, NEW = b"the old content", b"the new content, which is longer"


class FaultySystem(FaultyDisk):
    """A disk that also refuses to open what is only flushed, by `atomic`: who cleans up opens folders, too."""

    @contextmanager
    def installed(self) -> Iterator[FaultyDisk]:
        with super().installed(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(atomic, "os", _Namespace(os, {"open": self.counted("open", os.open)}))
            yield self


class _Namespace:
    def __init__(self, module: Any, others: dict[str, Any]) -> None:
        self.__dict__.update(vars(module) | others)


def write_a_file(place: Path, data: bytes) -> None:
    write_bytes(place, data)


def write_a_folder(place: Path, data: bytes) -> None:
    with new_folder(place) as folder:
        (folder / "one").write_bytes(data)
        (folder / "inner").mkdir()
        (folder / "inner" / "two").write_bytes(data)


def read_either(place: Path) -> bytes | None:
    """The content of what the two functions above write; None where there is nothing. Half of it fails the test."""
    if not place.exists():
        return None
    if place.is_file():
        return place.read_bytes()
    assert sorted(str(p.relative_to(place)) for p in place.rglob("*")) == ["inner", "inner/two", "one"]
    one, two = (place / "one").read_bytes(), (place / "inner" / "two").read_bytes()
    assert one == two
    return one


def no_exchange(one: Path, other: Path) -> bool:
    return False


def storage_error_of(write: Callable[[Path, bytes], None], place: Path) -> StorageError | None:
    try:
        write(place, NEW)
    except StorageError as error:
        return error
    return None


def trials(write: Callable[[Path, bytes], None], folder: Path, old: bytes | None) -> list[str]:
    """Refuse every call in turn, checking what is left each time; returns the calls of the run that went well."""
    for index in range(100):
        place = folder / str(index) / "place"
        place.parent.mkdir(parents=True)
        if old is not None:
            write(place, old)
        with FaultySystem(index, REFUSALS[index % len(REFUSALS)]).installed() as system:
            refusal = storage_error_of(write, place)
        if not system.refused:
            assert refusal is None
            assert read_either(place) == NEW
            return system.calls
        assert refusal is not None, f"{system.calls[-1]} was refused, and nobody was told"
        assert (refusal.exit_code, refusal.where) == (7, str(place))
        assert refusal.hint
        # Only flushing the parent comes after the call that puts the new one in its place.
        took_place = not {"replace", "rename", "renameat2"}.isdisjoint(system.calls[:-1])
        left = NEW if took_place else old
        assert read_either(place) == left, system.calls
        assert os.listdir(place.parent) == ([] if left is None else ["place"])
    pytest.fail("there is no end of calls")


@pytest.mark.faults
@pytest.mark.parametrize("old", [None, OLD], ids=["first", "replacing"])
def test_a_file_is_written_whole_or_not_at_all_whichever_call_is_refused(tmp_path: Path, old: bytes | None) -> None:
    calls = trials(write_a_file, tmp_path, old)
    assert calls == ["open for writing", "write", "flush", "fsync", "replace", "open", "fsync"]


@pytest.mark.faults
@pytest.mark.parametrize("old", [None, OLD], ids=["first", "replacing"])
def test_a_folder_is_written_whole_or_not_at_all_whichever_call_is_refused(tmp_path: Path, old: bytes | None) -> None:
    calls = trials(write_a_folder, tmp_path, old)
    assert calls[-2:] == ["open", "fsync"]
    # Two files, the inner folder, the folder, and at last its parent.
    assert calls.count("fsync") == 5
    assert calls[-3] == ("rename" if old is None else "renameat2")


@pytest.mark.faults
def test_where_the_system_cannot_exchange_two_renames_are_undone_if_the_second_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_a_folder(tmp_path / "place", OLD)
    monkeypatch.setattr(atomic, "_exchange", no_exchange)
    real, seen = os.rename, []

    def rename(source: Path, target: Path) -> None:
        seen.append(target)
        if len(seen) == 2:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(StorageError):
        write_a_folder(tmp_path / "place", NEW)
    assert read_either(tmp_path / "place") == OLD
    assert os.listdir(tmp_path) == ["place"]
    write_a_folder(tmp_path / "place", NEW)
    assert read_either(tmp_path / "place") == NEW
    assert os.listdir(tmp_path) == ["place"]


@pytest.mark.faults
@pytest.mark.parametrize("error", REFUSALS, ids=errno.errorcode.__getitem__)
@pytest.mark.parametrize("write", [write_a_file, write_a_folder])
def test_each_refusal_is_a_storage_error_that_says_what_to_do(
    tmp_path: Path, write: Callable[[Path, bytes], None], error: int
) -> None:
    with FaultySystem(2, error).installed(), pytest.raises(StorageError, match="cannot write") as caught:
        write(tmp_path / "place", NEW)
    assert caught.value.why
    assert caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)
    assert os.listdir(tmp_path) == []


def test_a_refusal_without_advice_is_a_storage_error_in_the_systems_words(tmp_path: Path) -> None:
    for write in (write_a_file, write_a_folder):
        with FaultySystem(1, errno.ELOOP).installed(), pytest.raises(StorageError) as caught:
            write(tmp_path / "place", NEW)
        assert caught.value.why == os.strerror(errno.ELOOP)
        assert os.listdir(tmp_path) == []


def test_an_error_names_the_place_and_never_a_temporary_name(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError) as caught:
        write_bytes(tmp_path / "folder", b"")
    assert caught.value.where == str(tmp_path / "folder")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        make_folder(tmp_path / "file" / "inside")
    assert str(caught.value.where).startswith(str(tmp_path / "file"))
    with pytest.raises(StorageError) as caught:
        write_bytes(tmp_path / "file" / "inside", b"")
    assert caught.value.where == str(tmp_path / "file" / "inside")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_a_folder_replaces_a_folder_only(tmp_path: Path, kind: str) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    if kind == "file":
        place.write_bytes(OLD)
    else:
        place.symlink_to(elsewhere if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(StorageError, match="cannot write") as caught:
        write_a_folder(place, NEW)
    assert caught.value.why == "something else already has this name"
    assert place.is_symlink() or place.read_bytes() == OLD
    assert (elsewhere / "kept").read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "place"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_new_folder_replaces_the_old_one_with_all_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(atomic, "_exchange", no_exchange)
    with new_folder(tmp_path / "place") as folder:
        (folder / "only in the old").write_bytes(OLD)
    write_a_folder(tmp_path / "place", NEW)
    assert read_either(tmp_path / "place") == NEW
    assert os.listdir(tmp_path) == ["place"]


def test_a_folder_that_another_process_puts_there_in_the_last_moment_is_replaced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free_a_moment_ago(path: Path) -> bool:
        path.mkdir()
        (path / "theirs").write_bytes(OLD)
        return False

    with new_folder(tmp_path / "place") as folder:
        (folder / "ours").write_bytes(NEW)
        # `place` is not there yet, and its first look at it is the one before the rename.
        monkeypatch.setattr(Path, "exists", free_a_moment_ago)
    monkeypatch.undo()
    assert os.listdir(tmp_path / "place") == ["ours"]
    assert os.listdir(tmp_path) == ["place"]


def test_this_system_can_exchange_two_folders_in_one_step(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has renameat2")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "was a").touch()
    if not atomic._exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system has no exchange")
    assert os.listdir(tmp_path / "b") == ["was a"]
    with pytest.raises(FileNotFoundError):
        atomic._exchange(tmp_path / "a", tmp_path / "none")


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_an_exception_in_the_block_leaves_nothing_of_the_new_folder(tmp_path: Path, error: type[BaseException]) -> None:
    write_a_folder(tmp_path / "old", OLD)

    def half(name: str) -> None:
        with new_folder(tmp_path / name) as folder:
            (folder / "half").write_bytes(NEW)
            raise error

    for name in ("old", "new"):
        with pytest.raises(error):
            half(name)
    assert read_either(tmp_path / "old") == OLD
    assert os.listdir(tmp_path) == ["old"]


def test_a_new_folder_makes_its_parents_and_takes_read_only_files(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "b") as folder:
        (folder / "file").write_bytes(NEW)
        (folder / "file").chmod(0o444)
    assert (tmp_path / "a" / "b" / "file").read_bytes() == NEW


def test_nothing_is_at_the_place_before_the_block_ends(tmp_path: Path) -> None:
    with new_folder(tmp_path / "place") as folder:
        (folder / "file").write_bytes(NEW)
        assert folder.name.startswith(".tmp-")
        assert not (tmp_path / "place").exists()
    assert not folder.exists()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_bytes(tmp_path / "file", NEW)
        write_a_folder(tmp_path / "folder", NEW)
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "folder", "folder/one")}
    assert modes == {"file": 0o666 & ~umask, "folder": 0o777 & ~umask, "folder/one": 0o666 & ~umask}


def test_json_keeps_letters_readable_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "value", {"ä": [1, "漢", None]})
    text = (tmp_path / "value").read_text(encoding="utf-8")
    assert json.loads(text) == {"ä": [1, "漢", None]}
    assert "ä" in text
    assert "漢" in text
    assert text.endswith("}\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "value", [float("nan")])
    assert (tmp_path / "value").read_text(encoding="utf-8") == text


def test_a_moved_file_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(NEW)
    (tmp_path / "b").write_bytes(OLD)
    move(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == NEW
    assert os.listdir(tmp_path) == ["b"]


def test_a_removed_folder_is_gone_even_where_an_earlier_removal_stopped_half_way(tmp_path: Path) -> None:
    write_a_folder(tmp_path / "place", OLD)
    write_a_folder(beside(tmp_path / "place"), OLD)
    remove_folder(tmp_path / "place")
    assert os.listdir(tmp_path) == []


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_sweep_removes_what_the_dead_left_and_keeps_what_the_living_write(tmp_path: Path) -> None:
    dead = dead_pid()
    foreign = [
        f".tmp-backup-{dead}",
        ".tmp-backup-20240101",
        f"x.tmp-charrnn-a-{HOST}-{dead}",
        f".tmp-charrnn-a-{HOST}-99999999999999",
        f".tmp-charrnn-a-{HOST}-²",
        f".tmp-charrnn-elsewhere-00000000-{dead}",
        ".tmp-charrnn-a",
        "step-00000001",
        f".tmp-charrnn-a-{HOST}-{dead}.txt",
    ]
    kept = [*foreign, f".tmp-charrnn-mine-{HOST}-{os.getpid()}", f".tmp-charrnn-parent-s-{HOST}-{os.getppid()}"]
    for name in [*kept, f".tmp-charrnn-file-{HOST}-{dead}"]:
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / f".tmp-charrnn-folder-{HOST}-{dead}").mkdir()
    (tmp_path / f".tmp-charrnn-folder-{HOST}-{dead}" / "file").write_bytes(b"half")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"whole")
    (tmp_path / f".tmp-charrnn-link-{HOST}-{dead}").symlink_to(tmp_path / "precious")
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "precious"])
    assert os.listdir(tmp_path / "precious") == ["file"]
    sweep(tmp_path / "none")


def test_sweep_puts_back_a_folder_whose_replacement_was_killed_between_two_renames(tmp_path: Path) -> None:
    dead = dead_pid()
    aside = tmp_path / f".tmp-charrnn.old-place-{HOST}-{dead}"
    write_a_folder(aside, OLD)
    sweep(tmp_path)
    assert read_either(tmp_path / "place") == OLD
    write_a_folder(aside, OLD)
    write_a_folder(tmp_path / "place", NEW)
    assert read_either(tmp_path / "place") == NEW
    assert os.listdir(tmp_path) == ["place"]


def test_leftovers_of_an_earlier_process_of_the_same_number_do_not_stand_in_the_way(tmp_path: Path) -> None:
    # In a container every trainer may have process number 1.
    beside(tmp_path / "place").mkdir()
    (beside(tmp_path / "place") / "stray").write_bytes(b"half")
    write_a_folder(tmp_path / "place", NEW)
    assert read_either(tmp_path / "place") == NEW
    assert os.listdir(tmp_path) == ["place"]


WRITER = """
import sys
from itertools import count
from pathlib import Path
from charrnn.files.atomic import new_folder, write_bytes
parent = Path(sys.argv[1])
for n in count(int(sys.argv[2])):
    data = b"%d\\n" % n * 5000
    write_bytes(parent / "file", data)
    with new_folder(parent / "folder") as folder:
        for name in "abc":
            (folder / name).write_bytes(data)
    if n == int(sys.argv[2]):
        print("ready", flush=True)
"""


def version(data: bytes) -> int:
    """The number that the data was written under; half of the data, or a mixture, fails the test."""
    number = int(data.split(b"\n", 1)[0])
    assert data == b"%d\n" % number * 5000
    return number


@pytest.mark.faults
def test_a_process_killed_at_any_moment_leaves_the_old_or_the_new_and_nothing_between(tmp_path: Path) -> None:
    chance = random.Random(20240501)
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    steady = atomic._exchange(tmp_path / "one", tmp_path / "other")
    remove_folder(tmp_path / "one")
    remove_folder(tmp_path / "other")
    last = 0
    for life in range(1, 13):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(life * 10_000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process, ExitStack() as stack:
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            end = time.monotonic() + chance.uniform(0.0, 0.06)
            while time.monotonic() < end:
                # A reader beside the writer finds both, at every moment.
                version((tmp_path / "file").read_bytes())
                assert (tmp_path / "folder").exists() or not steady
            process.send_signal(signal.SIGKILL)
            process.wait()
        file = version((tmp_path / "file").read_bytes())
        numbers = {version((tmp_path / "folder" / name).read_bytes()) for name in "abc"}
        assert sorted(os.listdir(tmp_path / "folder")) == ["a", "b", "c"]
        assert len(numbers) == 1
        assert file - numbers.pop() in (0, 1)
        assert file > last
        last = file
        sweep(tmp_path)
        assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
