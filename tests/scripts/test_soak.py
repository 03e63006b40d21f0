"""The soak: what it gathers, what it records, and the page that is drawn from its record."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import recording
import soak

KEPT = """\
from ledger import Ledger


def test_kept() -> None:
    counts = Ledger()
    kept = counts.fault("a fault that is survived")
    for _ in range(counts.times(2, 50)):
        with kept.trial():
            pass
    counts.close()


def test_the_same_fault_elsewhere() -> None:
    counts = Ledger()
    with counts.fault("a fault that is survived").trial():
        pass
    counts.close()
"""
LOST = """\
from ledger import Ledger


def test_lost() -> None:
    counts = Ledger()
    lost = counts.fault("Fault | of another kind")
    try:
        with lost.trial():
            raise AssertionError
    finally:
        counts.close()
"""
FOUND = {
    "date": "2026-01-02",
    "minutes": 12.0,
    "machine": "a machine",
    "torch": "2.13.0",
    "tests": {"passed": 3, "failed": 0, "skipped": 1},
    "faults": {"a fault": {"tried": 1200, "lost": 0}, "b fault": {"tried": 4, "lost": 1}},
}


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the project's, with a test that goes well."""
    here = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", here)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_kept.py").write_text(KEPT)
    (tmp_path / "page.md").write_text(f"# Above\n\n{soak.BEGIN}\nold\n{soak.END}\n\nBelow\n")
    for name, value in (("RECORD", "record.json"), ("PAGE", "page.md"), ("TESTS", "tests")):
        monkeypatch.setattr(soak, name, tmp_path / value)
    monkeypatch.setattr(recording, "current_commit", lambda *further: "abc1234" if further == ("tests",) else "")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["soak.py", *arguments])
    return soak.main()


def test_a_soak_tries_oftener_records_and_draws_and_can_be_repeated(
    kit: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert run(monkeypatch) == 0
        record = json.loads((kit / "record.json").read_text())
        assert record["commit"] == "abc1234"
        assert record["faults"] == {"a fault that is survived": {"tried": 51, "lost": 0}}
        assert record["tests"] == {"passed": 2, "failed": 0, "skipped": 0}
        page = (kit / "page.md").read_text()
        assert page.startswith("# Above\n\n<!-- soak")
        assert page.endswith("<!-- end of soak -->\n\nBelow\n")
        assert "| a fault that is survived | 51 | 51 | 0 |\n| **all** | 51 | 51 | 0 |\n" in page
        assert "old" not in page
    assert "| a fault that is survived | 51 | 51 | 0 |" in capfd.readouterr().out


def test_what_is_lost_stands_in_the_record_and_is_the_exit_code(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (kit / "tests" / "test_lost.py").write_text(LOST)
    assert run(monkeypatch) == 1
    record = json.loads((kit / "record.json").read_text())
    assert list(record["faults"].items())[1] == ("Fault | of another kind", {"tried": 1, "lost": 1})
    assert record["tests"] == {"passed": 2, "failed": 1, "skipped": 0}
    page = (kit / "page.md").read_text()
    assert "| Fault \\| of another kind | 1 | 0 | **1** |\n| **all** | 52 | 51 | **1** |" in page
    assert "**1 failed**" in page


@pytest.mark.parametrize(("arguments", "tried"), [(["--quick"], 3), (["--only", "elsewhere"], 1)])
def test_what_is_no_whole_soak_is_printed_and_not_recorded(
    kit: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    tried: int,
) -> None:
    monkeypatch.setenv("CHARRNN_SOAK", "1")
    assert run(monkeypatch, *arguments) == 0
    assert f"| a fault that is survived | {tried} | {tried} | 0 |" in capfd.readouterr().out
    assert not (kit / "record.json").exists()
    assert "old" in (kit / "page.md").read_text()


def test_tests_that_cannot_be_run_are_no_record(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (kit / "tests" / "test_kept.py").write_text("no python\n")
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch)
    assert stop.value.code == 2
    assert not (kit / "record.json").exists()


def test_the_table() -> None:
    assert soak.section(FOUND).splitlines() == [
        "| fault | tried | survived | lost |",
        "|---|---:|---:|---:|",
        "| a fault | 1,200 | 1,200 | 0 |",
        "| b fault | 4 | 3 | **1** |",
        "| **all** | 1,204 | 1,203 | **1** |",
        "",
        "2026-01-02, a machine, torch 2.13.0; 12 minutes; 3 tests passed, none failed, 1 left out on this machine.",
    ]
    assert ", commit abc, a machine" in soak.section({"commit": "abc", **FOUND})
    assert not soak.well(FOUND)
    unlost: dict[str, Any] = {**FOUND, "faults": {"a fault": {"tried": 1, "lost": 0}}}
    assert soak.well(unlost)
    assert not soak.well({**unlost, "tests": {"passed": 0, "failed": 1, "skipped": 0}})


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    for page in ("", soak.BEGIN, soak.END):
        with pytest.raises(ValueError, match="has no <!-- soak"):
            soak.drawn(page, FOUND)


def test_the_page_is_drawn_from_the_record() -> None:
    page = soak.PAGE.read_text(encoding="utf-8")
    assert soak.drawn(page, recording.read(soak.RECORD), recording.read(soak.LOAD)) == page


def test_the_page_names_tests_that_are_there() -> None:
    named = re.findall(r"`(tests/\S+)`", soak.PAGE.read_text(encoding="utf-8"))
    assert len(named) > 10
    assert [path for path in named if not (soak.ROOT / path).exists()] == []


def test_what_a_large_corpus_took_stands_below_the_table() -> None:
    page = f"above\n{soak.BEGIN}\n{soak.END}\nbelow\n"
    loaded = {"source_mb": 9984, "machine": "a machine", "prepare": {"own_peak_mb": 61.4}}
    loaded |= {"train": {"steps": 300, "own_peak_mb": 260.6}}
    drawn = soak.drawn(page, FOUND, loaded)
    told = "A text of 10.0 GB (`scripts/load.py`) was prepared with at most 61 MB of memory"
    assert drawn.index("2026-01-02") < drawn.index(told) < drawn.index(soak.END)
    assert "300 updates with 261 MB (a machine)" in drawn
    assert soak.drawn(page, FOUND, {}) == soak.drawn(page, FOUND)
