"""The script that measures `prepare`, run small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "measure_prepare.py"


def test_the_script_prints_a_table_and_writes_a_record(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    small = ["--text-mb", "0.6", "--line-mb", "0.3", "--folder", str(tmp_path), "--json", str(record)]
    done = subprocess.run([sys.executable, str(SCRIPT), *small], capture_output=True, text=True, check=True)
    cases = json.loads(record.read_text())["cases"]
    assert [case["case"] for case in cases] == ["text", "single line", "single line, gzip", "single line, pipe"]
    assert all(10 < case["peak_mb"] < 300 and case["mb_per_second"] > 0 for case in cases)
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[1:]] == [case["case"] for case in cases]
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
