"""What never loads torch, and starts fast because of it. Each command runs in a process of its own, at the price of a
fork."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nursery import WITHOUT_TORCH, Nursery, nursery

ROOT = Path(__file__).resolve().parents[2]

PROBE = "import sys; from nursery import probe; probe(*sys.argv[1:])"
Probe = Callable[..., tuple[int, bool, str]]


@pytest.fixture(scope="module")
def light() -> Iterator[Nursery]:
    """Makes processes that have loaded the program, and nothing that it loads when it is asked for something."""
    with nursery(WITHOUT_TORCH) as made:
        yield made


@pytest.fixture
def probe(light: Nursery, tmp_path: Path) -> Probe:
    """Runs a command, and tells its exit code, whether torch was loaded, and its standard output."""

    def run(*arguments: str, text: str = "") -> tuple[int, bool, str]:
        end = light.run("nursery:probe", tmp_path, *arguments, heard=text)
        code, torch = json.loads(end.err.splitlines()[-1])
        return code, torch, end.out

    return run


def probe_serving(folder: Path) -> tuple[int, bool, str]:
    """The same of a server that is stopped by Ctrl-C as soon as it listens; of standard output the first line."""
    command = [sys.executable, "-c", PROBE, "serve", "--port", "0", "--quiet"]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    line = child.stdout.readline()
    child.send_signal(signal.SIGINT)
    code, torch = json.loads(child.communicate(timeout=60)[1].splitlines()[-1])
    return code, torch, line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["train", "--help"], 0),
        (["config", "schema"], 0),
        (["config", "show", str(ROOT / "configs" / "demo.yaml")], 0),
        (["train", "missing.yaml"], 2),
        (["train", "wrong.yaml"], 2),
        (["prepare", "text.txt"], 0),
        (["prepare", "missing.txt"], 3),
        (["baseline", "right.yaml"], 0),
        (["init", "text.txt"], 0),
        (["sample"], 2),
        (["evaluate"], 2),
        (["evaluate", "--help"], 0),
        (["recommend", "--user", "1"], 2),
        (["prepare", "ratings.yaml"], 0),
        (["doctor", "."], 2),
        (["runs", "."], 0),
        (["path", "best"], 2),
        (["watch"], 2),
        (["report"], 2),
        (["export", "--format", "web"], 2),
        (["score", "runs/none"], 2),
        (["serve"], 2),
        (["serve", "--max-samples", "300"], 2),
        (["serve", "--device", "cpu"], 2),
        (["sample", "--device", "cpu"], 2),
        (["suggest", "runs/none"], 2),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_these_never_load_torch(probe: Probe, tmp_path: Path, arguments: list[str], expected: int) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 40)
    (tmp_path / "wrong.yaml").write_text("corpus: {source: text.txt}\nstraem: {}\n")
    (tmp_path / "right.yaml").write_text("corpus: {source: text.txt}\n")
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating\n" + "1,2,3.5\n" * 9)
    (tmp_path / "ratings.yaml").write_text("task: rate\ncorpus: {source: ratings.csv}\n")
    code, torch, _ = probe(*arguments)
    assert (code, torch) == (expected, False)


def test_sampling_never_loads_torch_and_training_does(probe: Probe, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 40)
    (tmp_path / "tiny.yaml").write_text(
        "corpus: {source: text.txt}\nmodel: {core: {hidden: 4}}\ntrain: {max_steps: 2}\nstream: {chunk: 8}\n"
    )
    assert probe("train", "tiny.yaml", "--quiet")[:2] == (0, True)
    code, torch, out = probe("sample", "--seed", "the", "--length", "5")
    assert (code, torch) == (0, False)
    assert out.startswith("the")
    assert len(out) == len("the") + 5 + len("\n")
    more = ["--memorized", "--count", "2", "--trace-text", "train", "--probabilities", "--json"]
    assert probe("sample", "--length", "5", *more)[:2] == (0, False)
    assert probe("sample", "--length", "5", "--beam", "2")[:2] == (0, False)
    assert probe("neighbours", "runs/tiny", "t")[:2] == (0, False)
    assert probe("score", "runs/tiny", text="the cat")[:2] == (0, False)
    assert probe("score", "runs/tiny", "--anomalies", "9", text="the cat")[:2] == (2, False)  # too few lines
    assert probe("suggest", "runs/tiny", "--measure", "valid", "--length", "9")[:2] == (0, False)
    assert probe("embeddings", "--method", "pca")[:2] == (0, False)
    assert probe("runs")[:2] == (0, False)
    assert probe("path", "corpus")[:2] == (0, False)
    assert probe("watch", "runs/tiny")[:2] == (0, False)
    assert probe("report", "runs/tiny", "--projector")[:2] == (0, False)
    assert probe("export", "--format", "web", "--half")[:2] == (0, False)
    assert probe("export", "--format", "onnx", "--int8")[:2] == (0, False)
    code, torch, address = probe_serving(tmp_path)
    assert (code, torch) == (130, False)
    assert address.startswith("http://127.0.0.1:")
