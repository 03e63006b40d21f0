"""What the task `classify` counts: its own items only; what is mixed in stands apart, as its source weighs it.

Shapes: B rows, C classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from labelling import Workplace, idx
from torch import Tensor, nn

from charrnn.config.schema import ClassifyConfig, config_from
from charrnn.contracts import Loss
from charrnn.models.core import Draws
from charrnn.stream.items import MixPlan, OncePlan
from charrnn.stream.sequences import SequenceBatch
from charrnn.tasks.classify import ClassifyTask
from charrnn.tasks.mixed_items import sequences_of

CPU = torch.device("cpu")
ROWS = "text,label\n" + "".join(f"{'ab'[n % 2] * (1 + n % 3)}{n},{'xyz'[n % 3]}\n" for n in range(12))
LOGITS_BC = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.5, 0.5, 3.0], [1.0, -2.0, 0.0]], dtype=torch.float64)


class Said(nn.Module):
    """A model that gives the same scores whatever it reads."""

    def forward(self, x: Tensor, length_B: Tensor, draws: Draws | None) -> Tensor:
        return LOGITS_BC[: len(length_B)]


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def task_of(work: Workplace, corpus: dict[str, Any] | None = None, **keys: Any) -> ClassifyTask:
    if corpus is None:
        work.write("items", ROWS)
    settings = {"source": "items", "split": [1, 0, 0], **(corpus or {})}
    model = {"input": {"kind": "values"}} if "kind" in settings else {}
    config = config_from({"task": "classify", "corpus": settings, "model": model, "stream": {"batch": 4}, **keys})
    assert isinstance(config, ClassifyConfig)
    return ClassifyTask(config, work.corpus(**settings))


def batch(labels: list[int], weights: list[float], **more: Any) -> SequenceBatch:
    ones = torch.ones(len(labels), dtype=torch.int64)
    given: dict[str, Any] = {"soft_BC": None, "shares": {}, **more}
    return SequenceBatch(ones[:, None], ones, torch.tensor(labels), weight_B=torch.tensor(weights), **given)


def loss(task: ClassifyTask, read: SequenceBatch, draws: Draws | None = None) -> Loss:
    return task.loss(Said(), read, {}, draws)


def nats(row: int, label: int) -> float:
    return float(-LOGITS_BC[row].log_softmax(0)[label])


def test_the_loss_is_the_nats_of_each_label(work: Workplace) -> None:
    found = loss(task_of(work), batch([0, 1, 0, 2], [1.0] * 4))
    expected = [nats(0, 0), nats(1, 1), nats(2, 0), nats(3, 2)]
    assert found.each.tolist() == pytest.approx(expected)
    assert (int(found.count), dict(found.parts), dict(found.state)) == (4, {}, {})
    assert found.outputs is not None
    assert torch.equal(found.outputs, LOGITS_BC)


def test_what_is_mixed_in_is_a_part_of_its_own_and_no_part_of_the_figure(work: Workplace) -> None:
    shares = {"pseudo": slice(1, 3), "more": slice(3, 4)}
    found = loss(task_of(work), batch([0, 1, 0, 2], [1.0, 0.5, 0.25, 2.0], shares=shares), Draws(1, 0, 4))
    assert found.each.tolist() == pytest.approx([nats(0, 0)])
    assert int(found.count) == 1
    assert {name: float(part) for name, part in found.parts.items()} == pytest.approx(
        {"pseudo": 0.5 * nats(1, 1) + 0.25 * nats(2, 0), "more": 2.0 * nats(3, 2)}
    )


def test_shares_of_labels_take_the_place_of_labels(work: Workplace) -> None:
    soft_BC = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])
    found = loss(task_of(work), batch([-1, 0], [1.0, 1.0], soft_BC=soft_BC))
    assert found.each.tolist() == pytest.approx([0.25 * nats(0, 0) + 0.75 * nats(0, 1), nats(1, 2)])


def test_smoothed_labels_steer_training_and_no_figure(work: Workplace) -> None:
    task = task_of(work, train={"label_smoothing": 0.2})
    read = batch([0, 1, 0, 2], [1.0] * 4, shares={"pseudo": slice(2, 4)})
    assert "label_smoothing" not in loss(task, read).parts, "in evaluation"
    found = loss(task, read, Draws(1, 0, 4))
    smoothed = F.cross_entropy(LOGITS_BC[:2], read.y_B[:2], label_smoothing=0.2, reduction="sum")
    assert found.each.tolist() == pytest.approx([nats(0, 0), nats(1, 1)])
    assert float(found.each.sum() + found.parts["label_smoothing"]) == pytest.approx(float(smoothed))


def test_sources_share_every_batch_of_training_and_of_nothing_else(work: Workplace) -> None:
    checked = {"kind": "split", "split": "valid", "rows": 3, "weight": 0.5}
    mixed = {"batch": 1, "mix": {"checked": checked}}
    task = task_of(work, {"split": ["rest", 2, 0], "source": _written(work)}, stream=mixed)
    stream = task.stream("train")
    assert stream is not None
    assert isinstance(stream.plan, MixPlan)
    assert [(part.name, part.items, part.rows, part.weight) for part in stream.plan.parts] == [
        ("train", 10, 1, 1.0),
        ("checked", 2, 3, 0.5),
    ]
    read = stream.batch(0, CPU)
    assert read.weight_B.tolist() == [1.0, 0.5, 0.5, 0.5]
    assert {"checked": slice(1, 4)} == dict(read.shares)
    assert task.stream("valid") is None, "it is learned from"


def test_validation_reads_every_item_once(work: Workplace) -> None:
    task = task_of(work, {"split": ["rest", 2, 0], "source": _written(work)})
    valid = task.stream("valid")
    assert valid is not None
    assert isinstance(valid.plan, OncePlan)
    assert (valid.rows, valid.columns, valid.reading) == (4, 5, {"items": 2})
    assert task.stream("test") is None


def test_rows_have_room_for_the_longest_item_of_all(work: Workplace) -> None:
    stream = task_of(work).stream("train")
    assert stream is not None
    assert stream.columns == 5  # "bbb11"


def test_values_of_pictures_are_shares_of_the_highest_there_can_be(work: Workplace) -> None:
    pictures = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3) * 10
    work.write("items", idx(pictures))
    work.write("named", idx(np.array([0, 1, 0, 1], np.uint8)))
    task = task_of(work, corpus={"kind": "images", "labels": "named", "split": [1, 0, 0]})
    sequences = sequences_of(task.corpus, "train")
    assert (len(sequences), sequences.highest, sequences.lengths(np.arange(4)).tolist()) == (4, 255, [2] * 4)
    stream = task.stream("train")
    assert stream is not None
    (numbers,) = stream.plan.numbers(0)
    expected = torch.from_numpy(pictures[numbers].astype(np.float32)) / 255
    torch.testing.assert_close(stream.batch(0, CPU).x, expected)


def test_pictures_of_digits_have_values_up_to_16(work: Workplace) -> None:
    pytest.importorskip("sklearn")
    task = task_of(work, corpus={"kind": "images", "source": "builtin:digits"})
    assert sequences_of(task.corpus, "valid").highest == 16


def test_a_checkpoint_knows_the_labels_in_their_order(work: Workplace) -> None:
    task = task_of(work)
    documents = task.documents()
    assert documents["labels"] == ["x", "y", "z"]
    assert task.corpus.vocabulary is not None
    assert documents["vocabulary"] == task.corpus.vocabulary.to_json()
    assert task.sizes() == {"inputs": task.corpus.vocabulary.size, "labels": 3}


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("fp64", torch.float64)])
def test_the_model_has_the_precision_that_is_asked_for(work: Workplace, precision: str, dtype: torch.dtype) -> None:
    model = task_of(work, train={"precision": precision}).model()
    assert {weight.dtype for weight in model.parameters()} == {dtype}


def _written(work: Workplace) -> str:
    work.write("items", ROWS)
    return "items"
