"""What `scripts/bench.py` times with two processes: a training shared by them, beside the same by one alone, and beside
two at once that know nothing of each other."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from contests import SYMBOLS, Side, Sides, Size

CONFIG = """\
corpus: {{source: text.txt}}
stream: {{lanes: {lanes}, chunk: 40}}
model: {{input: {{size: {embedding}}}, core: {{kind: lstm, hidden: {hidden}, layers: 2}}}}
train: {{max_steps: {steps}, log_every: {half}, device: cpu, threads: 1, tensorboard: false, save: {{every: 1000000}}}}
evaluate: {{every: 1000000}}
sample: {{length: 1}}
"""
STEPS, PROCESSES, LANES = 24, 2, 64


def training(folder: Path, size: Size) -> Sides:
    """Characters per second of training an LSTM of two layers: by two processes of one thread each, and by one."""
    place = _place(folder, size, LANES)
    return shared(place, PROCESSES), shared(place, 1)


def apart(folder: Path, size: Size) -> Sides:
    """The same by two processes that share a run, and by two at once of which each has a run of its own with half of
    the lanes: what the machine has for two."""
    return shared(_place(folder, size, LANES), PROCESSES), at_once(_place(folder, size, LANES // PROCESSES), PROCESSES)


def _place(folder: Path, size: Size, lanes: int) -> Path:
    """A folder with a text, and the config of a training of so many lanes."""
    place = folder / f"scaling-{lanes}"
    place.mkdir(exist_ok=True)
    (place / "text.txt").write_text("".join(random.Random(0).choices(SYMBOLS, k=200_000)), encoding="utf-8")
    shape = {"lanes": lanes, "embedding": size.embedding, "hidden": size.hidden, "steps": STEPS, "half": STEPS // 2}
    (place / "train.yaml").write_text(CONFIG.format(**shape), encoding="utf-8")
    return place


def shared(place: Path, processes: int) -> Side:
    """Trains a run with so many processes; the figure is that of the second half, which all of them have warmed up
    for."""
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []

    def once() -> float:
        if _training(place, f"by-{processes}", launch).wait() != 0:
            raise RuntimeError(f"the training of {processes} processes failed")
        return _speed(place / f"by-{processes}")

    return once


def at_once(place: Path, runs: int) -> Side:
    """Trains so many runs at once, each with a process of its own; the figure is the sum of theirs."""

    def once() -> float:
        names = [f"apart-{number}" for number in range(runs)]
        begun = [_training(place, name) for name in names]
        if any([each.wait() for each in begun]):  # noqa: C419 - all are waited for
            raise RuntimeError("one of the trainings failed")
        return sum(_speed(place / name) for name in names)

    return once


def _training(place: Path, run: str, launch: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    command = [sys.executable, *launch, "-m", "charrnn", "train", "train.yaml", "--force", "--quiet", "--out", run]
    environ = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=place, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _speed(run: Path) -> float:
    """Characters per second as the last record of a run has it."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if record["split"] == "train"]
    return float(records[-1]["chars_per_second"])
