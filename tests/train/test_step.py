from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from charrnn.errors import DivergedError
from charrnn.tasks.language import LanguageTask
from charrnn.train.state import TrainState
from charrnn.train.step import reset_rows, update

CPU = torch.device("cpu")
MakeTask = Callable[..., LanguageTask]
MakeState = Callable[[LanguageTask], TrainState]


def test_reset_touches_the_named_rows_only() -> None:
    state = {"h": torch.arange(6.0).view(3, 2), "c": torch.ones(3, 2, 2)}
    initial = {"h": torch.full((3, 2), -1.0), "c": torch.zeros(3, 2, 2)}
    after = reset_rows(state, initial, torch.tensor([False, True, False]))
    assert after["h"].tolist() == [[0, 1], [-1, -1], [4, 5]]
    assert after["c"][:, 0, 0].tolist() == [1, 0, 1]


def test_the_carried_state_is_what_reading_the_lane_from_its_start_gives(
    make_task: MakeTask, make_state: MakeState
) -> None:
    """With a rate of nearly nothing the weights stand still, so the states must agree."""
    task = make_task()
    state = make_state(task)
    for group in state.optimizer.param_groups:
        group["lr"] = 1e-300
    stream = task.stream("train")
    assert stream is not None
    for step in range(5):
        update(task, state, stream.batch(step, CPU), 1.0)
    whole = torch.cat([stream.batch(step, CPU).x_BT for step in range(5)], 1)
    _, expected = state.model(whole, state.model.initial_state(4))
    for name, tensor in expected.items():
        torch.testing.assert_close(state.lanes[name], tensor, atol=1e-10, rtol=0)
    assert not any(tensor.requires_grad for tensor in state.lanes.values())


def test_the_state_begins_anew_with_every_epoch(make_task: MakeTask, make_state: MakeState) -> None:
    """char-rnn never reset, torch-rnn reset one batch early; here the first chunk of each epoch starts from zeros."""
    task = make_task()
    stream = task.stream("train")
    assert stream is not None
    n = stream.steps_per_epoch
    for step, begins in [(0, True), (1, False), (n - 1, False), (n, True), (n + 1, False), (2 * n, True)]:
        state = make_state(task)
        state.step = step
        garbage = {name: torch.full_like(tensor, 0.5) for name, tensor in state.lanes.items()}
        state.lanes = garbage
        before = copy.deepcopy(state.model)
        batch = stream.batch(step, CPU)
        update(task, state, batch, 1.0)
        zeros = before.initial_state(4)
        _, expected = before(batch.x_BT, zeros if begins else garbage)
        torch.testing.assert_close(dict(state.lanes), {k: t.detach() for k, t in expected.items()})


def test_the_loss_is_a_mean_over_valid_targets_and_the_gradient_is_clipped(
    make_task: MakeTask, make_state: MakeState
) -> None:
    task = make_task()
    state = make_state(task)
    stream = task.stream("train")
    assert stream is not None
    last = stream.batch(stream.steps_per_epoch - 1, CPU)
    assert not last.mask_BT.all()
    logits, _ = state.model(last.x_BT, state.lanes)
    expected = F.cross_entropy(logits[last.mask_BT], last.y_BT[last.mask_BT], reduction="sum").item()
    clip = 1e-3
    result = update(task, state, last, clip)
    assert result.nats == pytest.approx(expected, rel=1e-12)
    assert result.count == int(last.mask_BT.sum())
    norm = math.sqrt(sum(p.grad.square().sum().item() for p in state.model.parameters() if p.grad is not None))
    assert result.grad_norm > clip
    assert norm == pytest.approx(clip, rel=1e-3)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_non_finite_loss_never_reaches_weights_or_lanes(
    make_task: MakeTask, make_state: MakeState, poison: float
) -> None:
    task = make_task()
    state = make_state(task)
    stream = task.stream("train")
    assert stream is not None
    update(task, state, stream.batch(0, CPU), 1.0)
    weights = {name: p.detach().clone() for name, p in state.model.named_parameters()}
    lanes = dict(state.lanes)
    with torch.no_grad():
        state.model.head.output.bias[3] = poison
        weights["head.output.bias"][3] = poison
    with pytest.raises(DivergedError) as error:
        update(task, state, stream.batch(1, CPU), 1.0)
    assert error.value.exit_code == 5
    assert state.step == 1
    assert all(state.lanes[name] is tensor for name, tensor in lanes.items())
    for name, parameter in state.model.named_parameters():
        torch.testing.assert_close(parameter, weights[name], equal_nan=True, atol=0, rtol=0)


def test_the_optimizer_is_shown_the_loss_without_what_training_adds_to_it(
    make_task: MakeTask, make_state: MakeState, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(train={"precision": "fp64", "max_steps": 20, "optimizer": {"kind": "eve", "lr": 0.25}})
    pure = task.loss
    monkeypatch.setattr(
        task, "loss", lambda *args: dataclasses.replace(pure(*args), parts={"more": torch.tensor(99.0)})
    )
    state = make_state(task)
    stream = task.stream("train")
    assert stream is not None
    result = update(task, state, stream.batch(0, CPU), 1.0)
    assert state.optimizer.state["eve"]["loss"].item() == result.nats / result.count
    assert state.optimizer.param_groups[0]["lr"] == 0.25
