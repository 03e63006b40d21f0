"""A run that is opened on a device; what a CPU can show of it, which is all but the graph."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from lab import CONFIG, TEXT, Lab

import charrnn
from charrnn.checkpoint.read import Checkpoint
from charrnn.errors import CheckpointError, DeviceError, OutOfMemoryError, UsageError
from charrnn.models.burst import Burst
from charrnn.runs.on_device import in_torch, open_on
from charrnn.runs.scoring import score_text
from charrnn.runs.use import OpenModel, open_model
from charrnn.sample.trace import trace

ON_CPU = partial(in_torch, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    place = tmp_path_factory.mktemp("device")
    (place / "text.txt").write_text(TEXT, encoding="utf-8")
    (place / "config.yaml").write_text(CONFIG, encoding="utf-8")
    made = Lab(place)
    settings = ("train.epochs=1", "train.precision=fp64")
    made.train("run", "new", None, *settings)
    made.train("windows", "new", None, *settings, "stream={kind: windows, length: 6, batch: 4}")
    return made


def opened(lab: Lab, name: str = "run") -> tuple[OpenModel, OpenModel]:
    return open_model(lab.path / name, lab.path), open_model(lab.path / name, lab.path, ON_CPU)


@pytest.mark.parametrize("name", ["run", "windows"])
def test_a_run_writes_what_it_writes_in_numpy(lab: Lab, name: str) -> None:
    in_numpy, on_device = opened(lab, name)
    options = in_numpy.options({"length": 150, "top_p": 0.95})
    found = [
        [one.piece for one in model.samples(options, range(3)) if one.stream == 2] for model in (in_numpy, on_device)
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 150
    assert on_device.bursts is not None
    assert on_device.bursts.steps == {"run": 64, "windows": 256 // 6}[name]


def test_a_text_is_scored_and_traced_step_by_step(lab: Lab) -> None:
    in_numpy, on_device = opened(lab)
    wholes = [score_text(model, "abcabc\ncab", "error")[1] for model in (in_numpy, on_device)]
    assert wholes[1].total == pytest.approx(wholes[0].total, rel=1e-12)
    one, other = (trace(model.network, [3, 4, 5, 4], True) for model in (in_numpy, on_device))
    assert list(one) == list(other)
    for name, states in one.items():
        np.testing.assert_allclose(other[name], states, atol=1e-12, rtol=0)
    with pytest.raises(UsageError, match="no state that could be traced"):
        trace(opened(lab, "windows")[1].network, [3, 4], True)


def test_which_devices_there_are(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--device tpu: this is no device"):
        open_on(lab.path / "run", lab.path, "tpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="there is no device `cuda:3` here"):
        open_on(lab.path / "run", lab.path, "cuda:3")
    with pytest.raises(DeviceError):
        charrnn.load(lab.path / "run", device="cuda")
    assert open_on(lab.path / "run", lab.path, "auto").bursts is None
    texts = [charrnn.load(lab.path / "run", device=device).sample("abc") for device in ("auto", "cpu")]
    assert texts[0] == texts[1]


def test_memory_that_runs_out_is_said_with_what_to_do(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = opened(lab)

    def refuse(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    for name in ("widen", "begin", "go"):
        with monkeypatch.context() as patched:
            patched.setattr(Burst, name, refuse)
            with pytest.raises(OutOfMemoryError) as found:
                list(model.samples(model.options({}), (0,)))
        assert found.value.exit_code == 6
        assert found.value.hint is not None
        assert "fewer texts at a time" in found.value.hint
        assert "Tried to allocate" in (found.value.why or "")
    assert len(list(model.samples(model.options({}), (0,)))) == 20, "and the next text is written"


def test_tensors_that_do_not_fit_are_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = Checkpoint.tensors
    monkeypatch.setattr(Checkpoint, "tensors", lambda self, group: _cut(tensors(self, group)))
    with pytest.raises(CheckpointError):
        opened(lab)


def _cut(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array[:-1] if name == "input.table" else array for name, array in arrays.items()}
