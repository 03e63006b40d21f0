from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, same_run
from reducing import willing

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.logs.console import Console
from charrnn.runs import session, ways
from charrnn.runs.autotune import Choice, Runner, Trial
from charrnn.runs.check import dry_run
from charrnn.runs.hardware import Hardware
from charrnn.runs.plan import Plan, make_plan
from charrnn.runs.start import train_run
from charrnn.runs.task import task_of, training_stream
from charrnn.runs.ways import candidates
from charrnn.train.interrupt import Interrupt

SHORT = ("train.device=cpu", "train.max_steps=12", "model.head.hidden=[]")


def offered(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, *overrides: str, units: tuple[str, ...] = ("fp16", "bf16")
) -> Any:
    """The ways on a GPU with such units."""
    monkeypatch.setattr(ways, "hardware_of", lambda device: Hardware(device, "a GPU", units))
    loaded = load_config(lab.path / "config.yaml", ["train.device=cpu", *overrides])
    with Console(quiet=True) as console:
        task = task_of(loaded, lab.path / "corpora", console, lambda: None)
    plan = replace(make_plan(loaded.config.train, training=False), device="cuda:0")
    if loaded.config.train.precision == "fp16":
        plan = replace(plan, precision="fp16")
    return [way.way for way in candidates(plan, task, training_stream(task))]


FREE = ["fp32", "fp32, TF32 products", "fp16", "bf16"]


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        ((), FREE),
        (("stream.lanes=8",), [*FREE, "fp16, sizes padded"]),
        (("stream.lanes=16", "train.micro_batches=2", "model.input.batchnorm=false"), [*FREE, "fp16, sizes padded"]),
        (("stream.lanes=8", "model.core={kind: elman, hidden: 7}"), [*FREE, "fp16, sizes padded"]),
        (("stream.lanes=8", "model.core={kind: gru, hidden: 7}"), FREE),
        (("stream.lanes=8", "model.core.recurrent_dropout={kind: state, p: 0.2}"), FREE),
        (("stream.lanes=8", "model={input: {size: 128}, core: {hidden: 256}}"), FREE),
        (("stream.lanes=8", "model={input: {kind: one-hot}, core: {hidden: 256}}"), [*FREE, "fp16, sizes padded"]),
        (("train.precision=fp16", "stream.lanes=8"), ["fp16", "fp16, sizes padded"]),
        (("train.precision=fp16",), ["fp16"]),
        (("train.precision=fp32", "stream.lanes=8"), ["fp32"]),
        (("train.deterministic=true", "stream.lanes=8"), ["fp32"]),
        (("train.deterministic=true", "train.precision=fp16", "stream.lanes=8"), ["fp16"]),
    ],
)
def test_what_there_is_to_choose_from_on_a_gpu(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...], found: list[str]
) -> None:
    assert offered(lab, monkeypatch, *overrides) == found


def test_what_the_units_of_a_gpu_do_not_know_is_not_offered(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(lab, monkeypatch, units=("fp16",)) == ["fp32", "fp32, TF32 products", "fp16"]
    assert offered(lab, monkeypatch, units=()) == ["fp32", "fp32, TF32 products"]


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A machine on which a CPU has ways to choose from, and the last one is the fastest; the ways that were tried."""
    willing(monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tried: list[str] = []

    def made_up(plan: Plan, task: Any, stream: Any) -> list[Plan]:
        return [plan, replace(plan, precision="bf16"), replace(plan, precision="fp16", padded=True)]

    def judged(begun: dict[str, Callable[[], Runner]]) -> Choice:
        for name, begin in begun.items():
            run = begin()
            assert len(run(2).losses) + len(run(2).losses) == 4
            tried.append(name)
        return Choice(tried[-1], {name: Trial(10.0 * len(name)) for name in begun})

    monkeypatch.setattr(ways, "candidates", made_up)
    monkeypatch.setattr(ways, "fastest", judged)
    return tried


def plan_of(lab: Lab, name: str) -> dict[str, Any]:
    document = Checkpoint.open(checkpoints(lab.path / name / "checkpoints")[-1]).document("config")
    plan: dict[str, Any] = document["plan"]
    return plan


ALL = ["fp32", "bf16", "fp16, sizes padded"]


def test_measuring_leaves_no_trace_in_the_run(lab: Lab, tuned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is bit for bit the run whose way was said."""
    lab.train("measured", "new", Interrupt(), *SHORT)
    assert tuned == ALL
    monkeypatch.setattr(session, "with_way", lambda plan, *rest: replace(plan, precision="fp16", padded=True))
    lab.train("said", "new", Interrupt(), *SHORT)
    same_run(lab, "measured", "said")
    plan = plan_of(lab, "measured")
    assert (plan["precision"], plan["tf32"], plan["padded"]) == ("fp16", False, True)


def test_a_resumed_run_repeats_its_way_and_a_new_one_finds_it_in_the_cache(
    lab: Lab, tuned: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def train(name: str, mode: str, *more: str) -> str:
        loaded = load_config(lab.path / "config.yaml", [*SHORT, *more])
        with Console() as console:
            train_run(loaded, lab.path / name, mode, lab.path / "corpora", console, Interrupt())
        return capsys.readouterr().err

    first = train("run", "new")
    assert "computing in fp16, sizes padded (chars per second, measured now: fp32 40; bf16 40; " in first
    assert tuned == ALL
    assert "computing in fp16, sizes padded, as before" in train("run", "resume", "train.max_steps=20")
    assert "measured in an earlier run" in train("other", "new")
    assert tuned == ALL
    assert "measured now" in train("wider", "new", "model.core.hidden=9")
    assert tuned == ALL * 2
    assert "not bit for bit" not in first
    assert plan_of(lab, "run")["precision"] == "fp16"


def test_a_way_that_is_no_longer_to_be_had_is_measured_anew_and_said(
    lab: Lab, tuned: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.train("run", "new", Interrupt(), *SHORT)
    monkeypatch.setattr(ways, "candidates", lambda plan, task, stream: [plan, replace(plan, precision="bf16")])
    loaded = load_config(lab.path / "config.yaml", [*SHORT, "train.max_steps=20"])
    with Console() as console:
        train_run(loaded, lab.path / "run", "resume", lab.path / "corpora", console, Interrupt())
    told = capsys.readouterr().err
    assert "computing in bf16" in told
    assert "precision: fp16 → bf16, padded: True → False" in told
    assert tuned == [*ALL, "fp32", "bf16"]


def test_trials_of_all_ways_see_the_same_updates(lab: Lab, tuned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In fp16 the loss scale begins far too high here, and what overflows is done again; so no loss is of a batch that
    the weights have not moved by."""
    seen = {}

    def judged(begun: dict[str, Callable[[], Runner]]) -> Choice:
        for name, begin in begun.items():
            run = begin()
            seen[name] = [run(3), run(4)]
        return Choice("fp32", {name: Trial(1.0) for name in begun})

    monkeypatch.setattr(ways, "fastest", judged)
    lab.train("run", "new", Interrupt(), *SHORT, "train.log_every=1")
    told = [(r["nats"]) for r in lab.records("run") if r["split"] == "train"]
    plain, *others = ([*first.losses, *then.losses] for first, then in seen.values())
    assert plain == told[:7]
    for losses in others:
        assert losses != plain
        assert losses == pytest.approx(plain, rel=5e-3)
    assert {then.targets for _, then in seen.values()} == {160}


def test_a_check_tells_the_way(lab: Lab, tuned: list[str]) -> None:
    loaded = load_config(lab.path / "config.yaml", [*SHORT])
    with Console(quiet=True) as console:
        found = dry_run(loaded, lab.path / "corpora", console, Interrupt())
    assert found["precision"] == "fp16, sizes padded"
