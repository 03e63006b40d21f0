from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from charrnn.config.schema.train import EmaAverage, NtAsgdAverage, Train
from charrnn.tasks.language import LanguageTask
from charrnn.train.average import WeightAverage, stalled
from charrnn.train.evaluate import evaluate
from charrnn.train.schedule import should_stop
from charrnn.train.state import TrainState
from charrnn.train.step import update

CPU = torch.device("cpu")
MakeTask = Callable[..., LanguageTask]
MakeState = Callable[[LanguageTask], TrainState]


def trained(task: LanguageTask, state: TrainState, steps: int) -> list[dict[str, torch.Tensor]]:
    """The weights and running statistics after each of some updates."""
    stream = task.stream("train")
    assert stream is not None
    seen = []
    state.model.train()
    for _ in range(steps):
        update(task, state, stream.batch(state.step, CPU), 1.0)
        seen.append({name: tensor.clone() for name, tensor in state.model.state_dict().items()})
    return seen


@pytest.fixture
def task(make_task: MakeTask) -> LanguageTask:
    return make_task(model={"core": {"hidden": 8}, "input": {"size": 6, "batchnorm": True}})


def test_the_moving_average_is_the_formula(task: LanguageTask, make_state: MakeState) -> None:
    state = make_state(task)
    state.average = WeightAverage(EmaAverage(kind="ema", decay=0.5), state.model)
    seen = trained(task, state, 12)
    expected = seen[0]
    for n, weights in enumerate(seen[1:], start=1):
        keep = min(0.5, (1 + n) / (10 + n))
        expected = {name: keep * tensor + (1 - keep) * weights[name] for name, tensor in expected.items()}
    assert state.average.count == 12
    for name, tensor in state.average.model.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], atol=1e-12, rtol=1e-10)


def test_nt_asgd_is_the_mean_since_validation_stalled(task: LanguageTask, make_state: MakeState) -> None:
    state = make_state(task)
    state.average = WeightAverage(NtAsgdAverage(kind="nt-asgd", patience=1), state.model)
    state.history = [{"step": 0, "loss": nats} for nats in (2.0, 1.9, 1.8)]
    trained(task, state, 2)
    assert state.average.count == 0
    assert state.shown is state.model
    state.history.append({"step": 2, "loss": 1.95})
    seen = trained(task, state, 5)
    assert state.average.count == 5
    assert state.shown is state.average.model
    for name, tensor in state.shown.state_dict().items():
        mean = torch.stack([weights[name] for weights in seen]).mean(0)
        torch.testing.assert_close(tensor, mean, atol=1e-12, rtol=1e-10)


@given(st.lists(st.floats(0.5, 3.0), max_size=12), st.integers(1, 4))
def test_the_trigger_is_algorithm_1_of_the_paper(nats: list[float], patience: int) -> None:
    logs: list[float] = []
    begun = False
    for value in nats:
        if len(logs) > patience and value > min(logs[: len(logs) - patience]):
            begun = True
        logs.append(value)
    assert stalled([{"loss": value} for value in nats], patience) == begun


@pytest.mark.parametrize(
    ("nats", "patience", "expected"),
    [
        ([3.0, 2.0, 2.5], 1, False),  # worse than the last, and better than the best of those more than one before
        ([3.0, 2.0, 2.5, 2.2], 1, True),
        ([2.0, 3.0], 1, False),
        ([2.0, 3.0, 2.1], 1, True),
        ([2.0, 3.0, 2.1], 2, False),
    ],
)
def test_the_trigger_by_hand(nats: list[float], patience: int, expected: bool) -> None:
    assert stalled([{"loss": value} for value in nats], patience) is expected


@pytest.mark.parametrize(("patience", "early_stop", "fits"), [(5, 5, False), (5, 6, False), (5, 7, True), (1, 3, True)])
def test_early_stopping_must_leave_averaging_time_to_begin(patience: int, early_stop: int, fits: bool) -> None:
    """With the smallest patience that is allowed, a loss that falls and then rises is averaged before it ends."""
    given = {"average": {"kind": "nt-asgd", "patience": patience}, "early_stop": {"patience": early_stop}}
    if not fits:
        with pytest.raises(ValidationError, match="early stopping would end the run before averaging begins"):
            Train.model_validate(given)
        return
    settings = Train.model_validate(given)
    history = [{"step": i, "loss": nats} for i, nats in enumerate([3.0, 2.0, 1.0])]
    while not should_stop(settings.early_stop, history):
        history.append({"step": len(history), "loss": history[-1]["loss"] + 0.01})
    assert stalled(history[:-1], patience)


def test_training_goes_on_with_its_own_weights(task: LanguageTask, make_state: MakeState) -> None:
    averaged, plain = make_state(task), make_state(task)
    averaged.average = WeightAverage(EmaAverage(kind="ema"), averaged.model)
    one, other = trained(task, averaged, 6)[-1], trained(task, plain, 6)[-1]
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=0, rtol=0)
    shown = evaluate(task, averaged.shown, "valid", CPU, lambda: None)
    own = evaluate(task, averaged.model, "valid", CPU, lambda: None)
    assert shown is not None
    assert own is not None
    assert shown.mean != own.mean
