"""Timings, side by side: both sides of a row in turn, round after round, and the ratio of each round.

    scripts/bench.py [--only ROW] [--rounds N] [--json]      measure and print
    scripts/bench.py --save [--only ROW] [--rounds N]        … and record: docs/bench.json, docs/performance.md
    scripts/bench.py --draw                                  draw docs/performance.md again

Rows are those below; a new one is a line there, and a function in contests.py that returns its two sides. Everything
runs on one thread and needs no network.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contests
import mixing
import recording
import scaling
import webpage
from contests import Contest, Side, Size
from recording import ROOT

BENCH = ROOT / "docs" / "bench.json"
PAGE = ROOT / "docs" / "performance.md"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

UNITS = {"s": (".2f", "below"), "ms": (".2f", "below"), "characters/s": (",.0f", "at least")}
"""How a figure is written, and on which side of what is wanted its ratio should lie."""


@dataclass(frozen=True)
class Row:
    """Two sides that are timed in turn, in which unit, and the ratio ours / other that is wanted, if one is."""

    ours: str
    other: str
    unit: str
    contest: Contest
    wanted: float | None = None


TORCH, SIZE = '`python -c "import torch"`', Size()
NETWORK = f"2 × {SIZE.hidden} (embedding {SIZE.embedding}, vocabulary {len(contests.SYMBOLS) + 1})"
HALF = NETWORK.replace(str(SIZE.hidden), str(SIZE.hidden // webpage.HALVED))
MESSAGES = f"update of a classifier, GRU {SIZE.hidden // 4}, {{}} rows of {mixing.LENGTH} characters"
ROWS = {
    "start-up": Row("`charrnn --help`", TORCH, "s", contests.start_up, 0.25),
    "first-character": Row(
        f"`charrnn sample`, LSTM {NETWORK}, to the first character drawn", TORCH, "s", contests.first_character, 0.5
    ),
    "sampling-lstm": Row(
        f"sampler, LSTM {NETWORK}",
        "`torch.nn.LSTM`, one character at a time",
        "characters/s",
        contests.sampling("lstm"),
        5.0,
    ),
    "sampling-lstm-plain": Row(
        f"sampler, LSTM {NETWORK}",
        "the same with oneDNN switched off",
        "characters/s",
        contests.sampling("lstm", onednn=False),
    ),
    "sampling-gru": Row(
        f"sampler, GRU {NETWORK}",
        "`torch.nn.GRU`, one character at a time",
        "characters/s",
        contests.sampling("gru"),
    ),
    "page-lstm": Row(
        f"page of `charrnn export`, in Chromium, LSTM {HALF}",
        "`charrnn sample`",
        "characters/s",
        webpage.writing,
    ),
    "two-processes": Row(
        f"training, LSTM {NETWORK}, 64 lanes of 40, by two processes of one thread each",
        "by one",
        "characters/s",
        scaling.training,
        1.8,
    ),
    "mix-two": Row(MESSAGES.format("64 + 16"), "one stream of 80 rows", "ms", mixing.steps("64 + 16", "80"), 1.02),
    "mix-three": Row(
        MESSAGES.format("44 + 16 + 4"), "one stream of 64 rows", "ms", mixing.steps("44 + 16 + 4", "64"), 1.02
    ),
    "mix-concatenated": Row(
        MESSAGES.format("64 + 16"), "a batch concatenated from two", "ms", mixing.steps_concatenated("64 + 16")
    ),
    "mix-batch": Row(
        "the batch of 64 + 16 rows alone", "concatenated from two", "ms", mixing.batches_concatenated("64 + 16")
    ),
}

HOW_TO_READ = """\
# Speed, side by side

Drawn from `bench.json` by `scripts/bench.py`; no figure is typed by hand. `make bench` measures every row anew and
prints it; `scripts/bench.py --save` also records it here.

The two sides of a row run in turn, round after round, on the same machine, one thread each; `ours` and `other` are the
medians of all rounds. **Times and rates belong to the machine; the ratio, ours / other, is what to quote.** It is taken
in each round, where both sides met the same load; shown are the median, the lowest and the highest. Every side runs
once before the first round, so files come from memory.

The first character is the first that the model has drawn, read from a pipe, not the seed that is printed in front of
it. The sampling rows write text, one stream, with temperature, drawing and all; both sides hold the same weights, and
before they are timed their scores for the same characters must agree to 1e-5. On a CPU PyTorch leaves `torch.nn.LSTM`
to oneDNN, which lays the matrices out anew at every call: good for sequences, dear for one character. The row in which
that is switched off shows what is left of the ratio without it.

The page row writes in a browser what `charrnn sample` writes in NumPy, from the same weights; that both compute the
same is a test (`tests/export/`). What is wanted of the page is 200 characters per second.

In the row of two processes both sides train the same network on the same batches, by gloo on one machine; twice the
rate would be perfect, and 1.8 times is wanted. Timed are the last twelve updates of twenty-four.

The mixing rows train a classifier on batches that hold rows of several sources (`stream.mix`), beside one that reads as
many rows from a single source, and beside one whose batches are made source by source and then concatenated, as the
iterator of the course of 2016 did. Their sides take turns step by step; a round is the median of 40 steps of each.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=7, help="(default: %(default)s)")
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
        for name, found in measure(given.only or possible(), given.rounds, SIZE, Path(folder)):
            records[name] = found | conditions(commit)
            if given.save:
                recording.write(BENCH, recording.read(BENCH) | records, ROWS)
                draw()
    print(json.dumps(records, indent=2, ensure_ascii=False) if given.json else table(records).rstrip())


def possible() -> list[str]:
    """The rows that can be measured on this machine; what cannot is said."""
    if webpage.CHROMIUM is None:
        print("page-lstm is left out: there is no Chromium here", file=sys.stderr)
    return [name for name, row in ROWS.items() if webpage.CHROMIUM or row.contest is not webpage.writing]


def measure(names: list[str], rounds: int, size: Size, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the record of each row as it is done; what they need is made in `folder` before the first."""
    print("making the networks …", file=sys.stderr)
    made = [(name, ROWS[name].contest(folder, size)) for name in names]
    for name, (ours, other) in made:
        print(f"timing {name} …", file=sys.stderr)
        yield name, record(ROWS[name], rounds_of(ours, other, rounds))


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


def conditions(commit: str | None) -> dict[str, Any]:
    """What a row was measured on."""
    from charrnn.config.schema import Train
    from charrnn.runs.plan import make_plan

    plan = make_plan(Train(device="cpu", threads=1))
    known = {"processor": plan.device_name, "threads": plan.threads, "torch": plan.torch}
    return {"commit": commit, "machine": recording.machine(), **known}


def table(records: dict[str, Any]) -> str:
    """Ours, the other and the ratio of each row."""
    lines = ["| row | ours | | other | | ratio (lowest – highest) | wanted |", "|---|---|---|---|---|---|---|"]
    for name, found in records.items():
        digits, _ = UNITS[found["unit"]]
        cells = [
            f"{found[side]['what']} | {found[side]['median']:{digits}} {found['unit']}" for side in ("ours", "other")
        ]
        low, high = min(found["ratios"]), max(found["ratios"])
        ratio = f"{short(found['ratio'])} ({short(low)} – {short(high)})"
        lines.append(f"| {name} | {' | '.join(cells)} | {ratio} | {verdict(found)} |")
    return "\n".join(lines) + "\n"


def short(ratio: float) -> str:
    """A ratio to three digits that mean something."""
    return f"{ratio:.3f}" if ratio < 1 else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


def verdict(found: dict[str, Any]) -> str:
    """What is wanted of the ratio, and whether it is so."""
    if found["wanted"] is None:
        return "—"
    _, side = UNITS[found["unit"]]
    met = found["ratio"] < found["wanted"] if side == "below" else found["ratio"] >= found["wanted"]
    return f"{side} {found['wanted']:g}: {'met' if met else '**missed**'}"


def draw() -> None:
    PAGE.write_text(page(recording.read(BENCH)), encoding="utf-8")


def page(records: dict[str, Any]) -> str:
    """docs/performance.md."""
    lines = ["| row | rounds | processor | machine | threads | torch | commit |", "|---|---|---|---|---|---|---|"]
    for name, found in records.items():
        known = (found[key] for key in ("processor", "machine", "threads", "torch", "commit"))
        lines.append(f"| {name} | {len(found['ratios'])} | {' | '.join(map(str, known))} |")
    return f"{HOW_TO_READ}\n{table(records)}\n## Measured on\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
