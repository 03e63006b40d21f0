"""Whole runs whose updates run ahead of a look, over memory that stays: bit for bit those of today, faults and all."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch
from lab import Lab, same_run
from tape import taped

from charrnn.contracts import Loss, Stream, Task
from charrnn.errors import DivergedError
from charrnn.runs import session
from charrnn.runs.plan import Plan
from charrnn.tasks.language import LanguageTask
from charrnn.train.ahead import Ahead
from charrnn.train.state import TrainState

CPU = torch.device("cpu")
MODELS = {
    "lstm": (),
    "gru": ("model.core={kind: gru, hidden: 8, dropout: 0.2}",),
    "layer norm": ("model.core={kind: ln-lstm, hidden: 6, recurrent_dropout: 0.2}",),
    "in parts": ("model={input: {size: 6, dropout: 0.1}, core: {hidden: 8}}", "train.micro_batches=3"),
    "two texts": (
        "stream={lanes: 4, chunk: 10, reset_chance: 0.1, mix: {again: {corpus: {source: text.txt}, lanes: 2}}}",
    ),
    "mingru": ("model.core={kind: mingru, hidden: 8, layers: 2}", "train.scan=loop"),
}


@pytest.fixture
def run_ahead(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Ahead]]:
    """From then on updates run ahead, by tokens that lie on the device, the CPU; returns what lets them."""
    monkeypatch.chdir(lab.path)
    made: list[Ahead] = []

    def ahead_of(plan: Plan, task: Task, state: TrainState, stream: Stream, say: Callable[[str], None]) -> Ahead:
        train, clock = task.config.train, (i / 1e3 for i in count())
        made.append(Ahead(task, state, stream, train, CPU, taped, say, clock.__next__))
        return made[-1]

    def with_tokens(plan: Plan, task: LanguageTask) -> Plan:
        assert task.keep_tokens_on(CPU, lambda device: 1 << 30) != bool(task.beside)
        return plan

    def begin() -> list[Ahead]:
        monkeypatch.setattr(session, "ahead_of", ahead_of)
        monkeypatch.setattr(session, "with_tokens", with_tokens)
        return made

    return begin


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_run_ahead_is_the_run_of_today(lab: Lab, run_ahead: Callable[[], list[Ahead]], model: str) -> None:
    lab.train("one by one", "new", None, *MODELS[model])
    made = run_ahead()
    lab.train("ahead", "new", None, *MODELS[model])
    same_run(lab, "one by one", "ahead")
    assert made[-1].graphs
    assert made[-1].most > 7


@pytest.mark.slow
@pytest.mark.parametrize("hard", [False, True])
def test_a_run_ahead_that_is_stopped_goes_on_as_if_it_had_not_been(
    lab: Lab, run_ahead: Callable[[], list[Ahead]], hard: bool
) -> None:
    lab.train("unbroken")
    run_ahead()
    lab.stopped("broken", 20, hard)
    lab.stopped("broken", 15, hard, "resume")
    lab.train("broken", "resume")
    same_run(lab, "unbroken", "broken")


def test_the_guard_goes_back_and_gives_up_as_today(
    lab: Lab, run_ahead: Callable[[], list[Ahead]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three batches in a row have a loss that is none: at the third the run goes back, and there again it ends."""
    sound, targets = LanguageTask.loss, []

    def loss(task: LanguageTask, model: Any, batch: Any, state: Any, draws: Any = None) -> Loss:
        found = sound(task, model, batch, state, draws)
        hits = [(batch.y_BT == y_BT).all() for y_BT in targets if y_BT.shape == batch.y_BT.shape]
        if not hits:
            return found
        spoil = torch.where(torch.stack(hits).any(), torch.tensor(math.nan), torch.tensor(1.0))
        return dataclasses.replace(found, each=found.each * spoil)

    def training_stream(task: Task) -> Stream:
        stream = task.stream("train")
        assert stream is not None
        targets[:] = [stream.batch(step, CPU).y_BT for step in (13, 14, 15)]
        return stream

    monkeypatch.setattr(session, "training_stream", training_stream)
    monkeypatch.setattr(LanguageTask, "loss", loss)
    settings = ("train.guard.skips=3", "train.log_every=40", "evaluate.every=40", "train.save.every=6")
    for name in ("one by one", "ahead"):
        with pytest.raises(DivergedError, match="3 updates in a row"):
            lab.train(name, "new", None, *settings)
        made = run_ahead()
    assert made[0].most > 7
    one, other = (json.loads((lab.path / name / "diverged.json").read_text()) for name in ("one by one", "ahead"))
    assert json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)  # as texts: NaN is not itself
    assert (one["step"], one["rate_scale"]) == (16, 0.5)
    assert lab.records("one by one") == lab.records("ahead")
