"""Several machines, each with a torchrun of its own; here they are two agents on one machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lab import CONFIG, TEXT, Lab

from charrnn.errors import DeviceError
from charrnn.runs.plan import device_of

SHORT = ("train.max_steps=8", "train.precision=fp64", "train.log_every=1", "train.tensorboard=false")


@pytest.mark.slow
def test_two_machines_train_what_one_process_trains(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", f"--rdzv-endpoint=localhost:{port}"]
    train = ["train", "config.yaml", "--out", "by-2", "--quiet", *(f"--set={setting}" for setting in SHORT)]
    command = [sys.executable, "-m", "torch.distributed.run", *launch, "-m", "charrnn", *train]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    Lab(tmp_path).train("by-1", "new", None, *SHORT)
    said = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0], [err for _, err in said]
    assert sorted(out for out, _ in said) == ["", "by-2\n"]
    nats, processes = [], []
    for run in (tmp_path / "by-1", tmp_path / "by-2"):
        records = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
        nats.append([record["nats"] for record in records])
        plan = json.loads((run / "checkpoints/step-00000008/config.json").read_text())["plan"]
        processes.append(plan["processes"])
    assert processes == [1, 2]
    assert len(nats[0]) > 0
    assert nats[1] == pytest.approx(nats[0], rel=1e-12)


def test_a_process_takes_the_gpu_of_its_number_on_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not that of its number among all: machines with two each have no sixth."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for rank, local in ((0, 0), (1, 1), (4, 0), (5, 1)):
        for name, number in (("WORLD_SIZE", 6), ("RANK", rank), ("LOCAL_RANK", local)):
            monkeypatch.setenv(name, str(number))
        assert [str(device_of(wanted)) for wanted in ("auto", "cuda")] == [f"cuda:{local}"] * 2
    monkeypatch.setenv("LOCAL_RANK", "2")
    for wanted in ("auto", "cuda"):
        with pytest.raises(DeviceError, match="process 3 of this machine"):
            device_of(wanted)


def test_processes_of_one_machine_do_not_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process of each machine may be told which it takes; the others of a machine would take the same."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert str(device_of("cuda:1")) == "cuda:1"
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(DeviceError, match="would compute on `cuda:1`"):
        device_of("cuda:1")
