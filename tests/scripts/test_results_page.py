"""The README and docs/results.md show what docs/results.json holds, and nothing typed by hand."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import page
import pytest
import recording
import results
from rows import ROWS

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.findall(r"^matplotlib==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_pages_are_drawn_from_the_record() -> None:
    records = recording.read(results.RESULTS)
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == page.page(records)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.partition(results.BEGIN)[2].partition(results.END)[0].strip() == page.short_table(records).strip()


@pytest.mark.skipif(version("matplotlib") not in PINNED, reason="another matplotlib draws other bytes")
def test_the_pictures_are_drawn_from_the_record(tmp_path: Path) -> None:
    page.draw_pictures(tmp_path, recording.read(results.RESULTS))
    for picture in tmp_path.iterdir():
        assert picture.read_bytes() == (ROOT / "docs" / picture.name).read_bytes(), "make results"


def test_every_record_says_how_it_was_made() -> None:
    for name, record in recording.read(results.RESULTS).items():
        assert {"command", "config", "commit", "machine", "figures", "reference"} <= record.keys(), name
        assert re.fullmatch(r"[0-9a-f]{7,40}", record["commit"]), name
        assert record["title"] == ROWS[name].title
        assert record["config"] == ROWS[name].config
        assert (ROOT / record["config"]).is_file()


def test_every_config_of_the_course_is_a_row() -> None:
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "configs" / "course").iterdir()}
    assert shipped <= {row.config for row in ROWS.values()}


def test_rows_are_held_against_rows_that_are_measured_before_them() -> None:
    names = list(ROWS)
    for name, row in ROWS.items():
        assert row.against is None or names.index(row.against) < names.index(name)


def test_every_command_of_the_readme_exists() -> None:
    from charrnn.cli.main import app

    known = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `charrnn ([a-z-]+)", readme, flags=re.MULTILINE)) == known
