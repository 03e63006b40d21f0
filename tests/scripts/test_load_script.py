"""The script that prepares and trains a corpus of many gigabytes, run small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import load
import pytest

SCRIPT = Path(load.__file__)


@pytest.mark.slow
def test_it_writes_a_record_and_leaves_nothing_else(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    small = ["--gb", "0.001", "--steps", "3", "--folder", str(tmp_path), "--json", str(record)]
    environ = os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])}
    subprocess.run([sys.executable, str(SCRIPT), *small], env=environ, check=True, stdout=subprocess.PIPE)
    found = json.loads(record.read_text())
    assert 0 < found["prepare"]["bytes"] <= 1_000_000
    assert found["train"]["steps"] == 3
    assert 10 < found["prepare"]["own_peak_mb"] <= found["prepare"]["peak_mb"] < 300
    assert found["train"]["chars_per_second"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_text_of_any_size_takes_the_disk_of_its_passage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PASSAGE", 1000)
    (tmp_path / "text").write_bytes(b"0123456789" * 30)
    assert load.links(tmp_path, tmp_path / "text", 10_500) == 9900
    names = sorted((tmp_path / "links").iterdir())
    assert len(names) == 11
    assert {name.stat().st_ino for name in names} == {(tmp_path / "passage").stat().st_ino}
    assert names[0].read_bytes() == b"0123456789" * 90


def test_too_little_disk_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="MB free"):
        load.run(tmp_path, 10**18, None, 1)
    assert list(tmp_path.iterdir()) == []
