"""Timings, side by side: both sides of a row in turn, round after round, and the ratio of each round.

    scripts/bench.py [--only ROW] [--rounds N] [--json]      measure and print
    scripts/bench.py --save [--only ROW] [--rounds N]        … and record: docs/bench.json, docs/performance.md
    scripts/bench.py --draw                                  draw docs/performance.md again

Rows are those of timed.py. Everything runs on one thread and needs no network. `--device cuda` measures on a GPU the
rows that can be measured there, under names of their own. JAX and Keras are asked for in another Python:
CHARRNN_PEERS=/path/to/python, an environment of its own with `pip install jax keras`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import recording
import timings
from contests import Side, Size
from recording import ROOT
from timed import ROWS, SIZE, WANTED_ON_CUDA, Row, impossible

BENCH = ROOT / "docs" / "bench.json"
PAGE = ROOT / "docs" / "performance.md"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

ON_CUDA = "-cuda"
ORDER = [*ROWS, *(f"{name}{ON_CUDA}" for name in ROWS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=7, help="(default: %(default)s)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the records as one JSON object")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--save", action="store_true", help="record what is measured")
    either.add_argument("--draw", action="store_true", help="measure nothing, draw the page")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    if given.draw:
        draw()
        return
    os.environ.update(ONE_THREAD)  # read when NumPy and torch are loaded
    commit = recording.current_commit() if given.save else None
    records = {}
    with tempfile.TemporaryDirectory() as folder:
        names, size = given.only or possible(given.device), replace(SIZE, device=given.device)
        for name, found in measure(names, given.rounds, size, Path(folder)):
            records[name] = found | conditions(commit, given.device)
            if given.save:
                recording.write(BENCH, recording.read(BENCH) | records, ORDER)
                draw()
    print(json.dumps(records, indent=2, ensure_ascii=False) if given.json else timings.table(records).rstrip())


def possible(device: str) -> list[str]:
    """The rows that can be measured here; what cannot is said."""
    for name in ROWS:
        why = impossible(name, device)
        if why is not None:
            print(f"{name} is left out: {why}", file=sys.stderr)
    return [name for name in ROWS if impossible(name, device) is None]


def measure(names: list[str], rounds: int, size: Size, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the record of each row as it is done; what they need is made in `folder` before the first."""
    print("making the networks …", file=sys.stderr)
    made = [(name, ROWS[name].contest(folder, size)) for name in names]
    for name, (ours, other) in made:
        print(f"timing {name} …", file=sys.stderr)
        row, pairs = ROWS[name], rounds_of(ours, other, rounds)
        if size.device == "cpu":
            yield name, record(row, pairs)
        else:
            yield f"{name}{ON_CUDA}", record(replace(row, wanted=WANTED_ON_CUDA.get(name)), pairs)


def rounds_of(ours: Side, other: Side, rounds: int) -> list[tuple[float, float]]:
    """Both figures of each round; a round in front of the first is not counted."""
    ours(), other()
    return [(ours(), other()) for _ in range(rounds)]


def record(row: Row, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """What a row has come to: the medians, and the ratio of each round with their median."""
    ratios = [ours / other for ours, other in pairs]
    return {
        "ours": {"what": row.ours, "median": statistics.median(ours for ours, _ in pairs)},
        "other": {"what": row.other, "median": statistics.median(other for _, other in pairs)},
        "unit": row.unit,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "wanted": row.wanted,
    }


def conditions(commit: str | None, device: str) -> dict[str, Any]:
    """What a row was measured on."""
    from charrnn.config.schema import Train
    from charrnn.runs.plan import make_plan

    plan = make_plan(Train.model_validate({"device": device, "threads": 1}))
    known = {"processor": plan.device_name, "threads": plan.threads, "torch": plan.torch}
    return {"commit": commit, "machine": recording.machine(), **known}


def draw() -> None:
    PAGE.write_text(timings.page(recording.read(BENCH)), encoding="utf-8")


if __name__ == "__main__":
    main()
