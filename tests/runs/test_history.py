from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from charrnn.runs.folder import RunFolder
from charrnn.runs.history import Thinned, read_history


def write(path: Path, *records: dict[str, Any]) -> RunFolder:
    path.mkdir(exist_ok=True)
    (path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return RunFolder(path)


@given(st.integers(0, 300), st.integers(2, 40))
def test_of_many_things_few_are_kept_equally_far_apart_and_the_last(count: int, most: int) -> None:
    kept = Thinned(most)
    for thing in range(count):
        kept.add(thing)
    found = kept.all()
    assert len(found) <= most
    assert found[:1] == [0][:count]
    assert found[-1:] == [count - 1][:count]
    inner = found[:-1]
    assert len({b - a for a, b in itertools.pairwise(inner)}) <= 1


def test_training_and_validation_are_kept_apart_and_the_best_is_the_latest_that_was_called_so(tmp_path: Path) -> None:
    run = write(
        tmp_path / "run",
        {"step": 1, "split": "train", "nats": 3.0, "time": 5.0},
        {"step": 2, "split": "valid", "nats": 2.0, "best": True, "positions": [1.0], "time": 6.0},
        {"step": 3, "split": "valid", "nats": 1.0, "best": True, "positions": [2.0], "time": 7.0},
        {"step": 4, "split": "valid", "nats": 1.5, "best": False, "positions": [3.0], "time": 8.5},
        {"step": 3, "split": "guard", "what": "why", "rolled_back_from": 9},
    )
    found = read_history(run, 10, 2, 100)
    assert [record["nats"] for record in found.train] == [3.0]
    assert [record["nats"] for record in found.valid] == [2.0, 1.0, 1.5]
    assert found.best["nats"] == 1.0
    assert found.details == {"positions": [2.0]}
    assert found.happenings == [(3, "why")]
    assert (found.first, found.last, found.wrong) == (5.0, 8.5, 0)


def test_what_is_not_finite_has_a_gap_and_what_is_no_record_is_counted(tmp_path: Path) -> None:
    run = write(
        tmp_path / "run",
        {"step": 1, "split": "train", "nats": "nan", "lr": "inf", "grad_norm": 10**400, "note": "text"},
        {"step": "nan", "split": "valid", "time": "inf"},
        {"step": "inf", "split": "guard", "what": "x" * 50},
    )
    with run.metrics.open("a") as file:
        file.write("nonsense\n[]\n")
    found = read_history(run, 10, 2, 20)
    assert found.train[0].keys() == {"step", "nats", "lr"}
    assert math.isnan(found.train[0]["nats"])
    assert found.valid == []
    assert found.happenings == [(0, "x" * 20)]
    assert (found.wrong, found.first) == (2, None)


def test_samples_are_thinned_and_cut_and_the_last_is_among_them(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    lines = [json.dumps({"step": step, "text": f"{step}" * 50}) + "\n" for step in range(1, 30)]
    run.samples.write_text("".join([*lines, '{"step": 30}\n']))
    found = read_history(run, 10, 4, 6)
    assert len(found.samples) <= 4
    assert found.samples[0] == (1, "111111")
    assert found.samples[-1] == (29, "292929")
    assert read_history(RunFolder(tmp_path / "none"), 10, 4, 6).samples == []
