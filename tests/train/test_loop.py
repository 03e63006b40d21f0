from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import torch

from charrnn.tasks.language import LanguageTask
from charrnn.train.interrupt import Interrupt
from charrnn.train.loop import Training
from charrnn.train.state import Tally, TrainState

MakeTask = Callable[..., LanguageTask]
MakeState = Callable[[LanguageTask], TrainState]


class Nowhere:
    """Keeps no checkpoints."""

    def due(self, step: int, steps_per_epoch: int, shift: int) -> bool:
        return False

    def late(self) -> bool:
        return False

    def save(self, state: TrainState) -> None:
        pass

    def roll_back(self, state: TrainState) -> bool:
        return False

    def dump(self, report: dict[str, Any]) -> Path:
        return Path("nowhere")


class Lines:
    """Keeps the records."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def log(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def sample(self, step: int, text: str) -> None:
        pass


def run(task: LanguageTask, state: TrainState) -> list[dict[str, Any]]:
    """Train to the end by a clock that ticks once at each look."""
    stream = task.stream("train")
    assert stream is not None
    log, ticks = Lines(), count()
    train, evaluation = task.config.train, task.config.evaluate
    Training(
        task,
        state,
        stream,
        train,
        evaluation,
        torch.device("cpu"),
        Nowhere(),
        log,
        lambda state: "",
        Interrupt(),
        clock=lambda: float(next(ticks)),
    ).run()
    return log.records


def test_the_speed_of_a_resumed_run_counts_what_it_has_read_itself(make_task: MakeTask, make_state: MakeState) -> None:
    task = make_task(train={"precision": "fp64", "max_steps": 4, "log_every": 2}, evaluate={"every": 100})
    fresh = [record for record in run(task, make_state(task)) if record["split"] == "train"]
    resumed = make_state(task)
    resumed.interval = Tally(sum=100.0, count=40_000, steps=1000)
    again = [record for record in run(task, resumed) if record["split"] == "train"]
    assert [record["chars_per_second"] for record in again] == [record["chars_per_second"] for record in fresh]
    assert again[0]["nats"] != fresh[0]["nats"]
