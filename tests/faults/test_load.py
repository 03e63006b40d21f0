"""Much and long: memory does not grow with the text, nor with the steps, and what a run keeps is bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flat import KINDS, own_kb
from lab import Lab
from ledger import Count, Ledger

from charrnn.config.load import load_config
from charrnn.errors import ConfigError
from charrnn.logs.console import Console
from charrnn.runs.bounds import MOST_VALIDATIONS, refuse_endless
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt

FLAT = Path(__file__).parents[1] / "flat.py"
PREPARE_MB = 12
"""What the peaks for a text and for one eight times as large may differ by; held in memory they would differ by more
than 13 even in the small test."""

TRAIN_MB = 8
"""What the memory of a run may rise by between its first sixth and its end."""

CONFIG = """\
corpus: {source: text.txt, split: [0.9, 0.1, 0.0]}
stream: {lanes: 2, chunk: 4}
model: {input: {size: 2}, core: {hidden: 3, layers: 1}}
train:
  max_steps: 100
  early_stop: null
  log_every: 10
  tensorboard: false
  save: {every: 100, keep: 2}
evaluate: {lanes: 1, chunk: 64, every: 100}
sample: {length: 3}
"""


def test_prepare_takes_as_much_memory_for_eight_times_the_text(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("a source eight times as large: memory stays flat")
    megabytes = str(ledger.times(2, 16))
    environ = os.environ | {"PYTHONPATH": f"{FLAT.parents[1]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, str(FLAT), str(tmp_path), megabytes]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    assert list(found) == list(KINDS)
    for kind, (small, large) in found.items():
        with count.trial():
            assert large - small < PREPARE_MB, kind


class Watcher(Interrupt):
    """Looks at the process, and at the run's folder, where training looks for signals."""

    def __init__(self, run: Path, every: int, first: int, count: Count) -> None:
        super().__init__()
        self._run, self._every, self._first, self._count = run, every, first, count
        self._looks = 0
        self._before: tuple[int, int] | None = None

    def check(self) -> None:
        super().check()
        self._looks += 1
        if self._looks < self._first or self._looks % self._every:
            return
        now = own_kb() >> 10, len(os.listdir("/proc/self/fd"))
        if self._before is None:
            self._before = now
        with self._count.trial():
            assert now[0] - self._before[0] <= TRAIN_MB, "memory grows"
            assert now[1] == self._before[1], "file handles grow"
            kept = sorted(path.name for path in (self._run / "checkpoints").iterdir())
            assert len(kept) <= 3, kept
            there = {"config.yaml", "metrics.jsonl", "samples.jsonl", "checkpoints", "best", "last", ".lock"}
            assert {path.name for path in self._run.iterdir()} <= there


def test_a_long_run_takes_no_more_memory_and_no_more_handles(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("a long run: memory, file handles and checkpoints stay as they are")
    (tmp_path / "text.txt").write_text("a text of few letters, to be read again\n" * 20)
    (tmp_path / "config.yaml").write_text(CONFIG)
    steps = ledger.times(1200, 100_000)  # a day of one update in a second
    loaded = load_config(tmp_path / "config.yaml", [f"train.max_steps={steps}", f"evaluate.every={steps // 24}"])
    watcher = Watcher(tmp_path / "run", steps // 24, steps // 6, count)
    with Console(quiet=True) as console:
        train_run(loaded, tmp_path / "run", "new", tmp_path / "corpora", console, watcher)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == steps // 10 + -(-steps // (steps // 24))  # the last validation may be an odd one
    assert count.tried >= 20


@pytest.mark.parametrize(
    ("overrides", "steps", "hint"),
    [
        (["evaluate.every=1"], 1_000_000, "set evaluate.every to 100 or more"),
        (["evaluate.every=99"], 1_000_000, "set evaluate.every to 100 or more"),
        (["train.log_every=86"], 86_400_000, "set train.log_every to 87 or more"),
        (["evaluate.every=epoch"], 50 * 10_001, "set evaluate.every to 51 or more"),
    ],
)
def test_a_run_that_would_record_without_end_is_refused(
    tmp_path: Path, overrides: list[str], steps: int, hint: str
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    usual = [f"evaluate.every={steps}", f"train.log_every={steps}"]
    config = load_config(tmp_path / "config.yaml", [*usual, *overrides]).config
    with pytest.raises(ConfigError) as caught:
        refuse_endless(config, steps, 50)
    assert caught.value.hint == hint
    key, _, number = hint.removeprefix("set ").removesuffix(" or more").partition(" to ")
    refuse_endless(load_config(tmp_path / "config.yaml", [*usual, f"{key}={number}"]).config, steps, 50)


def test_that_is_said_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a text of few letters, to be read again\n" * 20)
    (tmp_path / "config.yaml").write_text(CONFIG)
    with pytest.raises(ConfigError, match=r"evaluate\.every asks for"):
        Lab(tmp_path).train("run", "new", None, "evaluate.every=1", f"train.max_steps={MOST_VALIDATIONS + 1}")
    assert not (tmp_path / "run").exists()
