"""A small laboratory for whole runs: a text, a config with everything random switched on, and stops at will."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.checkpoint.layout import TENSORS, checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.errors import Interrupted
from charrnn.logs.console import Console
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt

TEXT = "".join(chr(97 + (i * i + i // 7) % 13) + ("\n" if i % 29 == 0 else "") for i in range(1200))

CONFIG = """\
corpus: {source: text.txt, split: [0.7, 0.2, 0.1]}
stream: {lanes: 4, chunk: 10}
model:
  input: {size: 6, batchnorm: true, dropout: 0.1}
  core: {hidden: 8, layers: 2, dropout: 0.2, recurrent_dropout: 0.3}
  head: {hidden: [7], dropout: 0.2}
train:
  epochs: 4
  optimizer: {lr: 2e-2}
  schedule: {kind: plateau, patience: 0, factor: 0.5}
  early_stop: null
  log_every: 7
  save: {every: 9}
evaluate: {lanes: 3, chunk: 16, every: 11}
sample: {seed: "abc", length: 20}
"""


class Stopper(Interrupt):
    """Signals at chosen looks: `soft` as SIGTERM would, `hard` as SIGKILL would (nothing is saved)."""

    class Killed(BaseException):
        pass

    def __init__(self, after: int | None = None, hard: bool = False) -> None:
        super().__init__()
        self.left, self.hard = after, hard

    def check(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise self.Killed if self.hard else Interrupted(15)


@dataclass
class Lab:
    """A folder with a text and a config, and a way to train there."""

    path: Path

    def train(
        self, name: str, mode: str = "new", interrupt: Interrupt | None = None, *overrides: str
    ) -> dict[str, Any]:
        loaded = load_config(self.path / "config.yaml", overrides)
        with Console(quiet=True) as console:
            return train_run(loaded, self.path / name, mode, self.path / "corpora", console, interrupt or Interrupt())

    def stopped(self, name: str, after: int, hard: bool = False, mode: str = "new", *overrides: str) -> None:
        with pytest.raises((Stopper.Killed, Interrupted)):
            self.train(name, mode, Stopper(after, hard), *overrides)

    def records(self, name: str, file: str = "metrics.jsonl") -> list[dict[str, Any]]:
        lines = (self.path / name / file).read_text(encoding="utf-8").splitlines()
        records = map(json.loads, lines)
        return [{k: v for k, v in r.items() if k != "time" and not k.endswith("_per_second")} for r in records]


def same_checkpoint(a: Path, b: Path) -> None:
    """Two checkpoints hold the same, bit for bit."""
    one, two = Checkpoint.open(a), Checkpoint.open(b)
    assert one.step == two.step
    assert list(one.files) == list(two.files)
    groups = [name.removesuffix(TENSORS) for name in one.files if name.endswith(TENSORS)]
    for group in groups:
        left, right = one.tensors(group), two.tensors(group)
        assert list(left) == list(right)
        for name in left:
            assert left[name].dtype == right[name].dtype
            np.testing.assert_array_equal(left[name], right[name], err_msg=f"{group} {name}")
    for document in (Path(name).stem for name in one.files if name.endswith(".json")):
        assert one.document(document) == two.document(document)


def resumes(lab: Lab, stops: Sequence[int], hard: bool, *overrides: str) -> None:
    """A run that is stopped again and again after so many looks comes to what one that never was comes to."""
    lab.train("unbroken", "new", None, *overrides)
    for i, after in enumerate(stops):
        lab.stopped("broken", after, hard, "resume" if i else "new", *overrides)
    lab.train("broken", "resume", None, *overrides)
    same_run(lab, "unbroken", "broken")


def same_run(lab: Lab, a: str, b: str) -> None:
    """Two runs have come to the same, bit for bit."""
    for file in ("metrics.jsonl", "samples.jsonl"):
        assert (lab.path / a / file).exists() == (lab.path / b / file).exists()
        if (lab.path / a / file).exists():
            assert lab.records(a, file) == lab.records(b, file)
    for pointer in ("best", "last"):
        assert (lab.path / a / pointer).read_text() == (lab.path / b / pointer).read_text()
    last = checkpoints(lab.path / a / "checkpoints")[-1]
    same_checkpoint(last, lab.path / b / "checkpoints" / last.name)
