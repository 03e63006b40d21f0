from __future__ import annotations

import os
from pathlib import Path

import pytest

from charrnn.files.regular import open_regular


def test_files_and_links_to_them_are_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"


def test_nothing_else_is_and_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    handles = len(os.listdir("/proc/self/fd"))
    for place in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero")):
        with pytest.raises(OSError, match="Neither a file nor a link to one"):
            open_regular(place)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
    assert len(os.listdir("/proc/self/fd")) == handles
