"""The guard of the training step under fire: numbers that are not finite, put into every place that an update reads.

How whole runs go back and end is in `tests/runs/test_guard.py`; here is what no single update may let through.
"""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lab import CONFIG, TEXT, Lab
from ledger import Ledger
from torch import Tensor

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.contracts import Loss
from charrnn.errors import DivergedError
from charrnn.logs.console import Console
from charrnn.runs.throwaway import Throwaway, throwaway
from charrnn.tasks.language import LanguageTask
from charrnn.train import loop, step
from charrnn.train.evaluate import Evaluation
from charrnn.train.interrupt import Interrupt
from charrnn.train.state import TrainState, model_arrays, running_statistics

VALUES = (math.nan, math.inf, -math.inf)
KINDS = {
    "statistics": [],
    "ema and eve": ["train.average={kind: ema, decay: 0.9}", "train.optimizer={kind: eve, betas: [0.9, 0.99, 0.9]}"],
    "parts": ["model.input.batchnorm=false", "train.micro_batches=3"],
}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return Lab(tmp_path)


def trial(lab: Lab, *overrides: str) -> Throwaway:
    loaded = load_config(lab.path / "config.yaml", overrides)
    with Console(quiet=True) as console:
        return throwaway(loaded, lab.path / "corpora", console, Interrupt())


def snapshot(state: TrainState) -> dict[str, bytes]:
    """All that continuing needs, bit for bit, the average of the weights and what belongs to no parameter among it."""
    arrays = {f"{group}/{name}": array for group, found in state.groups().items() for name, array in found.items()}
    if state.average is not None:
        arrays |= {f"average/{name}": array for name, array in model_arrays(state.average.model).items()}
        arrays["average/count"] = np.array(state.average.count)
    return {name: array.tobytes() for name, array in arrays.items()}


def spoil(tensor: Tensor, chance: random.Random) -> Tensor:
    """The tensor with one number that is none."""
    spoiled = tensor.detach().clone()
    spoiled.view(-1)[chance.randrange(spoiled.numel())] = chance.choice(VALUES)
    return spoiled


@contextmanager
def poisoned(run: Throwaway, place: str, chance: random.Random) -> Iterator[None]:
    """One number that is none in the next update: in one loss, one gradient, one lane's state, one statistic."""
    task: Any = run.task
    sound, model, calls = task.loss, run.state.model, [0]
    which = chance.randrange(run.task.config.train.micro_batches)
    hooks = []
    if place == "gradient":
        parameter = chance.choice([p for p in model.parameters() if p.requires_grad])
        hooks.append(parameter.register_hook(lambda gradient: spoil(gradient, chance)))

    def loss(*arguments: Any) -> Loss:
        result: Loss = sound(*arguments)
        calls[0] += 1
        if calls[0] - 1 != which:
            return result
        if place == "loss":
            weights = torch.ones_like(result.each)
            return dataclasses.replace(result, each=result.each * spoil(weights, chance))
        if place == "state":
            name = chance.choice(list(result.state))
            return dataclasses.replace(result, state={**result.state, name: spoil(result.state[name], chance)})
        if place == "statistics":
            moved = chance.choice(list(running_statistics(model).values()))
            moved.copy_(spoil(moved, chance))
        return result

    task.loss = loss
    try:
        yield
    finally:
        task.loss = sound
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_that_is_none_changes_nothing_but_the_counts(lab: Lab, ledger: Ledger, kind: str) -> None:
    run, chance = trial(lab, *KINDS[kind]), random.Random(kind)
    count = ledger.fault("NaN or infinity in the loss, a gradient, a state or a statistic")
    run.advance(0.02)
    for i in range(ledger.times(24, 600)):
        place = chance.choice([*(["statistics"] if kind != "parts" else []), "loss", "gradient", "state"])
        with count.trial():
            before, done = snapshot(run.state), run.state.step
            with poisoned(run, place, chance):
                result = run.advance(0.02)
            assert result.skipped, (i, place)
            assert (run.state.step, run.state.skipped) == (done + 1, 1)
            assert snapshot(run.state) == before, (i, place)
            assert not run.advance(0.02).skipped  # and goes on
            assert run.state.skipped == 0


def poison_moments(monkeypatch: pytest.MonkeyPatch, at: int, name: str, lives: int = 1) -> None:
    """Spoil a moment of the optimizer in front of the update `at`."""
    sound, left = step.update, [lives]

    def update(task: Any, state: TrainState, *more: Any) -> Any:
        if state.step == at and left[0]:
            left[0] -= 1
            slots = state.optimizer.state[next(iter(state.model.parameters()))]
            slots[name].view(-1)[3] = math.nan
        return sound(task, state, *more)

    monkeypatch.setattr(step, "update", update)


def no_trace(lab: Lab, name: str) -> None:
    """No checkpoint of a run holds a number that is none, and no record does."""
    for folder in checkpoints(lab.path / name / "checkpoints"):
        checkpoint = Checkpoint.open(folder)
        for group in ("model", "optimizer", "lanes"):
            assert all(np.isfinite(array).all() for array in checkpoint.tensors(group).values())
    figures = [value for record in lab.records(name) for key, value in record.items() if key != "what"]
    assert not {"nan", "inf", "-inf"} & set(map(str, figures))


@pytest.mark.parametrize("name", ["exp_avg", "exp_avg_sq"])
@pytest.mark.parametrize("average", ["null", "{kind: ema, decay: 0.9}"], ids=["plain", "ema"])
def test_a_moment_that_is_none_sends_the_run_back(
    lab: Lab, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, name: str, average: str
) -> None:
    """It reaches the weights in one update that looks sound: the next ones do not, and the run goes back."""
    with ledger.fault("a moment of the optimizer that is NaN").trial():
        poison_moments(monkeypatch, 24, name)
        outcome = lab.train("hurt", "new", None, f"train.average={average}", "train.epochs=2")
        assert outcome["ended"] == "all steps are done"
        (guard,) = [record for record in lab.records("hurt") if record["split"] == "guard"]
        assert guard["step"] < 25 <= guard["rolled_back_from"]
        no_trace(lab, "hurt")


@pytest.mark.parametrize("value", VALUES)
def test_a_validation_that_is_none_never_becomes_the_best(
    lab: Lab, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    calls, sound = [0], loop.evaluate

    def evaluate(*arguments: Any, **world: Any) -> Evaluation | None:
        calls[0] += 1
        result = sound(*arguments, **world)
        assert result is not None
        return dataclasses.replace(result, mean=value) if calls[0] == 3 else result

    monkeypatch.setattr(loop, "evaluate", evaluate)
    with ledger.fault("a validation that is NaN or infinite").trial():
        outcome = lab.train("hurt", "new", None, "train.epochs=2")
        assert math.isfinite(outcome["best"]["nats"])
        no_trace(lab, "hurt")


def test_what_stays_none_ends_with_exit_code_5_and_a_dump(
    lab: Lab, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moments again and again: back once with half the rate, and the second time the run ends there."""
    with ledger.fault("an explosion that half the rate does not help").trial():
        poison_moments(monkeypatch, 24, "exp_avg", lives=9)
        with pytest.raises(DivergedError) as error:
            lab.train("hurt", "new", None, "train.epochs=2")
        assert error.value.exit_code == 5
        dump = json.loads((lab.path / "hurt" / "diverged.json").read_text(encoding="utf-8"))
        assert dump["rate_scale"] == 0.5
        assert [name for name, figures in dump["parameters"].items() if figures["norm"] == "nan"]
        no_trace(lab, "hurt")


def test_numbers_that_are_too_large_for_a_variance_are_seen(lab: Lab) -> None:
    """Vectors of 1e30 have an infinite variance in fp32, and what it divides is zero: the loss is as finite as ever."""
    run = trial(lab)
    with torch.no_grad():
        run.state.model.input.table.mul_(1e30)
    before = snapshot(run.state)
    result = run.advance(0.02)
    assert math.isfinite(result.sum)
    assert result.skipped
    assert snapshot(run.state) == before


def test_the_teacher_s_state_stays_too(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is carried on for lanes that a teacher teaches is the teacher's state, and a part of the lanes."""
    lab.train("teacher", "new", None, "train.max_steps=4")
    run = trial(lab, f"stream.mix={{soft: {{lanes: 2, teacher: '{lab.path / 'teacher'}'}}}}")
    run.advance(0.02)
    before = snapshot(run.state)
    assert any(name.startswith("lanes/teacher.soft.") for name in before)
    sound = LanguageTask.loss

    def loss(self: LanguageTask, *arguments: Any) -> Loss:
        result = sound(self, *arguments)
        return dataclasses.replace(result, parts={**result.parts, "soft": result.parts["soft"] * math.nan})

    monkeypatch.setattr(LanguageTask, "loss", loss)
    assert run.advance(0.02).skipped
    assert snapshot(run.state) == before
