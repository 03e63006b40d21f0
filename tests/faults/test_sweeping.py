"""What a killed process leaves half-made goes when the next one begins there, whatever that one has to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import lab
import pseudolab
import pytest
from lab import Lab
from nursery import Nursery

from charrnn.files.atomic import beside

pytestmark = pytest.mark.slow

SHORT = ("--quiet", "--set", "train.tensorboard=false", "--set", "train.epochs=1")


def litter(parent: Path) -> list[Path]:
    """A file and a folder as a process leaves them that is killed in the middle of making them."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    made = [Path(str(beside(parent / name)).replace(f"-{os.getpid()}", f"-{dead.pid}")) for name in ("last", "c")]
    made[0].write_bytes(b"half")
    made[1].mkdir()
    (made[1] / "file").write_bytes(b"half")
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(lab.TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(lab.CONFIG, encoding="utf-8")
    return tmp_path


def again(processes: Nursery, place: Path, folders: list[str], *command: str) -> None:
    """The command a second time, for which nothing is left to do but to sweep these folders."""
    assert processes.run("nursery:charrnn", place, *command).code == 0
    left = [path for folder in folders for path in litter(place / folder)]
    end = processes.run("nursery:charrnn", place, *command)
    assert end.code == 0, end.err
    assert [path for path in left if path.exists()] == []


def test_a_corpus_that_is_there(processes: Nursery, place: Path) -> None:
    again(processes, place, ["corpora"], "prepare", "text.txt", "--quiet")


@pytest.mark.parametrize("mode", ["--resume", "--force"])
def test_a_run(processes: Nursery, place: Path, mode: str) -> None:
    again(processes, place, ["corpora", "run", "run/checkpoints"], "train", "config.yaml", "--out", "run", mode, *SHORT)
    assert Lab(place).records("run")


def test_a_study(processes: Nursery, place: Path) -> None:
    pytest.importorskip("optuna")
    search = "tune={trials: 1, space: {train.optimizer.lr: {kind: log, low: 1e-3, high: 1e-1}}}"
    again(processes, place, ["study"], "tune", "config.yaml", "--out", "study", "--set", search, *SHORT)


def test_rounds(processes: Nursery, place: Path) -> None:
    pseudolab.new_lab(place)
    keys = ("train.max_steps=2", "pseudo.rounds=1", "pseudo.select={kind: all}")
    settings = [word for key in keys for word in ("--set", key)]
    again(processes, place, ["r", "r/seed-1"], "pseudolabel", "config.yaml", "--out", "r", "--quiet", *settings)
