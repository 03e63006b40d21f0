"""A small laboratory for rounds of pseudo-labels: words of three kinds, few of them labelled, and stops at will."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import Stopper

from charrnn.checkpoint.layout import checkpoints
from charrnn.config.load import Loaded, load_config
from charrnn.errors import Interrupted
from charrnn.logs.console import Console
from charrnn.pseudo.command import pseudolabel
from charrnn.train.interrupt import Interrupt

CONFIG = """\
task: classify
corpus: {source: words.csv, split: [0.6, 0.2, 0.2], min_count: 1, labelled: 24}
stream: {batch: 8}
model:
  input: {size: 6, dropout: 0.1}
  core: {kind: gru, hidden: 8}
  pool: max
train:
  max_steps: 24
  optimizer: {lr: 3e-2}
  schedule: {warmup: 5}
  log_every: 30
  save: {every: 7}
  tensorboard: false
evaluate: {every: 12}
pseudo:
  rounds: 2
  rows: 4
  select: {kind: confidence, above: 0.5}
  stop: {patience: null, better: nats}
"""


def words(count: int = 300) -> str:
    """Words of three kinds, told apart by the order of two letters."""
    lines, pairs = ["text,label"], ("ab", "ba", "bb")
    for number in range(count):
        filler = "".join(chr(99 + (number // 7**i + i * i) % 7) for i in range(3 + number % 4))
        kind = number % 3
        lines.append(f"{filler}{pairs[kind]}{filler[: number % 3]},{('up', 'down', 'flat')[kind]}")
    return "\n".join(lines) + "\n"


@dataclass
class PseudoLab:
    """A folder with a table and a config, and a way to do rounds there."""

    path: Path

    def loaded(self, *overrides: str) -> Loaded:
        return load_config(self.path / "config.yaml", overrides)

    def rounds(
        self, name: str, *overrides: str, interrupt: Interrupt | None = None, force: bool = False
    ) -> dict[str, Any]:
        folder, corpora = self.path / name, self.path / "corpora"
        new_console = lambda: Console(quiet=True)  # noqa: E731
        return pseudolabel(self.loaded(*overrides), folder, corpora, new_console, interrupt or Interrupt(), force)

    def lives(self, name: str, *overrides: str, hard: bool, after: Sequence[int]) -> int:
        """Do rounds that are stopped after so many looks at the signals, go on, are stopped again, until they are done;
        say how often that was."""
        lives = 0
        for looks in (*after, 10**9):
            try:
                self.rounds(name, *overrides, interrupt=Stopper(looks, hard))
            except (Stopper.Killed, Interrupted):
                lives += 1
        return lives


def new_lab(path: Path) -> PseudoLab:
    """A laboratory in an empty folder."""
    (path / "words.csv").write_text(words(), encoding="utf-8")
    (path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return PseudoLab(path)


def all_that_came(folder: Path) -> list[Any]:
    """Manifests, labels and weights, by their places."""
    found: list[Any] = [json.loads((folder / "result.json").read_text()), (folder / "report.md").read_text()]
    for path in sorted([*folder.rglob("labels.csv"), *folder.rglob("ratings.csv")]):
        found += [str(path.relative_to(folder)), path.read_bytes()]
    for run in sorted(path.parent for path in folder.rglob("checkpoints")):
        last = checkpoints(run / "checkpoints")[-1]  # a signal leaves further ones
        found += [str(last.relative_to(folder)), (last / "model.safetensors").read_bytes()]
    return found
