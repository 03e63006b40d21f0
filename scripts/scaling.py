"""What a row of `scripts/bench.py` times with two processes: the same training, shared by them, and by one alone."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from contests import SYMBOLS, Side, Sides, Size

CONFIG = """\
corpus: {{source: text.txt}}
stream: {{lanes: 64, chunk: 40}}
model: {{input: {{size: {embedding}}}, core: {{kind: lstm, hidden: {hidden}, layers: 2}}}}
train: {{max_steps: {steps}, log_every: {half}, device: cpu, threads: 1, tensorboard: false, save: {{every: 1000000}}}}
evaluate: {{every: 1000000}}
sample: {{length: 1}}
"""
STEPS, PROCESSES = 24, 2


def training(folder: Path, size: Size) -> Sides:
    """Characters per second of training an LSTM of two layers: by two processes of one thread each, and by one."""
    place = folder / "scaling"
    place.mkdir(exist_ok=True)
    (place / "text.txt").write_text("".join(random.Random(0).choices(SYMBOLS, k=200_000)), encoding="utf-8")
    shape = {"embedding": size.embedding, "hidden": size.hidden, "steps": STEPS, "half": STEPS // 2}
    (place / "train.yaml").write_text(CONFIG.format(**shape), encoding="utf-8")
    return shared(place, PROCESSES), shared(place, 1)


def shared(place: Path, processes: int) -> Side:
    """Trains with so many processes; the figure is that of the second half, which all of them have warmed up for."""
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launch, "-m", "charrnn", "train", "train.yaml", "--force", "--quiet", "--out"]
    run = f"by-{processes}"

    def once() -> float:
        environ = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run([*command, run], cwd=place, env=environ, check=True, capture_output=True)
        lines = (place / run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        records = [record for record in map(json.loads, lines) if record["split"] == "train"]
        return float(records[-1]["chars_per_second"])

    return once
