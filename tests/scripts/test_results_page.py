"""The README and docs/results.md show what docs/results.json holds, and nothing typed by hand."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import recording

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results() -> ModuleType:
    spec = importlib.util.spec_from_file_location("results", ROOT / "scripts" / "results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["results"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_drawn_from_the_record(results: ModuleType) -> None:
    records = recording.read(results.RESULTS)
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == results.page(records)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.partition(results.BEGIN)[2].partition(results.END)[0].strip() == results.table(records).strip()


def test_every_record_says_how_it_was_made(results: ModuleType) -> None:
    for name, record in recording.read(results.RESULTS).items():
        assert {"command", "config", "commit", "machine", "figures", "reference"} <= record.keys(), name
        assert re.fullmatch(r"[0-9a-f]{7,40}", record["commit"]), name
        assert (ROOT / record["config"]).is_file()


def test_every_command_of_the_readme_exists() -> None:
    from charrnn.cli.main import app

    known = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `charrnn ([a-z-]+)", readme, flags=re.MULTILINE)) == known
