"""What the rows of `scripts/bench.py` over training time: `charrnn train`, and the programs of `trainers.py`.

Both sides begin with the same weights, read the same batches and take the same updates of Adam; where a peer's losses
are not those of charrnn, nothing is timed. The figures are those of the second half of the updates, which all sides
have warmed up for. The text is random: what is learned from it does not matter here.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from contests import SYMBOLS, Contest, Side, Sides, Size

CONFIG = """\
corpus: {{source: {source}, split: [0.95, 0.05, 0]}}
stream: {{{stream}}}
model: {{input: {{size: {embedding}}}, core: {{{core}, hidden: {hidden}, layers: {layers}}}}}
train:
  max_steps: {steps}
  log_every: {half}
  optimizer: {{kind: adam, lr: {lr}}}
  schedule: {{kind: constant}}
  device: {device}
  threads: 1
  precision: {precision}
  tensorboard: false
  save: {{every: 1000000}}
evaluate: {{every: 1000000}}
sample: {{length: 1}}
"""
SAME = 1e-2
PYTHON = "CHARRNN_PEERS"
"""The environment's variable that names a Python with JAX and Keras."""
LEARNED = 2.3
CORES = {"lstm": "kind: lstm", "elman": "kind: elman, nonlinearity: relu, init: identity"}


@dataclass(frozen=True)
class Shape:
    """A network and its batches, and how many updates a side takes.

    Attributes:
        kind: of the layers.
        share: the hidden units of the bench's networks are divided by this.
        precision: that of charrnn; peers compute in fp32, or in what they are named after.
    """

    lanes: int = 64
    chunk: int = 40
    kind: str = "lstm"
    share: int = 1
    layers: int = 2
    steps: int = 12
    precision: str = "auto"
    lr: float = 2e-3


LEARNING = Shape(lanes=32, chunk=64, share=2, layers=1, steps=150)


def against(peer: str, shape: Shape = Shape(), same: bool = True) -> Contest:
    """Characters per second of training, by charrnn and by a peer; `same` where both have losses to compare."""

    def contest(folder: Path, size: Size) -> Sides:
        place = prepared(folder, size, shape)
        hand_over(place, shape)
        losses = charrnn_losses(place) if same else []
        return trained(place), by_peer(place, peer, losses)

    return contest


def stateful(folder: Path, size: Size) -> Sides:
    """Characters per second of an epoch of lanes, and of one of as many shuffled windows of the same length."""
    shape = Shape()
    sides = []
    for stream in (f"lanes: {shape.lanes}, chunk: {shape.chunk}", windows(shape)):
        sides.append(trained(prepared(folder, size, shape, stream)))
    return sides[0], sides[1]


def windows(shape: Shape) -> str:
    """The key `stream` of shuffled windows of a shape."""
    return f"kind: windows, batch: {shape.lanes}, length: {shape.chunk}, targets: each"


def until_learned(folder: Path, size: Size) -> Sides:
    """Seconds to a validation loss of `LEARNED` nats: `charrnn train`, and a loop around `torch.nn.LSTM`, each with all
    that it needs from its start to its end. The text is Python's reference, prepared before."""
    place = prepared(folder, size, LEARNING, source="builtin:python-reference")
    hand_over(place, LEARNING)

    def ours() -> float:
        took = run(training(place), place)
        check_learned(records(place, "valid")[-1]["nats"])
        return took

    def other() -> float:
        took = run(peer_command("torch", place), place)
        check_learned(json.loads((place / "torch.json").read_text(encoding="utf-8"))["valid"])
        return took

    return ours, other


def check_learned(nats: float) -> None:
    """A side that has not learned as much is not timed."""
    if not nats <= LEARNED:
        sys.exit(f"scripts/bench.py: the validation loss is {nats:.4f} nats, and should be {LEARNED} by then")


def prepared(folder: Path, size: Size, shape: Shape, stream: str | None = None, source: str = "text.txt") -> Path:
    """A folder with a config and its text."""
    stream = stream or f"lanes: {shape.lanes}, chunk: {shape.chunk}"
    config = CONFIG.format(
        **{**vars(shape), "source": source, "stream": stream, "half": shape.steps // 2, "device": size.device},
        core=CORES[shape.kind],
        hidden=max(1, size.hidden // shape.share),
        embedding=size.embedding,
    )
    place = folder / f"training-{hashlib.sha256(config.encode()).hexdigest()[:8]}"
    place.mkdir(exist_ok=True)
    characters = int(shape.lanes * shape.chunk * (shape.steps + 1) / 0.95)
    (place / "text.txt").write_text("".join(random.Random(0).choices(SYMBOLS, k=characters)), encoding="utf-8")
    (place / "train.yaml").write_text(config, encoding="utf-8")
    return place


def hand_over(place: Path, shape: Shape) -> None:
    """Write down what charrnn begins with and reads; once."""
    if (place / GIVEN).exists():
        return
    import numpy as np
    import torch

    from charrnn.config.load import load_config
    from charrnn.logs.console import Console
    from charrnn.runs.throwaway import throwaway
    from charrnn.train.interrupt import Interrupt

    loaded = load_config(place / "train.yaml", ["train.device=cpu"])
    with Console(quiet=True) as console:
        made = throwaway(loaded, place / "corpora", console, Interrupt())
    cpu, given = torch.device("cpu"), load_config(place / "train.yaml").config.train
    batches = [made.stream.batch(step, cpu) for step in range(shape.steps)]
    valid = made.task.stream("valid")
    held_out = [valid.batch(step, cpu) for step in range(valid.steps_per_epoch)]
    np.savez(
        place / GIVEN,
        **{name: tensor.numpy() for name, tensor in made.state.model.state_dict().items()},
        x=np.stack([batch.x_BT.numpy() for batch in batches]),
        y=np.stack([batch.y_BT.numpy() for batch in batches]),
        **{f"valid_{key}": np.concatenate([getattr(b, f"{key}_BT").numpy() for b in held_out], 1) for key in VALID},
        **{"kind": shape.kind, "lr": given.optimizer.lr, "clip_norm": given.clip_norm},
        **{"threads": given.threads, "device": given.device},
    )


GIVEN = "given.npz"
VALID = ("x", "y", "counts")


def training(place: Path) -> list[str]:
    """The command that trains."""
    return [sys.executable, "-m", "charrnn", "train", "train.yaml", "--force", "--quiet", "--out", "run"]


def trained(place: Path) -> Side:
    """Trains by `charrnn train`; the figure is that of the second half."""

    def once() -> float:
        run(training(place), place)
        return float(records(place, "train")[-1]["chars_per_second"])

    return once


@cache
def charrnn_losses(place: Path) -> list[float]:
    """The mean losses of the first half of the updates, and of the second."""
    run(training(place), place)
    return [record["nats"] for record in records(place, "train")]


def by_peer(place: Path, peer: str, losses: list[float]) -> Side:
    """Trains by a peer."""

    def once() -> float:
        run(peer_command(peer, place), place)
        answer = json.loads((place / f"{peer}.json").read_text(encoding="utf-8"))
        half = len(answer["losses"]) // 2
        found = [sum(part) / half for part in (answer["losses"][:half], answer["losses"][half:])]
        check_same(peer, losses, found)
        return float(answer["characters"] / answer["seconds"])

    return once


def check_same(peer: str, ours: list[float], other: list[float]) -> None:
    """Both sides learn the same; else a comparison of their speeds says nothing."""
    if ours and not all(abs(a - b) <= SAME for a, b in zip(ours, other, strict=True)):
        sys.exit(f"scripts/bench.py: charrnn and {peer} do not compute the same: losses {ours} and {other}")


def peer_command(peer: str, place: Path) -> list[str]:
    """The command by which a peer trains."""
    python = os.environ.get(PYTHON, sys.executable) if peer in ELSEWHERE else sys.executable
    return [python, str(Path(__file__).with_name("trainers.py")), peer, GIVEN, f"{peer}.json"]


ELSEWHERE = ("jax", "keras")
"""The peers that need more than charrnn does."""


def records(place: Path, split: str) -> list[dict[str, Any]]:
    """What a run has recorded of a split."""
    lines = (place / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["split"] == split]


def run(command: list[str], place: Path) -> float:
    """Run a command there, on one core; the seconds that it takes. What it has to say is shown where it fails."""
    began = time.perf_counter()
    environ = os.environ | {"OMP_NUM_THREADS": "1", "KERAS_BACKEND": "jax"}
    with on_one_core():
        done = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"scripts/bench.py: exit code {done.returncode} of {' '.join(command)}\n{done.stderr[-2000:]}")
    return time.perf_counter() - began


@contextmanager
def on_one_core() -> Iterator[None]:
    """What is started inside the block has one core. A wish for one thread is not enough: XLA does not follow it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
