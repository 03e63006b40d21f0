"""`train.engine: scratch`: whole runs whose derivatives are all written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lab import CONFIG, TEXT, Lab, Stopper, resumes

from charrnn.config.schema import LanguageConfig
from charrnn.config.schema.train import LanguageTrain
from charrnn.errors import ConfigError, Interrupted
from charrnn.runs.plan import make_plan, with_scan

ONLINE = (
    CONFIG.replace("lanes: 4, chunk: 10", "lanes: 1, chunk: 8")
    .replace("size: 6, batchnorm: true, dropout: 0.1", "kind: one-hot")
    .replace("layers: 2, dropout: 0.2, recurrent_dropout: 0.3", "kind: lstm")
    .replace("hidden: [7], dropout: 0.2", "hidden: []")
    .replace("epochs: 4", "engine: scratch\n  max_steps: 120")
    .replace("lr: 2e-2", "kind: sgd, lr: 0.5")
    .replace("save: {every: 9}", "save: {every: 33}")
    .replace("every: 11", "every: 40")
)
"""The laboratory's config as the course trained: a batch of one, plain gradient descent, one-hot symbols."""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(ONLINE, encoding="utf-8")
    return Lab(tmp_path)


CELLS = ["elman", "elman, nonlinearity: relu", "jordan", "window", "gru", "lstm", "ln-lstm", "mingru", "minlstm"]


@pytest.mark.parametrize("core", CELLS)
def test_both_engines_come_to_the_same_in_double_precision(lab: Lab, core: str) -> None:
    settings = (f"model.core={{kind: {core}, hidden: 8}}", "train.precision=fp64", "train.optimizer.lr=0.5")
    for engine in ("torch", "scratch"):
        lab.train(engine, "new", None, *settings, f"train.engine={engine}")
    pairs = list(zip(lab.records("torch"), lab.records("scratch"), strict=True))
    assert len(pairs) > 15
    for theirs, ours in pairs:
        assert ours["nats"] == pytest.approx(theirs["nats"], abs=1e-9)
        assert ours.get("grad_norm") == pytest.approx(theirs.get("grad_norm"), abs=1e-9)
    assert lab.records("torch", "samples.jsonl") == lab.records("scratch", "samples.jsonl")
    assert pairs[-1][1]["nats"] < pairs[0][1]["nats"] - 0.1


@pytest.mark.parametrize("hard", [False, True], ids=["sigterm", "sigkill"])
def test_stopped_and_resumed_is_never_stopped(lab: Lab, hard: bool) -> None:
    resumes(lab, [31, 31], hard)


def test_the_craft_of_training_goes_with_it(lab: Lab) -> None:
    """Dropout outside the recurrence, deep stacks, longer reach, resets, averages, what is added to the loss."""
    settings = (
        "model={core: {kind: gru, hidden: 8, layers: 2, dropout: 0.2, initial_state: trained}, "
        "head: {hidden: [7], dropout: 0.2}, input: {size: 6, dropout: 0.1}}",
        "stream={lanes: 3, chunk: 10, reach: 17, offset: random, reset_chance: 0.1, lengths: {kind: random}}",
        "train.regularization={activation: 0.5, temporal: 0.5, label_smoothing: 0.1}",
        "train.scheduled_sampling={kind: linear, to: 0.5, over: 30}",
        "train.average={kind: ema, decay: 0.9}",
        "train.precision=fp64",
    )
    for engine in ("torch", "scratch"):
        lab.train(engine, "new", None, *settings, f"train.engine={engine}")
    for theirs, ours in zip(lab.records("torch"), lab.records("scratch"), strict=True):
        assert ours["nats"] == pytest.approx(theirs["nats"], abs=1e-9)


def test_the_engine_of_a_run_stays(lab: Lab) -> None:
    with pytest.raises(Interrupted):
        lab.train("run", "new", Stopper(30))
    with pytest.raises(ConfigError) as error:
        lab.train("run", "resume", None, "train.engine=torch")
    assert "train.engine  scratch     torch  refused" in str(error.value.why)


def test_either_engine_begins_with_the_weights_of_the_other(lab: Lab) -> None:
    lab.train("torch", "new", None, "train.engine=torch", "train.max_steps=40")
    lab.train("scratch", "new", None, f"train.start_from={lab.path / 'torch'}", "train.max_steps=40")
    first, later = (lab.records(name)[0]["nats"] for name in ("torch", "scratch"))
    assert later < first


def test_it_runs_on_the_cpu_whatever_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert make_plan(LanguageTrain(engine="scratch")).device == "cpu"
    assert make_plan(LanguageTrain(engine="torch")).device == "cuda:0"


def test_no_form_of_a_scan_is_chosen_for_it() -> None:
    plan = make_plan(LanguageTrain(device="cpu"))
    for engine, form in (("scratch", None), ("torch", "loop")):
        config = LanguageConfig.model_validate(
            {
                "corpus": {"source": "text.txt"},
                "model": {"core": {"kind": "mingru"}},
                "train": {"engine": engine, "scan": "loop"},
            }
        )
        assert with_scan(plan, config, 1).scan == form
