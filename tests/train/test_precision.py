from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from charrnn.contracts import Loss
from charrnn.models.core import Draws, State
from charrnn.stream.gather import TokenBatch
from charrnn.tasks.language import LanguageTask
from charrnn.train.precision import LossScale, Precision
from charrnn.train.state import TrainState
from charrnn.train.step import StepResult, update

CPU = torch.device("cpu")
YES, NO = torch.tensor(True), torch.tensor(False)
MakeTask = Callable[..., LanguageTask]
MakeState = Callable[[LanguageTask], TrainState]


def moved(scale: LossScale, sound: bool, norm: float) -> tuple[bool, float, int]:
    over = scale.look(torch.tensor(sound), torch.tensor(norm))
    return bool(over), scale.value.item(), int(scale.good)


def test_a_scale_falls_where_the_gradient_alone_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = LossScale(CPU)
    scale.value.fill_(4.0)
    value, good = scale.value, scale.good
    assert moved(scale, True, 1.0) == (False, 4.0, 1)
    assert moved(scale, True, math.inf) == (True, 2.0, 0)
    assert moved(scale, True, 1.0) == (False, 2.0, 1)
    assert moved(scale, False, math.nan) == (False, 2.0, 0)  # no scale mends a forward pass
    assert moved(scale, True, math.nan) == (True, 1.0, 0)
    assert moved(scale, True, math.nan) == (False, 1.0, 0)  # it can fall no further
    assert (scale.value is value, scale.good is good) == (True, True)  # in place, as a CUDA graph needs it


def test_a_scale_doubles_after_so_many_good_updates_in_a_row_up_to_its_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LossScale, "PATIENCE", 3)
    scale = LossScale(CPU)
    scale.value.fill_(2.0**22)
    values = [moved(scale, True, 1.0)[1:] for _ in range(10)]
    high = [2.0**22] * 2 + [2.0**23] * 3 + [2.0**24] * 5
    assert values == list(zip(high, [1, 2, 0, 1, 2, 0, 1, 2, 0, 1], strict=True))


def reduced(make_task: MakeTask, make_state: MakeState, precision: Precision, **sections: Any) -> Any:
    """A task in fp32 with its state and its stream."""
    task = make_task(**{"train": {"precision": "fp32", "max_steps": 20}} | sections)
    state = make_state(task)
    state.precision = precision
    state.model.train()
    stream = task.stream("train")
    assert stream is not None
    return task, state, stream


def updates(task: LanguageTask, state: TrainState, stream: Any, count: int, **options: Any) -> list[StepResult]:
    return [update(task, state, stream.batch(state.step, CPU), 1.0, **options) for _ in range(count)]


@pytest.mark.parametrize("kind", ["bf16", "fp16"])
def test_training_in_fewer_bits_follows_fp32(make_task: MakeTask, make_state: MakeState, kind: Any) -> None:
    losses, norms = [], []
    for precision in (Precision(), Precision.of(kind, False, CPU)):
        task, state, stream = reduced(make_task, make_state, precision)
        results = updates(task, state, stream, 40)
        losses.append([result.sum / result.count for result in results])
        norms.append([result.grad_norm for result in results])
        assert {tensor.dtype for tensor in state.lanes.values()} == {torch.float32}
        assert {p.dtype for p in state.model.parameters()} == {torch.float32}
        assert not any(result.skipped for result in results)
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert norms[1] == pytest.approx(norms[0], rel=0.1)  # of the gradient without the scale
    assert losses[1][-1] < losses[1][0] - 0.04


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("stream", [{"lanes": 4, "chunk": 10}, {"lanes": 4, "chunk": 10, "reach": 20}])
def test_a_scale_leaves_no_trace_in_the_gradient(
    make_task: MakeTask, make_state: MakeState, parts: int, stream: dict[str, int]
) -> None:
    """In double precision; by powers of two alone nothing is rounded, but sums are divided in another order."""
    found = []
    for precision in (Precision(), Precision(scale=LossScale(CPU))):
        task = make_task(stream=stream, train={"precision": "fp64", "max_steps": 20})
        state = make_state(task)
        state.precision = precision
        batches = task.stream("train")
        result = updates(task, state, batches, 3, parts=parts)[-1]
        found.append((result.grad_norm, result.sum, [p.detach().clone() for p in state.model.parameters()]))
    assert found[1][:2] == pytest.approx(found[0][:2], rel=1e-12)
    for scaled, plain in zip(found[1][2], found[0][2], strict=True):
        torch.testing.assert_close(scaled, plain, rtol=1e-10, atol=1e-12)


def test_an_overflow_skips_the_update_and_is_none_of_the_guard_s_business(
    make_task: MakeTask, make_state: MakeState
) -> None:
    precision = Precision.of("fp16", False, CPU)
    assert precision.scale is not None
    precision.scale.value.fill_(2.0**24)
    task, state, stream = reduced(make_task, make_state, precision)
    state.skipped = 2
    before = [p.clone() for p in state.model.parameters()]
    lanes = state.lanes
    (result,) = updates(task, state, stream, 1)
    assert (result.skipped, result.overflow, state.skipped, state.step) == (True, True, 2, 1)
    assert state.lanes is lanes
    assert all(torch.equal(a, b) for a, b in zip(before, state.model.parameters(), strict=True))
    assert precision.told() == {"loss_scale": 2.0**23}
    results = updates(task, state, stream, 12)
    fallen = [result.overflow for result in results].count(True)
    assert [result.skipped for result in results] == [result.overflow for result in results]
    assert 0 < fallen < 12
    assert (state.skipped, precision.told()) == (0, {"loss_scale": 2.0 ** (23 - fallen)})


def spoiled(task: LanguageTask, part: str) -> None:
    """Let the loss, or the gradient alone, be no number."""
    sound = task.loss

    def loss(model: nn.Module, batch: TokenBatch, state: State, draws: Draws | None = None) -> Loss:
        result = sound(model, batch, state, draws)
        if part == "loss":
            return dataclasses.replace(result, each=result.each * math.nan)
        model.head.output.bias.register_hook(lambda gradient: gradient * math.inf)
        return result

    task.loss = loss  # type: ignore[method-assign]


def test_the_guard_counts_what_no_scale_can_mend(make_task: MakeTask, make_state: MakeState) -> None:
    precision = Precision.of("fp16", False, CPU)
    task, state, stream = reduced(make_task, make_state, precision)
    spoiled(task, "loss")
    (result,) = updates(task, state, stream, 1)
    assert (result.skipped, result.overflow, state.skipped) == (True, False, 1)
    assert precision.told() == {"loss_scale": LossScale.BEGIN}
    task, state, stream = reduced(make_task, make_state, precision)
    spoiled(task, "gradient")
    results = updates(task, state, stream, 19)
    assert [result.overflow for result in results] == [True] * 16 + [False] * 3
    assert (state.skipped, precision.told()) == (3, {"loss_scale": 1.0})


def test_scheduled_sampling_loses_no_gradient_to_a_cast_without_one(make_task: MakeTask, make_state: MakeState) -> None:
    """PyTorch 2.10 would keep the casts of the pass that draws, which has none, for the pass that needs one."""
    train = {"precision": "fp32", "max_steps": 20, "scheduled_sampling": {"kind": "linear", "to": 0.5, "over": 1}}
    for cell in ("lstm", "ln-lstm"):
        model = {"core": {"kind": cell, "hidden": 8}, "input": {"size": 6}, "head": {"hidden": [5]}}
        precision = Precision.of("bf16", False, CPU)
        task, state, stream = reduced(make_task, make_state, precision, train=train, model=model)
        state.step = 3
        updates(task, state, stream, 1)
        assert [name for name, p in state.model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_tf32_is_asked_for_within_an_update_and_nowhere_else() -> None:
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    assert before != "tf32"
    with Precision(tf32=True).products():
        assert matmul.fp32_precision == "tf32"
    with Precision().products():
        assert matmul.fp32_precision == before
    assert matmul.fp32_precision == before


def test_the_scale_is_in_the_document_and_comes_back() -> None:
    one, other = (Precision.of("fp16", False, CPU) for _ in range(2))
    assert one.scale is not None
    one.scale.value.fill_(2.0**11)
    one.scale.good.fill_(7)
    other.restore(one.document())
    assert other.document() == one.document() == {"scale": 2048.0, "good": 7}
    other.restore(None)
    assert other.document() == {"scale": LossScale.BEGIN, "good": 0}
    assert Precision().document() is None
