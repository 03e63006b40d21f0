"""What only a GPU can show; skipped aloud without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lab import Lab

from charrnn.config.load import load_config
from charrnn.contracts import Loss
from charrnn.logs.console import Console
from charrnn.models.kernel import obstacle
from charrnn.runs.evaluate import Wanted, evaluate_run
from charrnn.runs.folder import config_beside, find_checkpoint
from charrnn.runs.use import open_model
from charrnn.train.interrupt import Interrupt

CUDA_SCAN = obstacle(torch.device("cuda"), "fp32")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is measured is kept in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_run_trained_on_a_gpu_samples_on_a_cpu_and_goes_on_there(lab: Lab) -> None:
    lab.train("run", "new", Interrupt(), "train.device=cuda", "train.epochs=2")
    model = open_model(lab.path / "run", lab.path)
    text = "".join(model.text(model.options({"seed": "abc"}), 0, "error", lambda: None))
    assert len(text) == 20
    outcome = lab.train("run", "resume", Interrupt(), "train.device=cpu", "train.epochs=4")
    assert outcome["ended"] == "all steps are done"


def test_a_run_goes_from_a_gpu_to_a_cpu_and_back(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Its moments and their counts of steps lie where the kernels of each device want them, in fp32 within rounding."""
    from charrnn.runs.start import train_run

    without_draws = (
        "model={input: {size: 6}, core: {hidden: 8, layers: 2}, head: {hidden: [7]}}",
        "train.schedule={kind: constant, warmup: 0}",
        "train.precision=fp32",
    )
    lab.train("whole", "new", Interrupt(), "train.device=cpu", "train.max_steps=60", *without_draws)
    for steps, device in ((20, "cuda"), (40, "cpu"), (60, "cuda")):
        loaded = load_config(
            lab.path / "config.yaml", [f"train.device={device}", f"train.max_steps={steps}", *without_draws]
        )
        with Console() as console:
            mode = "new" if steps == 20 else "resume"
            train_run(loaded, lab.path / "run", mode, lab.path / "corpora", console, Interrupt())
    told = capsys.readouterr().err
    assert "device: cuda:0 → cpu" in told
    assert "device: cpu → cuda:0" in told
    whole, run = (
        find_checkpoint(lab.path / name / "checkpoints" / "step-00000060", lab.path)[0] for name in ("whole", "run")
    )
    for name, array in whole.tensors("model").items():
        assert torch.allclose(
            torch.from_numpy(array.copy()), torch.from_numpy(run.tensors("model")[name].copy()), atol=1e-3
        )


@pytest.mark.parametrize("parts", [2, 3])
def test_a_batch_in_parts_has_the_gradient_of_the_whole_on_a_gpu(lab: Lab, parts: int) -> None:
    """Dropout is drawn on the device, for all rows."""
    from charrnn.models.core import Draws
    from charrnn.runs.throwaway import throwaway
    from charrnn.train.parts import descend
    from charrnn.train.world import World

    settings = ["train.device=cuda", "train.precision=fp64", "model.input.batchnorm=false"]
    loaded = load_config(lab.path / "config.yaml", settings)
    with Console(quiet=True) as console:
        run = throwaway(loaded, lab.path / "corpora", console, Interrupt())
    batch, found = run.stream.batch(2, run.device), []
    for count in (1, parts):
        run.state.model.zero_grad(set_to_none=True)
        descend(run.task, run.state.model, batch, run.state.lanes, Draws(1, 2, batch.rows), count, World())
        found.append([p.grad.clone() for p in run.state.model.parameters() if p.grad is not None])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-10, atol=1e-12)


def test_a_deterministic_run_resumes_bit_for_bit_on_a_gpu(lab: Lab) -> None:
    from lab import Stopper

    settings = ("train.device=cuda", "train.deterministic=true")
    lab.train("whole", "new", Interrupt(), *settings)
    with pytest.raises(Stopper.Killed):
        lab.train("broken", "new", Stopper(40, hard=True), *settings)
    lab.train("broken", "resume", Interrupt(), *settings)
    assert lab.records("whole") == lab.records("broken")


@pytest.mark.skipif(CUDA_SCAN is not None, reason=str(CUDA_SCAN))
def test_a_run_by_the_scan_s_kernel_resumes_bit_for_bit_on_a_gpu(lab: Lab) -> None:
    from lab import Stopper

    settings = ("model.core={kind: mingru, hidden: 8, layers: 2}", "train.device=cuda", "train.deterministic=true")
    lab.train("whole", "new", Interrupt(), *settings)
    with pytest.raises(Stopper.Killed):
        lab.train("broken", "new", Stopper(40, hard=True), *settings)
    lab.train("broken", "resume", Interrupt(), *settings)
    assert lab.records("whole") == lab.records("broken")
    checkpoint, _ = find_checkpoint(lab.path / "broken", lab.path)
    assert checkpoint.document("config")["plan"]["scan"] == "kernel"


def test_dynamic_evaluation_learns_on_a_gpu_as_on_a_cpu(lab: Lab) -> None:
    """cuDNN refuses gradients in evaluation mode; in float64 the two devices agree closely."""
    lab.train("run", "new", Interrupt(), "train.device=cpu", "train.precision=fp64", "train.epochs=2")
    checkpoint, _ = find_checkpoint(lab.path / "run", lab.path)
    found = []
    for device in ("cpu", "cuda"):
        loaded = load_config(config_beside(checkpoint), [f"train.device={device}"])
        with Console(quiet=True) as console:
            result = evaluate_run(
                checkpoint, loaded, Wanted("valid", 8, True), lab.path / "corpora", console, Interrupt()
            )
        found.append(result["dynamic"]["nats"])
    assert found[1] == pytest.approx(found[0], rel=1e-6)


GRAPHS = {
    "lstm": (),
    "gru": ("model.core={kind: gru, hidden: 8, dropout: 0.2}",),
    "layer norm": ("model.core={kind: ln-lstm, hidden: 6, recurrent_dropout: 0.2}",),
    "jordan": ("model.core={kind: jordan, hidden: 8, outputs: 6}",),
    "mingru": ("model.core={kind: mingru, hidden: 8, layers: 2}", "train.scan=tree"),
    "fp64": ("train.precision=fp64",),
    "sgd": ("train.optimizer={kind: sgd, lr: 0.1, momentum: 0.9}",),
    "in parts": ("model={input: {size: 6, dropout: 0.1}, core: {hidden: 8}}", "train.micro_batches=3"),
    "far": ("stream={lanes: 4, chunk: 10, reach: 17, reset_chance: 0.2, offset: random}",),
    "windows": ("stream={kind: windows, length: 12, batch: 5}",),
    "two texts": ("stream.mix={again: {corpus: {source: text.txt}, lanes: 2}}",),
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_run_of_graphs_is_the_run_of_updates_one_by_one(
    lab: Lab, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bit for bit: as graphs, operation by operation ahead of a look, and each looked at before it is done."""
    from lab import same_run

    from charrnn.runs import session
    from charrnn.runs.start import train_run

    def train(name: str, *settings: str) -> str:
        common = ("train.device=cuda", "train.deterministic=true", *GRAPHS[kind])
        loaded = load_config(lab.path / "config.yaml", [*common, *settings])
        with Console() as console:
            train_run(loaded, lab.path / name, "new", lab.path / "corpora", console, Interrupt())
        return capsys.readouterr().err

    monkeypatch.chdir(lab.path)
    told = train("graphs", "train.step=graph")
    assert "updates are graphs" in told
    assert "cannot be a graph" not in told
    assert "one by one" in train("eager", "train.step=eager")
    same_but_for_the_plan(lab, "graphs", "eager")
    monkeypatch.setattr(session, "ahead_of", lambda *arguments: None)
    train("looked at", "train.step=eager")
    same_run(lab, "eager", "looked at")


def same_but_for_the_plan(lab: Lab, one: str, other: str) -> None:
    assert lab.records(one) == lab.records(other)
    last = [find_checkpoint(lab.path / name, lab.path)[0] for name in (one, other)]
    for group in ("model", "optimizer", "lanes"):
        left, right = (checkpoint.tensors(group) for checkpoint in last)
        assert list(left) == list(right)
        assert [name for name in left if left[name].tobytes() != right[name].tobytes()] == []
    plans = [checkpoint.document("config")["plan"] for checkpoint in last]
    assert [plan["step"] for plan in plans] == ["graph", "eager"]


def test_graphs_leave_out_what_is_not_finite_and_resume_bit_for_bit(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of a batch of every epoch is none; nothing of it is looked at from the host."""
    import dataclasses
    import math

    from lab import Stopper, same_run

    from charrnn.tasks.language import LanguageTask

    sound, targets = LanguageTask.loss, []

    def loss(task: LanguageTask, model: Any, batch: Any, state: Any, draws: Any = None) -> Loss:
        found = sound(task, model, batch, state, draws)
        if batch.y_BT.shape != targets[0].shape:
            return found
        factor = torch.ones_like(found.each).masked_fill((batch.y_BT == targets[0]).all(), math.nan)
        return dataclasses.replace(found, each=found.each * factor)

    settings = ("train.device=cuda", "train.deterministic=true", "train.step=graph")
    task = throwaway_task(lab, *settings)
    targets.append(task.stream("train").batch(13, torch.device("cpu")).y_BT.cuda())
    monkeypatch.setattr(LanguageTask, "loss", loss)
    lab.train("whole", "new", Interrupt(), *settings)
    with pytest.raises(Stopper.Killed):
        lab.train("broken", "new", Stopper(12, hard=True), *settings)
    lab.train("broken", "resume", Interrupt(), *settings)
    same_run(lab, "whole", "broken")
    skipped = sum(record["skipped"] for record in lab.records("whole") if record["split"] == "train")
    assert skipped == 4


def throwaway_task(lab: Lab, *settings: str) -> Any:
    from charrnn.runs.throwaway import throwaway

    loaded = load_config(lab.path / "config.yaml", settings)
    with Console(quiet=True) as console:
        return throwaway(loaded, lab.path / "corpora", console, Interrupt()).task


@pytest.mark.parametrize("step", ["graph", "eager"])
def test_no_update_makes_the_host_wait(lab: Lab, step: str) -> None:
    """Torch tells of operations that do; only the look at the end of each burst may."""
    from charrnn.runs.stepping import ahead_of, with_step, with_tokens
    from charrnn.runs.task import training_stream
    from charrnn.runs.throwaway import throwaway

    loaded = load_config(lab.path / "config.yaml", ["train.device=cuda", f"train.step={step}"])
    with Console(quiet=True) as console:
        run = throwaway(loaded, lab.path / "corpora", console, Interrupt())
    plan = with_step(with_tokens(run.plan, run.task), loaded.config)
    assert (plan.step, plan.tokens) == (step, "device")
    runner = ahead_of(plan, run.task, run.state, training_stream(run.task), pytest.fail)
    assert runner is not None
    for _ in range(12):
        list(runner.run([0.01]))
    runner._settle()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for ahead in range(4):
            runner._update(ahead, 0.01)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert bool(runner.graphs) == (step == "graph")
