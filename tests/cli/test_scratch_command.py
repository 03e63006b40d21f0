"""`train.engine: scratch` from the command line: train, sample, evaluate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """\
corpus: {source: text.txt, split: [0.8, 0.1, 0.1]}
stream: {lanes: 1, chunk: 8}
model: {input: {kind: one-hot}, core: {kind: elman, hidden: 8}}
train: {engine: scratch, max_steps: 30, optimizer: {kind: sgd, lr: 0.3}, clip_norm: null}
"""

PROBE = """
import os, sys
from charrnn.cli import common
from charrnn.cli.main import main
load = common.load
def told(*arguments):
    loaded = load(*arguments)
    print(os.environ.get("OPENBLAS_NUM_THREADS"), "numpy" in sys.modules, file=sys.stderr)
    return loaded
common.load = told
sys.argv = ["charrnn", "train", "tiny.yaml", "--check", "--quiet", *sys.argv[1:]]
main()
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 40)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.slow
def test_train_sample_evaluate(folder: Path) -> None:
    result = json.loads(run(folder, "-m", "charrnn", "train", "tiny.yaml", "--quiet", "--json").stdout)
    assert result["step"] == 30
    text = run(folder, "-m", "charrnn", "sample", "--seed", "the", "--length", "5").stdout
    assert len(text) == len("the") + 5 + len("\n")
    figures = json.loads(run(folder, "-m", "charrnn", "evaluate", "--positions", "8", "--json").stdout)
    assert figures["nats"] == result["best"]["nats"]


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "expected"), [("scratch", "1 False"), ("torch", "None False")])
def test_numpy_is_told_to_take_one_thread_before_it_is_there(folder: Path, engine: str, expected: str) -> None:
    told = run(folder, "-c", PROBE, "--set", f"train.engine={engine}").stderr
    assert told.splitlines()[0] == expected
