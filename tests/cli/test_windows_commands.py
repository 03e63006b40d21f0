"""The commands on a run over windows: what they print speaks of windows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell

pytestmark = pytest.mark.slow

WINDOWS = ("--set", "stream={kind: windows, length: 6, batch: 8}")


def test_tables_pictures_and_samples(shell: Shell) -> None:
    shell("train", "tiny.yaml", "--quiet", *WINDOWS)
    result = json.loads(shell("evaluate", "--json").stdout)
    rows = shell("evaluate", "--quiet").stdout.splitlines()
    assert rows[1].split()[0] == "windows"
    assert rows[2].split()[:3] == ["static", str(result["windows"]), f"{result['nats']:.4f}"]
    assert rows[4] == "mean nats at position k after a cold start (windows of 6 tokens)"
    told = [[str(k), f"{nats:.4f}"] for k, nats in enumerate(result["positions"]["nats"], start=1)]
    assert [row.split() for row in rows[5:]] == told
    assert len(told) == 6
    assert shell("baseline", "tiny.yaml", *WINDOWS).stdout.splitlines()[0].endswith(f"by {result['windows']} windows")
    assert shell("train", "tiny.yaml", "--check", *WINDOWS).stdout.count("windows: ") == 1
    assert "suggested: " in shell("find-lr", "tiny.yaml", "--steps", "30", *WINDOWS).stdout
    assert len(shell("sample", "--seed", "the cat", "--length", "20").stdout) == len("the cat") + 20 + 1
    assert "not evaluated dynamically" in shell("evaluate", "--dynamic", code=2).stderr
    pytest.importorskip("matplotlib")
    shell("evaluate", "--picture", "positions.svg")
    assert "loss after a cold start" in (shell.path / "positions.svg").read_text()
