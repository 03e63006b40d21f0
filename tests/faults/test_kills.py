"""Killed at any instant, everything goes on, and comes bit for bit to what nobody has killed."""

from __future__ import annotations

import shutil
from pathlib import Path

import lab
import pseudolab
import pytest
from killing import Work, nothing_half_written, verified
from lab import Lab, same_run
from ledger import Ledger
from nursery import Nursery

from charrnn.checkpoint.layout import checkpoints, step_of
from charrnn.runs.claim import owned

pytestmark = pytest.mark.slow

TEXT = "".join(f"{i * i} and {i % 97} make another line\n" for i in range(40_000))
"""More than one block of it is read."""


def test_training(processes: Nursery, tmp_path: Path, ledger: Ledger) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "text.txt").write_text(lab.TEXT, encoding="utf-8")
    (given / "config.yaml").write_text(lab.CONFIG, encoding="utf-8")
    short = ("--set", "train.tensorboard=false", "--set", "train.epochs=2", "--quiet")
    command = ("train", "config.yaml", "--out", "run", "--resume", *short)

    def same(whole: Path, broken: Path) -> None:
        same_run(Lab(tmp_path), f"{whole.name}/run", f"{broken.name}/run")

    work = Work(processes, tmp_path, given, command, same)
    work.survives(ledger.times(4, 120), ledger.fault("SIGKILL while training, then --resume"), seed=1)


def test_preparing(processes: Nursery, tmp_path: Path, ledger: Ledger) -> None:
    """At the place of the corpus stands an older one, which is there until the new one is."""
    given = tmp_path / "given"
    given.mkdir()
    (given / "text.txt").write_text(TEXT, encoding="utf-8")
    (given / "former.txt").write_text("the former text\n" * 50, encoding="utf-8")
    assert processes.run("nursery:charrnn", given, "prepare", "former.txt", "--out", "corpora/c").code == 0
    command = ("prepare", "text.txt", "--out", "corpora/c", "--quiet", "--set", r'corpus.documents={text: "\n"}')

    def same(whole: Path, broken: Path) -> None:
        names = [sorted(path.name for path in (folder / "corpora/c").iterdir()) for folder in (whole, broken)]
        assert names == [["documents.bin", "manifest.json", "tokens.bin", "vocabulary.json"]] * 2
        for name in names[0]:
            assert (whole / "corpora/c" / name).read_bytes() == (broken / "corpora/c" / name).read_bytes(), name

    work = Work(processes, tmp_path, given, command, same)
    work.survives(ledger.times(2, 60), ledger.fault("SIGKILL while preparing, then the same command"), seed=2)


def test_pseudo_labelling(processes: Nursery, tmp_path: Path, ledger: Ledger) -> None:
    given = tmp_path / "given"
    given.mkdir()
    pseudolab.new_lab(given)
    short = ("train.max_steps=6", "train.save.every=2", "pseudo.rounds=1", "pseudo.begin=teacher")
    command = ("pseudolabel", "config.yaml", "--out", "rounds", "--quiet")
    command += tuple(word for setting in (*short, "pseudo.select={kind: all}") for word in ("--set", setting))

    def same(whole: Path, broken: Path) -> None:
        assert pseudolab.all_that_came(whole / "rounds") == pseudolab.all_that_came(broken / "rounds")

    work = Work(processes, tmp_path, given, command, same)
    work.survives(ledger.times(2, 40), ledger.fault("SIGKILL while pseudo-labelling, then the same command"), seed=3)


def test_every_file_operation_of_a_save(processes: Nursery, tmp_path: Path, ledger: Ledger) -> None:
    """Records, checkpoint, pointers, and what goes for it: the newest complete one can always be loaded."""
    count = ledger.fault("SIGKILL in each file operation of a save")
    before, run = tmp_path / "before", tmp_path / "run"
    before.mkdir()
    assert processes.run("killing:saves", before, [1, 2]).code == 0
    steps = []
    for number in range(1, 1000):
        shutil.copytree(before, run)
        with count.trial():
            end = processes.run("killing:one_save", run, number)
            assert end.killed or end.code == 0, end.err
            nothing_half_written(run)
            found = checkpoints(run / "checkpoints")
            steps.append(step_of(found[-1]))
            assert [path.name for path in (run / "checkpoints").glob("step-*")] != []
            assert all(verified(folder).step == step_of(folder) for folder in found)
            with owned(run) as folder:
                newest = folder.newest()
                assert newest is not None
                assert newest.step == steps[-1]
                folder.preferred()
            assert not list(run.rglob(".tmp-charrnn*"))
        shutil.rmtree(run)
        if not end.killed:
            break
    # The step of the new one from the rename on, and not before; many operations on both sides.
    assert steps == sorted(steps)
    assert steps.count(2) > 20
    assert steps.count(3) > 20
