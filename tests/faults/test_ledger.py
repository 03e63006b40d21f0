"""The counts themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledger import LEDGER, SOAK, Ledger


def test_trials_and_losses_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LEDGER, str(tmp_path / "ledger"))
    counts = Ledger()
    kept, broken = counts.fault("kept"), counts.fault("broken")
    counts.fault("never tried")
    for _ in range(3):
        with kept.trial():
            pass
    with pytest.raises(AssertionError), broken.trial():
        raise AssertionError
    counts.close()
    assert [json.loads(line) for line in (tmp_path / "ledger").read_text().splitlines()] == [
        {"fault": "kept", "tried": 3, "lost": 0},
        {"fault": "broken", "tried": 1, "lost": 1},
    ]


def test_a_soak_tries_oftener(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOAK, raising=False)
    assert Ledger().times(8, 200) == 8
    monkeypatch.setenv(SOAK, "1")
    assert Ledger().times(8, 200) == 200
