from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from charrnn.contracts import Loss
from charrnn.models.core import Draws, State, reset_rows
from charrnn.stream.gather import TokenBatch
from charrnn.tasks.language import LanguageTask
from charrnn.train.state import TrainState
from charrnn.train.step import update

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
    assert result.sum == pytest.approx(expected, rel=1e-12)
    assert result.count == int(last.mask_BT.sum())
    norm = math.sqrt(sum(p.grad.square().sum().item() for p in state.model.parameters() if p.grad is not None))
    assert result.grad_norm > clip
    assert norm == pytest.approx(clip, rel=1e-3)


def snapshot(state: TrainState) -> dict[str, object]:
    """Everything that continuing needs, bit for bit."""
    groups = {
        f"{group}/{name}": array.tobytes() for group, arrays in state.groups().items() for name, array in arrays.items()
    }
    return groups


def poisoned(part: str, value: float) -> Callable[[LanguageTask], None]:
    """Make a task's loss, or only its gradient, not finite."""

    def poison(task: LanguageTask) -> None:
        sound = task.loss

        def loss(model: nn.Module, batch: TokenBatch, state: State, draws: Draws | None = None) -> Loss:
            result = sound(model, batch, state, draws)
            if part == "loss":
                return dataclasses.replace(result, each=result.each * value)
            if part == "state":
                return dataclasses.replace(result, state={k: t * value for k, t in result.state.items()})
            bias = model.head.output.bias
            bias.register_hook(lambda gradient: gradient * value)
            return result

        task.loss = loss  # type: ignore[method-assign]

    return poison


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("part", ["loss", "gradient", "state"])
def test_what_is_not_finite_changes_nothing_but_the_counts(
    make_task: MakeTask, make_state: MakeState, part: str, value: float
) -> None:
    task = make_task(model={"core": {"hidden": 8}, "input": {"size": 6, "batchnorm": True}})
    state = make_state(task)
    state.model.train()
    stream = task.stream("train")
    assert stream is not None
    update(task, state, stream.batch(0, CPU), 1.0)
    before = snapshot(state)
    poisoned(part, value)(task)
    result = update(task, state, stream.batch(1, CPU), 1.0)
    assert result.skipped
    assert (state.step, state.skipped) == (2, 1)
    assert snapshot(state) == before


def test_a_sound_update_ends_a_row_of_skipped_ones(make_task: MakeTask, make_state: MakeState) -> None:
    task = make_task()
    state = make_state(task)
    state.skipped = 3
    stream = task.stream("train")
    assert stream is not None
    assert not update(task, state, stream.batch(0, CPU), 1.0).skipped
    assert state.skipped == 0


def test_the_norm_of_the_carried_state_is_a_mean_over_the_rows(make_task: MakeTask, make_state: MakeState) -> None:
    task = make_task()
    state = make_state(task)
    stream = task.stream("train")
    assert stream is not None
    result = update(task, state, stream.batch(0, CPU), 1.0)
    squares = sum(float(value) ** 2 for tensor in state.lanes.values() for value in tensor.flatten())
    assert result.state_norm == pytest.approx(math.sqrt(squares / 4))


@pytest.mark.parametrize("reach", [10, 14, 20, 35, 630])
def test_the_gradient_counts_new_targets_only_and_reaches_back_so_far(
    make_task: MakeTask, make_state: MakeState, reach: int
) -> None:
    """Against the definition: from the state `reach` back, over all tokens since, the loss of the last ten."""
    task = make_task(stream={"lanes": 4, "chunk": 10, "reach": reach})
    state = make_state(task)
    for group in state.optimizer.param_groups:
        group["lr"] = 1e-300  # the weights stand still, so every state can be had by reading the lane from its start
    stream = task.stream("train")
    assert stream is not None
    plain = make_task(stream={"lanes": 4, "chunk": 10}).stream("train")
    assert plain is not None
    batches = [plain.batch(step, CPU) for step in range(6)]
    for step in range(6):
        state.model.zero_grad(set_to_none=True)
        result = update(task, state, stream.batch(step, CPU), None)
        ours = {name: p.grad.clone() for name, p in state.model.named_parameters() if p.grad is not None}
        x_BT = torch.cat([batch.x_BT for batch in batches[: step + 1]], 1)
        begin = max(0, x_BT.shape[1] - reach)
        _, there = state.model.hidden(x_BT[:, :begin], state.model.initial_state(4)) if begin else (None, None)
        start = state.model.initial_state(4) if there is None else {k: t.detach() for k, t in there.items()}
        state.model.zero_grad(set_to_none=True)
        logits_BTV, _ = state.model(x_BT[:, begin:], start)
        loss = F.cross_entropy(logits_BTV[:, -10:].flatten(0, 1), batches[step].y_BT.flatten())
        loss.backward()
        assert result.count == 40
        assert result.sum / result.count == pytest.approx(loss.item(), rel=1e-12)
        for name, parameter in state.model.named_parameters():
            torch.testing.assert_close(ours[name], parameter.grad, atol=1e-12, rtol=1e-9)


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
    assert state.optimizer.state["eve"]["loss"].item() == result.sum / result.count
    assert state.optimizer.param_groups[0]["lr"] == 0.25
