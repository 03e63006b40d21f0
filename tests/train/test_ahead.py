"""Updates that run ahead of a look, as they are and over memory that stays, come to what updates one by one come to."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import pytest
import torch
from tape import taped
from torch import Tensor, nn

from charrnn.contracts import Loss
from charrnn.models.capture import Capture, Work, uncaptured
from charrnn.models.core import Draws, State
from charrnn.models.held import HeldMasks
from charrnn.models.minimal import use_form
from charrnn.stream.gather import TokenBatch
from charrnn.stream.resident import ResidentTokens
from charrnn.tasks.language import LanguageTask
from charrnn.train import ahead
from charrnn.train.ahead import Ahead
from charrnn.train.precision import LossScale, Precision
from charrnn.train.state import TrainState
from charrnn.train.step import StepResult, advance

CPU = torch.device("cpu")
MakeTask = Callable[..., LanguageTask]
MakeState = Callable[[LanguageTask], TrainState]

DROPPED = {"input": {"size": 6, "batchnorm": True, "dropout": 0.1}, "head": {"hidden": [7], "dropout": 0.2}}
MODELS: dict[str, dict[str, Any]] = {
    "lstm": DROPPED | {"core": {"kind": "lstm", "hidden": 8, "layers": 2, "dropout": 0.2, "recurrent_dropout": 0.3}},
    "variational": {
        "input": {"size": 6},
        "core": {"kind": "lstm", "hidden": 8, "recurrent_dropout": {"kind": "state", "p": 0.3}},
    },
    "trained state": {"input": {"size": 6}, "core": {"kind": "lstm", "hidden": 8, "initial_state": "trained"}},
    "gru": DROPPED | {"core": {"kind": "gru", "hidden": 8}},
    "layer norm": DROPPED | {"core": {"kind": "ln-lstm", "hidden": 6, "recurrent_dropout": 0.2}},
    "mingru": DROPPED | {"core": {"kind": "mingru", "hidden": 8, "layers": 2, "dropout": 0.3}},
    "elman": {"core": {"kind": "elman", "hidden": 8}, "input": {"kind": "one-hot"}},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adamw": {"kind": "adamw", "lr": 1e-2},
    "adam": {"kind": "adam", "lr": 1e-2},
    "sgd": {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    "plain sgd": {"kind": "sgd", "lr": 0.1, "momentum": 0.0},
}
STREAMS: dict[str, dict[str, Any]] = {
    "lanes": {"lanes": 4, "chunk": 10},
    "far": {"lanes": 4, "chunk": 10, "reach": 17},
    "resets": {"lanes": 4, "chunk": 10, "reset_chance": 0.3, "offset": "random"},
    "windows": {"kind": "windows", "length": 12, "batch": 5},
    "random": {"lanes": 4, "chunk": 10, "lengths": {"kind": "random", "spread": 2.0, "least": 5}},
}


def task_of(make_task: MakeTask, model: str = "lstm", optimizer: str = "adamw", stream: str = "lanes") -> LanguageTask:
    train = {"max_steps": 200, "optimizer": OPTIMIZERS[optimizer], "precision": "fp32"}
    return make_task(model=MODELS[model], train=train, stream=STREAMS[stream])


def at_sight(task: LanguageTask, state: TrainState, rates: Sequence[float]) -> list[StepResult]:
    stream = task.stream("train")
    assert stream is not None
    return [advance(task, state, stream, rate, task.config.train, CPU) for rate in rates]


def ahead_of(task: LanguageTask, state: TrainState, capture: Capture | None, resident: bool = True) -> Ahead:
    stream = task.stream("train")
    assert stream is not None
    if resident:
        stream.resident = ResidentTokens(stream.tokens, stream.plan.documents, CPU)
    return Ahead(task, state, stream, task.config.train, CPU, capture, pytest.fail)


def in_bursts(runner: Ahead, rates: Sequence[float]) -> list[StepResult]:
    """All updates, so many at a time as 1, 2, 3 and so on."""
    results: list[StepResult] = []
    burst = 1
    while len(results) < len(rates):
        results += runner.run(rates[len(results) : len(results) + burst])
        burst += 1
    return results


def rates_of(steps: int) -> list[float]:
    return [1e-2 * (1.0 + math.sin(step)) for step in range(steps)]


def snapshot(state: TrainState) -> dict[str, bytes]:
    groups = state.groups().items()
    return {f"{group}/{name}": array.tobytes() for group, arrays in groups for name, array in arrays.items()}


def same(one: TrainState, other: TrainState) -> None:
    left, right = snapshot(one), snapshot(other)
    assert list(left) == list(right)
    assert [name for name in left if left[name] != right[name]] == []
    assert (one.step, one.skipped) == (other.step, other.skipped)


CASES = [
    *((model, "adamw", "lanes") for model in MODELS),
    *(("lstm", optimizer, "lanes") for optimizer in OPTIMIZERS if optimizer != "adamw"),
    *(("trained state", "adamw", stream) for stream in STREAMS if stream != "lanes"),
    ("lstm", "adamw", "resets"),
]


@pytest.mark.parametrize(("model", "optimizer", "stream"), CASES)
@pytest.mark.parametrize("capture", [None, taped], ids=["eager", "taped"])
def test_updates_ahead_come_to_what_updates_one_by_one_come_to(
    make_task: MakeTask, make_state: MakeState, capture: Capture | None, model: str, optimizer: str, stream: str
) -> None:
    """Over epochs, bit for bit: weights, optimizer, running statistics, lanes, and every figure."""
    task = task_of(make_task, model, optimizer, stream)
    one, other = make_state(task), make_state(task)
    for state in (one, other):
        use_form(state.model, "tree")
        state.model.train()
    rates, runner = rates_of(40), ahead_of(task, other, capture)
    assert in_bursts(runner, rates) == at_sight(task, one, rates)
    same(one, other)
    assert (runner.graphs > 0) == (capture is not None)


@pytest.mark.parametrize("capture", [None, taped], ids=["eager", "taped"])
def test_the_loss_scale_of_updates_ahead_moves_as_that_of_updates_one_by_one(
    make_task: MakeTask, make_state: MakeState, capture: Capture | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It overflows at first, and again whenever it has doubled too often; what overflows counts as no failure."""
    monkeypatch.setattr(LossScale, "PATIENCE", 4)
    monkeypatch.setattr(LossScale, "BEGIN", 2.0**23)
    train = {"max_steps": 200, "precision": "fp32", "guard": {"skips": 1}}
    task = make_task(model=MODELS["lstm"], train=train, stream=STREAMS["lanes"])
    one, other = make_state(task), make_state(task)
    for state in (one, other):
        state.precision = Precision.of("fp16", False, CPU)
        state.model.train()
    rates, runner = rates_of(40), ahead_of(task, other, capture)
    expected = at_sight(task, one, rates)
    assert list(map(repr, in_bursts(runner, rates))) == list(map(repr, expected))  # a NaN equals no other
    same(one, other)
    assert one.precision.document() == other.precision.document()
    assert 2 <= sum(result.overflow for result in expected) < 20
    assert (runner.graphs > 0) == (capture is not None)


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_tokens_may_lie_with_the_host(make_task: MakeTask, make_state: MakeState, precision: str) -> None:
    task = make_task(model=MODELS["lstm"], train={"max_steps": 99, "precision": precision})
    one, other = make_state(task), make_state(task)
    for state in (one, other):
        state.model.train()
    rates, runner = rates_of(50), ahead_of(task, other, uncaptured, resident=False)
    assert in_bursts(runner, rates) == at_sight(task, one, rates)
    same(one, other)
    assert runner.graphs


def poisoned(task: LanguageTask, steps: Sequence[int], part: str) -> None:
    """Make what comes of the batches of some steps not finite, without a look at anything but the batch."""
    stream, sound = task.stream("train"), task.loss
    assert stream is not None
    targets = [stream.batch(step, CPU).y_BT for step in steps]

    def spoiled(batch: TokenBatch, value: Tensor) -> Tensor:
        for y_BT in targets:
            if y_BT.shape == batch.y_BT.shape:
                value = value.masked_fill((batch.y_BT == y_BT).all(), math.nan)
        return value

    def loss(model: nn.Module, batch: TokenBatch, state: State, draws: Draws | None = None) -> Loss:
        found = sound(model, batch, state, draws)
        if part == "loss":
            return dataclasses.replace(found, each=found.each * spoiled(batch, torch.ones_like(found.each)))
        return dataclasses.replace(found, state={name: spoiled(batch, tensor) for name, tensor in found.state.items()})

    task.loss = loss  # type: ignore[method-assign]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("capture", [None, taped], ids=["eager", "taped"])
@pytest.mark.parametrize("part", ["loss", "state"])
def test_what_is_not_finite_is_left_out_in_the_midst_of_a_burst(
    make_task: MakeTask, make_state: MakeState, capture: Capture | None, part: str, optimizer: str
) -> None:
    task = task_of(make_task, optimizer=optimizer)
    poisoned(task, [9, 10, 11], part)  # and again in the next epoch, which has the same batches
    one, other = make_state(task), make_state(task)
    for state in (one, other):
        state.model.train()
    rates = rates_of(40)
    expected, found = at_sight(task, one, rates), in_bursts(ahead_of(task, other, capture), rates)
    assert [i for i, result in enumerate(found) if result.skipped] == [9, 10, 11, 25, 26, 27]
    assert list(map(str, found)) == list(map(str, expected))  # a text, as NaN is not itself
    same(one, other)


@pytest.mark.parametrize("capture", [None, taped], ids=["eager", "taped"])
def test_once_the_guard_must_act_nothing_changes_any_more(
    make_task: MakeTask, make_state: MakeState, capture: Capture | None
) -> None:
    """Five updates are left out, and what comes after them in the same burst is left out too, though it is finite."""
    task = task_of(make_task)
    poisoned(task, range(7, 12), "loss")
    one, other = make_state(task), make_state(task)
    for state in (one, other):
        state.model.train()
    rates, runner = rates_of(16), ahead_of(task, other, capture)
    at_sight(task, one, rates[:12])
    results = in_bursts(runner, rates[:7])
    results += islice(runner.run(rates[7:]), 5)
    assert [result.skipped for result in results] == [False] * 7 + [True] * 5
    same(one, other)


def test_a_run_whose_patience_was_lowered_goes_on_where_it_can(make_task: MakeTask, make_state: MakeState) -> None:
    task = task_of(make_task)
    one, other = make_state(task), make_state(task)
    runner = ahead_of(task, other, uncaptured)
    at_sight(task, one, rates_of(3))
    in_bursts(runner, rates_of(3))
    one.skipped = other.skipped = task.config.train.guard.skips + 2
    assert list(runner.run([0.01])) == at_sight(task, one, [0.01])
    same(one, other)


def test_making_a_graph_changes_nothing(make_task: MakeTask, make_state: MakeState) -> None:
    task = task_of(make_task)
    state = make_state(task)
    state.model.train()
    before: list[dict[str, bytes]] = []

    def capture(work: Work) -> Work:
        before.append(snapshot(state))
        for _ in range(3):
            work()
        before.append(snapshot(state))
        return work

    in_bursts(ahead_of(task, state, capture), rates_of(20))
    assert before
    assert before[0::2] == before[1::2]


@pytest.mark.parametrize("when", ["at once", "in the end"])
def test_what_cannot_be_captured_is_done_one_by_one_and_said_once(
    make_task: MakeTask, make_state: MakeState, when: str
) -> None:
    task = task_of(make_task)
    one, other = make_state(task), make_state(task)
    for state in (one, other):
        state.model.train()
    said: list[str] = []

    def capture(work: Work) -> Work:
        if when == "in the end":
            work()
            for tensor in other.model.input.norm.buffers():
                tensor.add_(1.0)  # as a forward pass does whose backward pass finds no memory
        try:
            raise RuntimeError("not permitted\nwhen a stream is capturing")
        finally:
            raise RuntimeError("the capture was ended by an error")  # as `torch.cuda.graph` does

    rates, stream = rates_of(30), task.stream("train")
    assert stream is not None
    runner = Ahead(task, other, stream, task.config.train, CPU, capture, said.append)
    assert in_bursts(runner, rates) == at_sight(task, one, rates)
    same(one, other)
    assert said == ["updates are done one by one, as they cannot be a graph: not permitted"]


def test_a_run_that_becomes_another_goes_on_from_there(make_task: MakeTask, make_state: MakeState) -> None:
    """As the guard has it: weights, optimizer and lanes are those of a checkpoint, in other places of memory."""
    task = task_of(make_task)
    one, other = make_state(task), make_state(task)
    for state in (one, other):
        state.model.train()
    captured: list[int] = []

    def capture(work: Work) -> Work:
        captured.append(other.step)
        return uncaptured(work)

    rates, runner = rates_of(60), ahead_of(task, other, capture)
    at_sight(task, one, rates[:20])
    in_bursts(runner, rates[:20])
    kept = copy.deepcopy((one.model.state_dict(), one.optimizer.state_dict(), dict(one.lanes)))
    at_sight(task, one, rates[20:30])
    in_bursts(runner, rates[20:30])
    for state in (one, other):
        weights, packed, lanes = copy.deepcopy(kept)
        state.model.load_state_dict(weights)
        state.optimizer.load_state_dict(packed)
        state.lanes, state.step = lanes, 20
    before = len(captured)
    assert in_bursts(runner, rates[20:60]) == at_sight(task, one, rates[20:60])
    same(one, other)
    assert before
    assert len(captured) > before


def test_a_graph_may_be_shown_only_what_it_has_asked_for_before() -> None:
    masks, like = HeldMasks(1), torch.zeros(3, 4)
    masks.draw(5)
    first = masks.draws(3).keep_rows("a", 0.5, like)
    assert torch.equal(first, Draws(1, 5, 3).keep_rows("a", 0.5, like))
    masks.close()
    masks.draw(6)
    assert torch.equal(masks.draws(3).keep_rows("a", 0.5, like), Draws(1, 6, 3).keep_rows("a", 0.5, like))
    assert torch.equal(
        masks.draws(3).of(1).keep_rows("a", 0.5, like[1:]), Draws(1, 6, 3, 1).keep_rows("a", 0.5, like[1:])
    )
    with pytest.raises(RuntimeError, match="`b`"):
        masks.draws(3).keep_rows("b", 0.5, like)
    with pytest.raises(RuntimeError, match="which inputs"):
        masks.draws(3).uniform_rows("which inputs are drawn", like)


def test_a_burst_takes_about_half_a_second(make_task: MakeTask, make_state: MakeState) -> None:
    task = task_of(make_task)
    state, now = make_state(task), iter(range(1000))
    stream = task.stream("train")
    assert stream is not None

    def clock() -> Iterator[float]:
        for _ in now:
            yield seconds[0]
            yield seconds[0] + seconds[1]

    seconds = [0.0, 0.1]
    ticks = clock()
    runner = Ahead(task, state, stream, task.config.train, CPU, clock=lambda: next(ticks))
    found = []
    for _ in range(4):
        list(runner.run(rates_of(runner.most)))
        found.append(runner.most)
    seconds[1] = 1e-9
    list(runner.run(rates_of(2)))
    assert (found, runner.most) == ([1, 5, 25, 64], ahead.MOST)
