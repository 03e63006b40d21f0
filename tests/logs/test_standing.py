from __future__ import annotations

import json

import pytest

from charrnn.logs.console import Console
from charrnn.logs.lines import tellable
from charrnn.logs.record import each_record
from charrnn.logs.standing import Standing


def test_a_run_of_any_length_takes_no_more_memory_than_its_picture():
    standing = Standing()
    for step in range(100_000):
        standing.take({"split": "train", "step": step, "nats": 1.0 - step / 100_000})
    assert 2048 <= len(standing.losses) < 4096
    assert standing.losses == sorted(standing.losses, reverse=True)
    assert standing.losses[0] == pytest.approx(1.0, abs=1e-3)
    assert standing.losses[-1] == pytest.approx(0.0, abs=1e-3)
    assert standing.sparkline(8) == "█▇▆▅▄▃▂▁"
    standing.forget()
    standing.take({"split": "train", "step": 1, "nats": 3.0})
    assert standing.losses == [3.0]


def test_few_losses_are_themselves():
    standing = Standing()
    for step in range(1000):
        standing.take({"split": "train", "step": step, "nats": float(step)})
    assert standing.losses == [float(step) for step in range(1000)]


@pytest.mark.parametrize(
    "change",
    [
        {"nats": "x"},
        {"nats": None},
        {"step": "x"},
        {"lr": []},
        {"chars_per_second": "y"},
        {"split": 1},
        {"step": 1e999},
    ],
)
def test_records_that_cannot_be_told_are_passed_over(change):
    record = {"split": "train", "step": 3, "nats": 1.5, "lr": 0.1, "chars_per_second": 9}
    assert tellable(record)
    assert not tellable(record | change)
    console = Console(quiet=True)
    console.recall([record, record | change])
    console.finish()


def test_records_are_read_one_by_one(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 1}) + "\nno record\n")
    assert next(each_record(path)) == {"step": 1}
