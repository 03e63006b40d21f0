"""Schedules in whole runs: what the record says the rate was."""

from __future__ import annotations

import io
import math

import pytest
from lab import Lab

from charrnn.config.load import load_config
from charrnn.logs.console import Console
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt


def test_a_plateau_schedule_divides_the_rate_when_validation_stalls(lab: Lab) -> None:
    """Half is so high a rate that this small network soon gets worse."""
    plateau = "train.schedule={kind: plateau, factor: 0.1, patience: 1}"
    lab.train("run", "new", None, plateau, "train.optimizer.lr=0.5", "train.log_every=1")
    best, waited, rate, cuts = math.inf, 0, 0.5, []
    for record in lab.records("run"):
        if record["split"] == "train":
            assert record["lr"] == pytest.approx(rate), f"step {record['step']}"
        elif record["nats"] < best:
            best, waited = record["nats"], 0
        else:
            waited += 1
            if waited == 2:
                rate, waited, cuts = rate / 10, 0, [*cuts, record["step"]]
    after = [record["step"] for record in lab.records("run") if record["split"] == "train" and record["lr"] < 0.1]
    assert after[0] == cuts[0] + 1, "the first update after the second validation without improvement"


def test_the_first_epoch_is_low(lab: Lab) -> None:
    low = "train.schedule={kind: constant, warmup: {kind: low-epoch, factor: 0.25}}"
    lab.train("run", "new", None, low, "train.log_every=1")
    records = [record for record in lab.records("run") if record["split"] == "train"]
    assert [record["lr"] for record in records] == [0.25 * 2e-2 if r["epoch"] <= 1 else 2e-2 for r in records]
    assert records[0]["lr"] < records[-1]["lr"]


def test_a_changed_rate_and_schedule_are_printed_on_resume(lab: Lab) -> None:
    lab.stopped("run", 30)
    said = io.StringIO()
    changes = ["train.optimizer.lr=0.5", "train.schedule={kind: constant, warmup: 3}"]
    loaded = load_config(lab.path / "config.yaml", changes)
    with Console(stream=said, environ={}) as console:
        train_run(loaded, lab.path / "run", "resume", lab.path / "corpora", console, Interrupt())
    lines = said.getvalue().splitlines()
    assert "key                      in the run  now       effect" in lines
    assert "train.optimizer.lr       0.02        0.5       takes effect" in lines
    assert "train.schedule.kind      plateau     constant  takes effect" in lines
    assert "train.schedule.warmup    0           3         takes effect" in lines
    assert lab.records("run")[-2]["lr"] == 0.5
