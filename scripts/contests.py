"""What the rows of `scripts/bench.py` time: two sides, each a function that does its work once and returns a figure.

A contest makes what it needs in a folder of its own: a text of random characters, and networks that have been trained
on it for one step, by the commands that a user would give.
"""

from __future__ import annotations

import random
import string
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Side = Callable[[], float]
Sides = tuple[Side, Side]
Contest = Callable[[Path, "Size"], Sides]

IMPORT_TORCH = [sys.executable, "-c", "import torch"]
SYMBOLS = string.printable[:85]  # with `<start>` a vocabulary of 86
SEED = "The"
TEMPERATURE = 0.8
SAME = 1e-5

CONFIG = """\
corpus: {{source: text.txt}}
stream: {{lanes: 2, chunk: 8}}
model: {{input: {{size: {embedding}}}, core: {{kind: {kind}, hidden: {hidden}, layers: 2}}}}
train: {{max_steps: 1, device: cpu, threads: 1, tensorboard: false}}
sample: {{length: {characters}, temperature: {temperature}}}
"""


@dataclass(frozen=True)
class Size:
    """How large the networks and texts are, and where is computed what can be computed on CUDA, too.

    Attributes:
        characters: what a side that samples writes per round.
        megabytes: the text that is prepared.
    """

    hidden: int = 512
    embedding: int = 128
    characters: int = 300
    megabytes: float = 100.0
    device: str = "cpu"


def start_up(folder: Path, size: Size) -> Sides:
    """Seconds of `charrnn --help`, and of loading torch."""
    return lambda: seconds(charrnn("--help")), lambda: seconds(IMPORT_TORCH)


def first_character(folder: Path, size: Size) -> Sides:
    """Seconds from the command to the first character that an LSTM has drawn, and of loading torch."""
    command = charrnn("sample", str(trained(folder, "lstm", size)), "--quiet", "--seed", SEED)
    return lambda: seconds_to_draw(command), lambda: seconds(IMPORT_TORCH)


def check_same(network: Any, peer: Any, vocabulary: int) -> None:
    """Both give the same scores for the same symbols; else a comparison of their speeds says nothing."""
    import numpy as np

    symbols = random.Random(0).choices(range(vocabulary), k=40)
    state, rows = network.initial_state(1), []
    for symbol in symbols:
        logits_BV, state = network.step(np.array([symbol]), state)
        rows.append(logits_BV[0])
    apart = float(np.abs(np.stack(rows) - peer.logits(symbols)).max())
    if not apart <= SAME:
        sys.exit(f"scripts/bench.py: the two sides do not compute the same: their scores are {apart:.2g} apart")


def trained(folder: Path, kind: str, size: Size) -> Path:
    """A run of a network of two layers; made once per folder."""
    run = folder / kind
    if not run.exists():
        (folder / "text.txt").write_text("".join(random.Random(0).choices(SYMBOLS, k=20_000)), encoding="utf-8")
        text = CONFIG.format(kind=kind, temperature=TEMPERATURE, **vars(size))
        (folder / f"{kind}.yaml").write_text(text, encoding="utf-8")
        command = charrnn("train", f"{kind}.yaml", "--out", kind, "--quiet")
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return run


def charrnn(*arguments: str) -> list[str]:
    """A command of charrnn, by the Python that runs this."""
    return [sys.executable, "-m", "charrnn", *arguments]


def seconds(command: list[str]) -> float:
    """How long a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def seconds_to_draw(command: list[str]) -> float:
    """How long `charrnn sample` takes to its first character; the seed, which it writes in front of it, is none."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        start = child.stdout.read(len(SEED) + 1)
        took = time.perf_counter() - began
        child.stdout.read()
    if child.returncode or len(start) != len(SEED) + 1:
        sys.exit(f"scripts/bench.py: exit code {child.returncode} of {' '.join(command)}")
    return took


def per_second(write: Callable[[], int]) -> float:
    """Characters per second of a function that writes some and returns how many."""
    began = time.perf_counter()
    characters = write()
    return characters / (time.perf_counter() - began)
