"""A loss over windows: each is read alone from a cold state, in training and in evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from charrnn.models.core import Draws
from charrnn.tasks.language import LanguageTask
from charrnn.train.evaluate import evaluate
from charrnn.train.step import update

CPU = torch.device("cpu")
MakeTask = Callable[..., LanguageTask]
NORM = {"input": {"size": 6, "batchnorm": True}, "core": {"hidden": 8, "layers": 2}}


def nothing() -> None: ...


def windows(**settings: Any) -> dict[str, Any]:
    return {"kind": "windows", "length": 7, "batch": 4} | settings


def losses(task: LanguageTask, model: torch.nn.Module, split: str) -> list[list[float]]:
    """The nats at every position of every window, each read on its own."""
    tokens = torch.from_numpy(task.corpus.split(split).tokens.astype("int64"))
    settings = task.config.stream
    found = []
    for begin in range(0, len(tokens), settings.hop):
        y = tokens[begin : begin + settings.length]
        x = torch.cat([tokens[begin - 1 : begin] if begin else torch.zeros(1, dtype=torch.int64), y[:-1]])
        logits, _ = model(x[None], model.initial_state(1))
        found.append(F.cross_entropy(logits[0], y, reduction="none").tolist())
        if begin + settings.length >= len(tokens):
            break
    return found


@pytest.mark.parametrize("stride", [None, 1, 3])
@pytest.mark.parametrize("batch", [1, 4, 500])
def test_every_window_counts_once_and_the_figure_does_not_depend_on_the_batch(
    make_task: MakeTask, stride: int | None, batch: int
) -> None:
    task = make_task(stream=windows(stride=stride, batch=batch), model=NORM)
    model = task.model()
    result = evaluate(task, model, "valid", CPU, nothing)
    assert result is not None
    each = losses(task, model.eval(), "valid")
    assert result.reading == {"windows": len(each)}
    assert result.count == sum(map(len, each))
    assert result.mean == pytest.approx(sum(map(sum, each)) / result.count, rel=1e-12)
    columns = [[row[k] for row in each if k < len(row)] for k in range(7)]
    assert result.figures["positions"] == pytest.approx([sum(column) / len(column) for column in columns], rel=1e-12)


def test_a_document_within_a_window_is_a_cold_start_too(make_task: MakeTask, tmp_path: Path) -> None:
    """The position is counted from there, as it is where lanes are cut into windows."""
    source = str(tmp_path / "text.txt")
    task = make_task(
        corpus={"source": source, "split": [0.7, 0.2, 0.1], "documents": {"text": "e"}}, stream=windows(length=5)
    )
    model, part = task.model().eval(), task.corpus.split("valid")
    assert len(part.documents) > 10
    columns: list[list[float]] = [[] for _ in range(5)]
    for i, token in enumerate(part.tokens.tolist()):
        begins = i in part.documents.tolist()
        if begins or i % 5 == 0:
            state, k, before = model.initial_state(1), 0, 0 if begins else int(part.tokens[i - 1])
        logits, state = model(torch.tensor([[before]]), state)
        columns[k].append(F.cross_entropy(logits[0], torch.tensor([token])).item())
        k, before = k + 1, token
    result = evaluate(task, model, "valid", CPU, nothing)
    assert result is not None
    assert result.figures["positions"] == pytest.approx([sum(column) / len(column) for column in columns], rel=1e-12)


@pytest.mark.parametrize("stride", [None, 1, 3])
def test_many_to_one_counts_the_last_target_of_whole_windows(make_task: MakeTask, stride: int | None) -> None:
    task = make_task(stream=windows(stride=stride, targets="last"), model=NORM)
    model = task.model()
    result = evaluate(task, model, "valid", CPU, nothing)
    assert result is not None
    last = [row[-1] for row in losses(task, model.eval(), "valid") if len(row) == 7]
    assert (result.count, result.reading, result.figures) == (len(last), {"windows": len(last)}, {})
    assert result.mean == pytest.approx(sum(last) / len(last), rel=1e-12)


def test_shuffled_training_text_gives_the_figure_of_the_text_in_order(make_task: MakeTask) -> None:
    task, ordered = make_task(stream=windows()), make_task(stream=windows(shuffle=False))
    one, other = (evaluate(t, t.model(), "train", CPU, nothing) for t in (task, ordered))
    assert one is not None
    assert other is not None
    assert (one.count, one.reading) == (other.count, other.reading)
    assert one.mean == pytest.approx(other.mean, rel=1e-12)
    assert one.mean != other.mean, "the order is another, and so is the rounding"


@pytest.mark.parametrize("targets", ["each", "last"])
def test_what_is_carried_from_batch_to_batch_has_no_influence(make_task: MakeTask, targets: str) -> None:
    task = make_task(stream=windows(targets=targets))
    model, stream = task.model(), task.stream("train")
    assert stream is not None
    batch = stream.batch(3, CPU)
    cold = task.initial_state(model, stream.rows)
    garbage = {name: torch.full_like(tensor, 0.7) for name, tensor in cold.items()}
    one, other = (task.loss(model, batch, state) for state in (cold, garbage))
    assert torch.equal(one.each, other.each)
    assert all(torch.equal(one.state[name], other.state[name]) for name in cold)


def test_the_gradient_of_many_to_one_is_that_of_the_last_prediction(make_task: MakeTask) -> None:
    task = make_task(stream=windows(targets="last"))
    model, stream = task.model(), task.stream("train")
    assert stream is not None
    batch = stream.batch(stream.steps_per_epoch - 1, CPU)
    assert not batch.mask_BT.all(), "the last batch is not full"
    loss = task.loss(model, batch, task.initial_state(model, stream.rows), Draws(1, 0, stream.rows))
    found = torch.autograd.grad(loss.objective, list(model.parameters()))
    there_B = batch.mask_BT.all(1)
    logits_BTV, _ = model(batch.x_BT[there_B], model.initial_state(int(there_B.sum())))
    mean = F.cross_entropy(logits_BTV[:, -1], batch.y_BT[there_B, -1])
    assert loss.count == there_B.sum()
    for one, other in zip(found, torch.autograd.grad(mean, list(model.parameters())), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_an_update_learns_from_a_window_stream(make_task: MakeTask, make_state: Callable[..., Any]) -> None:
    task = make_task(stream=windows(), model={"core": {"kind": "window", "hidden": 8}, "input": {"size": 6}})
    state, stream = make_state(task), task.stream("train")
    assert stream is not None
    state.model.train()
    first = [update(task, state, stream.batch(step, CPU), 1.0).sum for step in range(stream.steps_per_epoch)]
    for step in range(stream.steps_per_epoch, 6 * stream.steps_per_epoch):
        last = update(task, state, stream.batch(step, CPU), 1.0)
    assert last.sum / last.count < 0.95 * first[0] / 28
