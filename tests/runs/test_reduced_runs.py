"""Whole runs in fp16 and bf16, on a processor that is made to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import furnish
from company import start
from lab import Lab, resumes
from nursery import Nursery
from reducing import LOW, willing

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.errors import DeviceError
from charrnn.export.web import page
from charrnn.logs.console import Console
from charrnn.runs import plan
from charrnn.runs.evaluate import Wanted, evaluate_run
from charrnn.runs.folder import config_beside, find_checkpoint
from charrnn.runs.hardware import Hardware
from charrnn.runs.use import open_model
from charrnn.train.interrupt import Interrupt

FP16 = ("train.device=cpu", "train.precision=fp16")
# Adam's first steps are the signs of gradients, and a ReLU has a kink: both make much of a little rounding.
PLAIN = ("train.max_steps=22", "train.log_every=1", "train.optimizer={kind: sgd, lr: 0.5}", "model.head.hidden=[]")


def last(lab: Lab, name: str) -> Checkpoint:
    return Checkpoint.open(checkpoints(lab.path / name / "checkpoints")[-1])


@pytest.mark.parametrize("hard", [True, False])
def test_a_run_in_fp16_resumes_bit_for_bit_with_its_scale(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, hard: bool
) -> None:
    """The scale falls in the first steps and rises after every five good ones; averages and older tokens with it."""
    willing(monkeypatch)
    more = ("train.average={kind: ema}", "stream.reach=15")
    resumes(lab, (9, 20, 33), hard, *FP16, *more)
    scales = [record["loss_scale"] for record in lab.records("broken") if record["split"] == "train"]
    assert len(set(scales)) > 1
    assert any(record.get("skipped") for record in lab.records("broken"))
    assert not any(record["split"] == "guard" for record in lab.records("broken"))
    document = last(lab, "broken").document("train")
    assert document["loss_scale"]["scale"] == scales[-1]
    for group in ("model", "weights", "optimizer", "lanes"):
        types = {array.dtype for array in last(lab, "broken").tensors(group).values()}
        assert types <= {np.dtype(np.float32), np.dtype(np.int64)}, group


def test_a_checkpoint_that_knows_of_no_scale_begins_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    willing(monkeypatch)
    lab.train("run", "new", Interrupt(), "train.device=cpu", "train.max_steps=9", "train.precision=bf16")
    assert last(lab, "run").document("train")["loss_scale"] is None
    assert {record.get("loss_scale") for record in lab.records("run")} == {None}


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_validation_is_that_of_fp32(lab: Lab, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    """And a run from another machine is measured, sampled from and exported where its precision is not to be had."""
    with monkeypatch.context() as patch:
        willing(patch)
        lab.train("run", "new", Interrupt(), "train.device=cpu", f"train.precision={precision}", "train.epochs=2")
    monkeypatch.setattr(plan, "hardware_of", lambda device: Hardware(device, "another", ()))
    checkpoint, _ = find_checkpoint(lab.path / "run", lab.path)
    wanted = Wanted("valid", 0, False)
    with Console(quiet=True) as console:
        loaded = load_config(config_beside(checkpoint), [])
        found = evaluate_run(checkpoint, loaded, wanted, lab.path / "corpora", console, Interrupt())
    told = [(r["step"], r["nats"]) for r in lab.records("run") if r["split"] == "valid"]
    assert (checkpoint.step, found["nats"]) in told
    model = open_model(lab.path / "run", lab.path)
    assert len("".join(model.text(model.options({"seed": "abc"}), 0, "error", lambda: None))) == 20
    assert "<script" in page(model)
    with pytest.raises(DeviceError, match=f"compute in {precision}"):
        lab.train("run", "resume", Interrupt(), *FP16, f"train.precision={precision}", "train.epochs=3")


def test_micro_batches_change_rounding_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    willing(monkeypatch, LOW)
    more = (*FP16, "model.input.batchnorm=false", *PLAIN)
    lab.train("whole", "new", Interrupt(), *more)
    lab.train("parts", "new", Interrupt(), *more, "train.micro_batches=3")
    alike(lab.records("whole"), lab.records("parts"))


def test_so_many_processes_have_one_scale(processes: Nursery, lab: Lab) -> None:
    furnish(lab.path)
    (lab.path / "config.yaml").write_text(
        (lab.path / "config.yaml").read_text(encoding="utf-8").replace("text.txt", str(lab.path / "text.txt")),
        encoding="utf-8",
    )
    runs = []
    for size in (1, 2):
        more = [f"--set={override}" for override in (*FP16, *PLAIN)]
        words = ("train", "config.yaml", "--out", str(lab.path / f"run-{size}"), *more)
        children = start(processes, lab.path, size, "reducing:charrnn_reducing", *words)
        ends = [child.wait() for child in children]
        assert [end.code for end in ends] == [0] * size, [end.err for end in ends]
        runs.append(lab.records(f"run-{size}"))
    alike(*runs)


def alike(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    """The same but for rounding in fp16, and the very same scales; at the edge of fp16 it is the order of a sum that
    decides whether it overflows, so that these begin below."""
    assert [record["step"] for record in one] == [record["step"] for record in other]
    for record, like in zip(one, other, strict=True):
        assert (record.get("skipped"), record.get("loss_scale")) == (like.get("skipped"), like.get("loss_scale"))
        assert like.get("nats", 0.0) == pytest.approx(record.get("nats", 0.0), rel=1e-4)
    assert len({record["loss_scale"] for record in one if record["split"] == "train"}) > 3
