"""The row of the bench that prepares a text, run small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import preparing
import pytest
from contests import Size


def test_both_sides_read_the_text_and_leave_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}
    rmtree, unlink = preparing.shutil.rmtree, Path.unlink

    def removed(path: Path) -> None:
        seen["ours"] = (path / "tokens.bin").stat().st_size
        rmtree(path)

    def unlinked(path: Path) -> None:
        seen["other"] = len(np.load(path))
        unlink(path)

    monkeypatch.setattr(preparing.shutil, "rmtree", removed)
    monkeypatch.setattr(Path, "unlink", unlinked)
    ours, other = preparing.contest(tmp_path, Size(megabytes=0.3))
    assert ours() > 0
    assert other() > 0
    assert seen == {"ours": 300_000, "other": 30_000}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ascii.txt", "part.txt"]


def test_the_text_is_ascii_and_the_same_every_time(tmp_path: Path) -> None:
    first, second = (preparing.written(tmp_path / name, 1.5) for name in "ab")
    data = first.read_bytes()
    assert data == second.read_bytes()
    assert (len(data), data.isascii()) == (1_500_000, True)
    assert 20 < len(set(data)) < 40
