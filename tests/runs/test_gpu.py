"""What only a GPU can show; skipped aloud without one."""

from __future__ import annotations

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


def test_a_run_trained_on_a_gpu_samples_on_a_cpu_and_goes_on_there(lab: Lab) -> None:
    lab.train("run", "new", Interrupt(), "train.device=cuda", "train.epochs=2")
    model = open_model(lab.path / "run", lab.path)
    text = "".join(model.text(model.options({"seed": "abc"}), 0, "error", lambda: None))
    assert len(text) == 20
    outcome = lab.train("run", "resume", Interrupt(), "train.device=cpu", "train.epochs=4")
    assert outcome["ended"] == "all steps are done"


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
