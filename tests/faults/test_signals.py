"""Signals in every phase: a flag, one save, and an exit code that a scheduler understands."""

from __future__ import annotations

import json
import signal
import time
from itertools import product
from pathlib import Path

import lab
import pseudolab
import pytest
from killing import nothing_half_written
from lab import Lab, same_run
from ledger import Ledger
from nursery import End, Nursery
from signalling import COUNTS

pytestmark = pytest.mark.slow

STOPS = {signal.SIGTERM: 143, signal.SIGINT: 130}
TRAINING = ("prepare", "step", "evaluation", "sampling", "checkpoint", "pointer")
ROUNDS = ("preparing items", "step", "labelling", "measuring", "a stage's name")
SHORT = ("--set", "train.tensorboard=false", "--set", "train.epochs=1")
TRAIN = ("train", "config.yaml", "--out", "run", "--resume", "--json", *SHORT)
FEW = ("train.max_steps=6", "train.save.every=2", "pseudo.rounds=1", "pseudo.select={kind: all}")
LABEL = ("pseudolabel", "config.yaml", "--out", "rounds", "--json", *(word for key in FEW for word in ("--set", key)))


def begun(folder: Path) -> Path:
    folder.mkdir()
    (folder / "text.txt").write_text(lab.TEXT, encoding="utf-8")
    (folder / "config.yaml").write_text(lab.CONFIG, encoding="utf-8")
    return folder


def rounds_begun(folder: Path) -> Path:
    folder.mkdir()
    pseudolab.new_lab(folder)
    return folder


def signalled(
    processes: Nursery, folder: Path, phases: list[str], numbers: list[int], command: tuple[str, ...]
) -> tuple[End, int]:
    """How the command ends that is sent these signals in each of the phases; how many checkpoints it writes after the
    first one."""
    end = processes.run("signalling:charrnn_signalled", folder, phases, numbers, *command)
    sent, saves = json.loads((folder / COUNTS).read_text())
    assert sent == len(phases) * len(numbers), "the phase never came"
    assert "Traceback" not in end.err
    return end, saves


def stopped_well(end: End, code: int, number: int) -> None:
    assert end.code == code, end.err
    told = json.loads(end.out)
    assert (told["resumable"], told["signal"]) == (True, number)
    assert "go on with: charrnn " in end.err


def trials(ledger: Ledger, phases: tuple[str, ...]) -> list[tuple[str, signal.Signals]]:
    """Every phase with every signal in a soak; each phase with one of them otherwise."""
    every = list(product(phases, STOPS))
    usual = [(phase, (signal.SIGTERM, signal.SIGINT)[number % 2]) for number, phase in enumerate(phases)]
    return (every if ledger.times(0, 1) else usual) * ledger.times(1, 3)


def test_training_is_saved_once_and_goes_on(processes: Nursery, tmp_path: Path, ledger: Ledger) -> None:
    count = ledger.fault("SIGTERM or Ctrl-C in any phase of training, then --resume")
    assert processes.run("nursery:charrnn", begun(tmp_path / "whole"), *TRAIN).code == 0
    for number, (phase, stop) in enumerate(trials(ledger, TRAINING)):
        with count.trial():
            folder = begun(tmp_path / f"{number}")
            end, saves = signalled(processes, folder, [phase], [stop], TRAIN)
            stopped_well(end, STOPS[stop], stop)
            assert saves <= 1
            assert json.loads(end.out)["step"] == (None if phase == "prepare" else steps(folder)[-1])
            nothing_half_written(folder)
            done = processes.run("nursery:charrnn", folder, *TRAIN)
            assert done.code == 0, done.err
            same_run(Lab(tmp_path), "whole/run", f"{folder.name}/run")


def steps(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (folder / "run/checkpoints").glob("step-*"))


def test_a_second_signal_leaves_at_once(processes: Nursery, tmp_path: Path, ledger: Ledger) -> None:
    """Without a save and without a word: what was saved before is whole, and what was not is done again."""
    count = ledger.fault("two signals at once, in any phase of training")
    for number, (phase, stop) in enumerate(trials(ledger, TRAINING)):
        with count.trial():
            folder = begun(tmp_path / f"{number}")
            end = processes.run("signalling:charrnn_signalled", folder, [phase], [signal.SIGTERM, stop], *TRAIN)
            assert (end.code, end.out) == (STOPS[stop], "")
            assert not (folder / COUNTS).exists()
            nothing_half_written(folder)
    # What the last one left goes on; the tests of kills do that at every instant.
    assert processes.run("nursery:charrnn", folder, *TRAIN).code == 0
    assert not list(folder.rglob(".tmp-charrnn*"))


def test_sigusr1_saves_and_goes_on(processes: Nursery, tmp_path: Path, ledger: Ledger) -> None:
    count = ledger.fault("SIGUSR1 in any phase of training")
    plain = (*TRAIN, "--set", "train.save={every: 1000, keep: 50}")
    whole = begun(tmp_path / "whole")
    assert processes.run("nursery:charrnn", whole, *plain).code == 0
    for phase in TRAINING[: ledger.times(4, len(TRAINING))]:
        with count.trial():
            folder = begun(tmp_path / phase)
            end, _ = signalled(processes, folder, [phase], [signal.SIGUSR1], plain)
            assert end.code == 0, end.err
            assert json.loads(end.out)["ended"] == "all steps are done"
            same_run(Lab(tmp_path), "whole/run", f"{phase}/run")
            more = set(steps(folder)) - set(steps(whole))
            # In front of a checkpoint that falls due anyway it is that one; while one is written, another follows,
            # unless it is the last: the third pointer is that of the end.
            assert len(more) == (0 if phase in ("evaluation", "sampling", "pointer") else 1)


def test_rounds_go_on_with_the_same_command(processes: Nursery, tmp_path: Path, ledger: Ledger) -> None:
    count = ledger.fault("SIGTERM or Ctrl-C in any phase of pseudo-labelling")
    whole = rounds_begun(tmp_path / "whole")
    assert processes.run("nursery:charrnn", whole, *LABEL).code == 0
    for number, (phase, stop) in enumerate(trials(ledger, ROUNDS)):
        with count.trial():
            folder = rounds_begun(tmp_path / f"{number}")
            end, saves = signalled(processes, folder, [phase], [stop], LABEL)
            stopped_well(end, STOPS[stop], stop)
            assert saves <= 1
            nothing_half_written(folder)
            done = processes.run("nursery:charrnn", folder, *LABEL)
            assert done.code == 0, done.err
            assert pseudolab.all_that_came(whole / "rounds") == pseudolab.all_that_came(folder / "rounds")


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_prepare_leaves_nothing_and_can_be_repeated(processes: Nursery, tmp_path: Path, stop: signal.Signals) -> None:
    folder = begun(tmp_path / "it")
    command = ("prepare", "text.txt", "--json")
    end, _ = signalled(processes, folder, ["prepare"], [stop], command)
    assert end.code == STOPS[stop]
    assert json.loads(end.out) == {"schema_version": 1, "resumable": True, "signal": stop}
    assert "begin again with: charrnn prepare text.txt" in end.err
    assert list((folder / "corpora").iterdir()) == []
    again = processes.run("nursery:charrnn", folder, *command)
    assert json.loads(again.out)["fresh"] is True


def test_the_end_of_a_slurm_job_is_a_sigterm_in_time(processes: Nursery, tmp_path: Path) -> None:
    folder = begun(tmp_path / "it")
    long = (*TRAIN, "--set", "train.epochs=2000")
    end = processes.run("nursery:charrnn", folder, *long, SLURM_JOB_END_TIME=str(int(time.time()) + 4))
    stopped_well(end, 143, signal.SIGTERM)
    assert "minutes (SLURM_JOB_END_TIME): what is not done by then is saved in time" in end.err
    assert "stopped before the job's time is up" in end.err
    assert json.loads(end.out)["step"] == steps(folder)[-1]
