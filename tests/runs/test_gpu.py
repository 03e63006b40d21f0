"""What only a GPU can show; skipped aloud without one."""

from __future__ import annotations

import pytest
import torch
from lab import Lab

from charrnn.runs.use import open_model
from charrnn.train.interrupt import Interrupt

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
