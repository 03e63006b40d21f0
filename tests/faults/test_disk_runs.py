"""Whole runs on a disk that is full for a while: they go on where that is promised, and with --resume otherwise."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from faultydisk import FULL, FaultyDisk, failure_of, litter
from lab import CONFIG, TEXT, Lab, Stopper, same_checkpoint, same_run
from ledger import Ledger
from pseudolab import all_that_came, new_lab

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.write import write_checkpoint
from charrnn.errors import DiskFullError
from charrnn.runs import saver
from charrnn.runs.folder import RunFolder

FEW = ("train.tensorboard=false", "train.epochs=2")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return Lab(tmp_path)


@contextmanager
def no_room_for(*saves: int) -> Iterator[list[int]]:
    """Checkpoints of these numbers, counted from 0, find no room; yields the steps of all that were tried."""
    tried: list[int] = []

    def writing(parent: Path, step: int, *rest: Any) -> Path:
        tried.append(step)
        if len(tried) - 1 not in saves:
            return write_checkpoint(parent, step, *rest)
        with FaultyDisk(2, FULL[len(tried) % 2], lasting=True).installed():
            return write_checkpoint(parent, step, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saver, "write_checkpoint", writing)
        yield tried


def whole(lab: Lab, name: str) -> None:
    """All checkpoints of a run can be read, there is no litter, and the newest is the one to go on from."""
    folders = checkpoints(lab.path / name / "checkpoints")
    for folder in folders:
        same_checkpoint(folder, folder)
    assert litter(lab.path) == []
    newest = RunFolder(lab.path / name).newest()
    assert (None if newest is None else newest.folder) == (folders[-1] if folders else None)


def test_without_room_for_one_checkpoint_training_goes_on_aloud(lab: Lab) -> None:
    lab.train("unbroken", "new", None, *FEW)
    with no_room_for(1, 3) as tried:
        lab.train("broken", "new", None, *FEW)
    assert len(tried) > 4
    whole(lab, "broken")
    told = [record for record in lab.records("broken") if record["split"] == "disk"]
    assert [record["step"] for record in told] == [tried[1], tried[3]]
    assert "the disk" in told[0]["what"]
    assert [r for r in lab.records("broken") if r["split"] != "disk"] == lab.records("unbroken")
    assert weights(lab.path / "broken") == weights(lab.path / "unbroken")


def test_the_second_in_a_row_ends_the_run_and_resume_goes_on(lab: Lab, ledger: Ledger) -> None:
    count = ledger.fault("disk full for two checkpoints in a row, then --resume")
    lab.train("unbroken", "new", None, *FEW)
    for first in range(ledger.times(2, 3)):
        with count.trial():
            name = f"broken-{first}"
            with no_room_for(first, first + 1) as tried, pytest.raises(DiskFullError) as caught:
                lab.train(name, "new", None, *FEW)
            assert (caught.value.exit_code, len(tried)) == (7, first + 2)
            assert "--resume" in str(caught.value.hint)
            whole(lab, name)
            lab.train(name, "resume", None, *FEW)
            same_run(lab, "unbroken", name)


def test_the_last_checkpoint_and_that_of_a_signal_have_no_second_chance(lab: Lab) -> None:
    with no_room_for() as tried:
        lab.train("unbroken", "new", None, *FEW)
    with no_room_for(len(tried) - 1), pytest.raises(DiskFullError):
        lab.train("last", "new", None, *FEW)
    with no_room_for(0), pytest.raises(DiskFullError):
        lab.train("signal", "new", Stopper(5), *FEW)
    for name in ("last", "signal"):
        whole(lab, name)
        lab.train(name, "resume", None, *FEW)
        same_run(lab, "unbroken", name)


def test_a_disk_that_is_full_at_any_moment_of_a_run(lab: Lab, ledger: Ledger) -> None:
    """One call is refused, or all from then on; the run goes on, or ends with exit code 7 and goes on with --resume."""
    count = ledger.fault("disk full at a random moment of training, then --resume")
    lab.train("unbroken", "new", None, *FEW)  # prepares the corpus, which no later run does
    with FaultyDisk().installed() as counted:
        lab.train("counted", "new", None, *FEW)
    chance = random.Random(6)
    for trial in range(ledger.times(4, 150)):
        with count.trial():
            name, number = f"broken-{trial}", chance.randrange(len(counted.calls))
            with FaultyDisk(number, FULL[trial % 2], lasting=trial % 4 > 1).installed() as disk:
                error = failure_of(lambda name=name: lab.train(name, "new", None, *FEW))
            assert disk.refused
            assert error is None or isinstance(error, DiskFullError), repr(error)
            assert error is not None or not disk.lasting
            whole(lab, name)
            lab.train(name, "resume" if (lab.path / name).exists() else "new", None, *FEW)
            told = [record for record in lab.records(name) if record["split"] != "disk"]
            assert told == lab.records("unbroken")
            assert weights(lab.path / name) == weights(lab.path / "unbroken")


def weights(run: Path) -> bytes:
    return (checkpoints(run / "checkpoints")[-1] / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_disk_that_is_full_again_and_again_while_pseudo_labelling(tmp_path: Path, ledger: Ledger) -> None:
    """The same command goes on, as often as it is refused, and comes to the same."""
    count = ledger.fault("disk full while pseudo-labelling, then the same command")
    settings = ("train.max_steps=4", "pseudo.rounds=1", "pseudo.select={kind: all}")
    lab = new_lab(tmp_path)
    lab.rounds("whole", *settings)  # it prepares the data, too
    with FaultyDisk().installed() as counted:
        lab.rounds("again", *settings)
    chance = random.Random(7)
    for trial in range(ledger.times(6, 60)):
        with count.trial():
            name = f"broken-{trial}"
            with FaultyDisk(chance.randrange(len(counted.calls)), FULL[trial % 2], lasting=True).installed():
                error = failure_of(lambda name=name: lab.rounds(name, *settings))
            assert isinstance(error, DiskFullError), repr(error)
            assert litter(tmp_path) == []
            lab.rounds(name, *settings)
            assert all_that_came(tmp_path / name) == all_that_came(tmp_path / "whole")
            assert not list((tmp_path / name).rglob("*.part"))
