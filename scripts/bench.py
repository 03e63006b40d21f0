"""Timings, side by side: commands in turn, round after round, medians and their ratio.

    scripts/bench.py [--rounds N] [--json]

Absolute times say little beyond the machine they were taken on; the ratios are what to quote.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """Two commands that are timed in turn, and the ratio that is wanted of them."""

    name: str
    ours: list[str]
    other: list[str]
    wanted: float


ROWS = [
    Row(
        "start-up: `charrnn --help` against `import torch`",
        [sys.executable, "-m", "charrnn", "--help"],
        [sys.executable, "-c", "import torch"],
        0.25,
    ),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = [measure(row, arguments.rounds) for row in ROWS]
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    for result in results:
        print(
            f"{result['name']}: {result['ours']:.3f} s against {result['other']:.3f} s, "
            f"ratio {result['ratio']:.3f} (wanted: below {result['wanted']})"
        )


def measure(row: Row, rounds: int) -> dict[str, object]:
    seconds([*row.ours]), seconds([*row.other])  # the first run reads from the disk
    pairs = [(seconds(row.ours), seconds(row.other)) for _ in range(rounds)]
    return {
        "name": row.name,
        "ours": statistics.median(ours for ours, _ in pairs),
        "other": statistics.median(other for _, other in pairs),
        "ratio": statistics.median(ours / other for ours, other in pairs),
        "wanted": row.wanted,
        "rounds": rounds,
    }


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
