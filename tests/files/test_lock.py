from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from charrnn.errors import LockedError, StorageError
from charrnn.files.lock import folder_lock

OWNER = """
import sys
from pathlib import Path
from charrnn.files.lock import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def owner(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns `folder` until its standard input ends."""
    command = [sys.executable, "-c", OWNER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_who_owns_the_folder(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        with pytest.raises(LockedError) as caught, folder_lock(tmp_path):
            pytest.fail("two processes own one folder")
        assert caught.value.exit_code == 2
        assert caught.value.where == str(tmp_path)
        assert caught.value.why == f"owner: process {process.pid} on {socket.gethostname()}"
        assert caught.value.hint
        process.communicate("")
        with folder_lock(tmp_path):
            pass


@pytest.mark.faults
def test_a_killed_owner_leaves_the_folder_unlocked(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with folder_lock(tmp_path):
            assert (tmp_path / ".lock").read_text() == f"process {os.getpid()} on {socket.gethostname()}\n"


def test_the_lock_holds_within_one_process_too_and_ends_with_the_block(tmp_path: Path) -> None:
    with folder_lock(tmp_path), pytest.raises(LockedError), folder_lock(tmp_path):
        pytest.fail("locked twice")
    with pytest.raises(ZeroDivisionError), folder_lock(tmp_path):
        raise ZeroDivisionError
    with folder_lock(tmp_path):
        pass


def test_folders_do_not_lock_each_other(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with folder_lock(tmp_path / "a"), folder_lock(tmp_path / "b"):
        pass


@pytest.mark.faults
@pytest.mark.parametrize("call", ["open", "ftruncate", "write"])
def test_a_full_disk_is_a_storage_error_and_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*args: object, **kwargs: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(StorageError) as caught, folder_lock(tmp_path):
            pytest.fail("owned without a lock")
    assert caught.value.where == str(tmp_path / ".lock")
    with folder_lock(tmp_path):
        pass


def test_an_error_of_the_block_is_not_taken_for_one_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), folder_lock(tmp_path):
        raise BlockingIOError(errno.EAGAIN, "of the block")
    with pytest.raises(OSError, match="of the block"), folder_lock(tmp_path):
        raise OSError(errno.ENOSPC, "of the block")
