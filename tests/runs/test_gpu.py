"""What only a GPU can show; skipped aloud without one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lab import Lab

from charrnn.config.load import load_config
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
