"""A small laboratory for searches: a text, a config with a space, and stops at will."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.config.load import Loaded, load_config
from charrnn.logs.console import Console
from charrnn.train.interrupt import Interrupt
from charrnn.tune.journal import JOURNAL, open_journal
from charrnn.tune.search import search

CONFIG = """\
corpus: {source: text.txt, split: [0.8, 0.2, 0]}
stream: {lanes: 4, chunk: 8}
model: {input: {size: 3, dropout: 0.1}, core: {hidden: 4}}
train: {max_steps: 300, optimizer: {lr: 2e-2}, schedule: {warmup: 5}, log_every: 10, tensorboard: false}
evaluate: {every: 8}
sample: {length: 5}
tune:
  trials: 6
  max_steps: 24
  space:
    train.optimizer.lr: {kind: log, low: 1e-4, high: 1e-1}
    model.core.hidden: {kind: int, low: 4, high: 8, step: 2}
    model.core.kind: {kind: choice, values: [lstm, gru]}
  sampler: {kind: tpe, startup: 3}
  prune: {after_trials: 2, after_evaluations: 0}
"""


@dataclass
class Tuning:
    """A folder with a text and a config, and a way to search there."""

    path: Path

    def loaded(self, *overrides: str) -> Loaded:
        return load_config(self.path / "config.yaml", overrides)

    def search(self, name: str, *overrides: str, interrupt: Interrupt | None = None) -> dict[str, Any]:
        folder, corpora = self.path / name, self.path / "corpora"
        new_console = lambda: Console(quiet=True)  # noqa: E731
        return search(self.loaded(*overrides), folder, corpora, new_console, interrupt or Interrupt())

    def journal(self, name: str) -> list[dict[str, Any]]:
        """What the journal says of each trial, but for the clocks."""
        return [
            {
                "params": trial.params,
                "state": trial.state.name,
                "values": trial.values,
                "reports": trial.intermediate_values,
                "attributes": trial.user_attrs,
            }
            for trial in open_journal(self.path / name / JOURNAL).get_all_trials(0)
        ]

    def validations(self, name: str, number: int) -> list[float]:
        """The nats of each validation in the records of a trial."""
        path = self.path / name / "trials" / f"{number:04}" / "metrics.jsonl"
        records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return [record["nats"] for record in records if record["split"] == "valid"]


def new_tuning(path: Path) -> Tuning:
    """A laboratory in an empty folder."""
    (path / "text.txt").write_text("the cat sat on the mat, and the dog ate it.\n" * 24, encoding="utf-8")
    (path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return Tuning(path)
