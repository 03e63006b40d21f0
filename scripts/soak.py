"""A soak: every fault that tests/faults knows, far oftener than the tests of every day, and what was lost by it.

    scripts/soak.py [--processes N]           try, record in docs/reliability.json, draw docs/reliability.md
    scripts/soak.py --quick [--only WORD]     try as often as the tests of every day, print, record nothing
    scripts/soak.py --only WORD               a soak of the tests with this word in their names; records nothing
    scripts/soak.py --draw                    draw docs/reliability.md again, with docs/load.json
                                              (scripts/load.py --json docs/load.json)

It can be run again at any time: a record takes the place of the former one when all has been tried, and not before.
Exit code 1 says that something was lost or that a test failed, which is in the record as well.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import recording
from recording import ROOT

from charrnn.files.atomic import write_text

RECORD = ROOT / "docs" / "reliability.json"
LOAD = ROOT / "docs" / "load.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- soak: drawn by scripts/soak.py from docs/reliability.json -->", "<!-- end of soak -->"
TESTS = ROOT / "tests" / "faults"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1, help="test files at a time (default: %(default)s)")
    parser.add_argument("--only", metavar="WORD", help="only the tests with this word in their names")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--quick", action="store_true", help="no oftener than the tests of every day")
    either.add_argument("--draw", action="store_true", help="try nothing, draw the page")
    given = parser.parse_args()
    if given.draw:
        draw()
        return 0
    recorded = not (given.quick or given.only)
    commit = recording.current_commit("tests") if recorded else None
    found = soak(TESTS, not given.quick, given.processes, given.only)
    if recorded:
        recording.write(RECORD, {"commit": commit, **found})
        draw()
    print(section(found), end="")
    return 0 if well(found) else 1


def soak(tests: Path, often: bool, processes: int = 1, only: str | None = None) -> dict[str, Any]:
    """Run the tests, and gather what they counted.

    Args:
        tests: their folder.
        often: try far oftener than every day.
        processes: how many files are tried at a time.
        only: a word in the names of the tests to run.

    Returns:
        The record: when, where, how many tests, and each fault with how often it was tried and how often lost.
    """
    began, since = datetime.now(UTC), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        ledger, report = Path(folder, "ledger"), Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", str(tests)]
        command += ["-n", str(processes), "--dist", "loadfile"] if processes > 1 else []
        command += ["-k", only] if only else []
        environ = {name: value for name, value in os.environ.items() if name != "CHARRNN_SOAK"}
        environ |= {"CHARRNN_LEDGER": str(ledger), "OMP_NUM_THREADS": "1"} | ({"CHARRNN_SOAK": "1"} if often else {})
        done = subprocess.run(command, cwd=ROOT, env=environ, stdout=2, check=False)  # our own output is the table
        if done.returncode not in (0, 1):  # tests that were not run, or not to their end, say nothing
            sys.exit(done.returncode)
        lines = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
        outcome = counted(ElementTree.parse(report).getroot())
    return {
        "date": began.date().isoformat(),
        "minutes": round((time.monotonic() - since) / 60, 1),
        "machine": recording.machine(),
        "torch": version("torch"),
        "tests": outcome,
        "faults": gathered(json.loads(line) for line in lines),
    }


def counted(root: ElementTree.Element) -> dict[str, int]:
    """How many tests passed, failed and were left out, from pytest's report in XML."""
    suites = [{name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")} for suite in root]
    total = {name: sum(suite[name] for suite in suites) for name in ("tests", "failures", "errors", "skipped")}
    failed = total["failures"] + total["errors"]
    return {"passed": total["tests"] - failed - total["skipped"], "failed": failed, "skipped": total["skipped"]}


def gathered(counts: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """The faults by name, with the counts of one name added up."""
    faults: dict[str, dict[str, int]] = {}
    for count in counts:
        known = faults.setdefault(count["fault"], {"tried": 0, "lost": 0})
        known["tried"] += count["tried"]
        known["lost"] += count["lost"]
    return dict(sorted(faults.items(), key=lambda item: item[0].casefold()))


def well(found: dict[str, Any]) -> bool:
    """Whether nothing was lost, and no test failed."""
    return not found["tests"]["failed"] and not any(fault["lost"] for fault in found["faults"].values())


def draw() -> None:
    """Draw the table into docs/reliability.md, whose other text is written by hand."""
    write_text(PAGE, drawn(PAGE.read_text(encoding="utf-8"), recording.read(RECORD), recording.read(LOAD)))


def drawn(page: str, found: dict[str, Any], loaded: dict[str, Any] | None = None) -> str:
    """The page with the table of this record, and with what `scripts/load.py` has recorded; raises ValueError where the
    page has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{section(found)}{of_load(loaded or {})}{END}{after}"


def of_load(loaded: dict[str, Any]) -> str:
    """What a large corpus took, in a sentence; nothing where none was tried."""
    if not loaded:
        return ""
    prepared, trained = loaded["prepare"], loaded["train"]
    return (
        f"\nA text of {loaded['source_mb'] / 1000:.1f} GB (`scripts/load.py`) was prepared with at most "
        f"{prepared['own_peak_mb']:.0f} MB of memory, pages of files left out, and trained on for "
        f"{trained['steps']} updates with {trained['own_peak_mb']:.0f} MB ({loaded['machine']}).\n"
    )


def section(found: dict[str, Any]) -> str:
    """The table of a record, and how it was made."""
    if not found:
        return "No soak has been recorded yet: `make soak`.\n"
    lines = ["| fault | tried | survived | lost |", "|---|---:|---:|---:|"]
    rows = [(name, fault["tried"], fault["lost"]) for name, fault in found["faults"].items()]
    rows.append(("**all**", sum(tried for _, tried, _ in rows), sum(lost for _, _, lost in rows)))
    for name, tried, lost in rows:
        told = name.replace("|", r"\|")
        lines.append(f"| {told} | {tried:,} | {tried - lost:,} | {f'**{lost:,}**' if lost else 0} |")
    tests, commit = found["tests"], f"commit {found['commit']}, " if "commit" in found else ""
    failed = f"**{tests['failed']} failed**" if tests["failed"] else "none failed"
    out = f", {tests['skipped']} left out on this machine" if tests["skipped"] else ""
    where = f"{found['machine']}, torch {found['torch']}; {found['minutes']:g} minutes"
    lines += ["", f"{found['date']}, {commit}{where}; {tests['passed']} tests passed, {failed}{out}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
