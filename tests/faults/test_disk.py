"""A disk that is full, or a quota that is used up, at every call that needs room: nothing that was whole is lost."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch
from faultydisk import FULL, FaultyDisk, every_call, failure_of, litter
from ledger import Ledger
from wholeness import KINDS, content, sources

from charrnn.checkpoint.layout import checkpoints
from charrnn.config.schema.train import Save
from charrnn.errors import DiskFullError
from charrnn.logs.console import Console
from charrnn.logs.logger import METRICS, SAMPLES, RunLog
from charrnn.logs.record import read_records
from charrnn.runs.folder import RunFolder
from charrnn.runs.saver import RunSaver
from charrnn.train.state import TrainState

LINE = {"split": "train", "epoch": 0.0, "nats": 1.0}


def refused(error: Exception | None) -> None:
    """The error is one of a full disk, and names no temporary file."""
    assert isinstance(error, DiskFullError), repr(error)
    assert (error.exit_code, error.why in ("the disk is full", "the disk quota is used up")) == (7, True)
    assert ".tmp-charrnn" not in str(error.where)


def open_log(run: Path, positions: dict[str, int], step: int) -> RunLog:
    return RunLog(run, Console(quiet=True), positions, step, events=False, clock=lambda: 0.0)


def save(run: Path, step: int, keep: int = 2) -> None:
    """A life of a run that goes on from step 2, records something, and saves at `step`."""
    torch.manual_seed(step)
    model = torch.nn.Linear(3, 2)
    state = TrainState(model, torch.optim.Adam(model.parameters()), {"h": torch.zeros(1, 2)}, 1)
    state.step = step
    state.history.append({"step": step, "loss": 1.0 / step})
    log = open_log(run, {METRICS: min(step - 1, 2), SAMPLES: 0}, step)
    try:
        log.log({**LINE, "step": step})
        RunSaver(RunFolder(run), Save(keep=keep), {"config": {}}, log).save(state)
    finally:
        log.close()


def saved_twice(parent: Path) -> Path:
    """A run with two checkpoints."""
    run = parent / "run"
    run.mkdir()
    for step in (1, 2):
        save(run, step)
    return run


def contents(run: Path) -> dict[str, object]:
    """What each checkpoint of a run holds, by name."""
    return {folder.name: content(folder) for folder in checkpoints(run / "checkpoints")}


def test_every_call_of_a_save(tmp_path: Path, ledger: Ledger) -> None:
    count = ledger.fault("disk full at each call of a save")
    run = saved_twice(tmp_path)
    old = contents(run)

    def check(error: Exception | None) -> None:
        with count.trial():
            there = contents(run)
            new = there.pop("step-00000003", None)
            named = (run / "last").read_text().strip()
            if error is None:
                assert named == "step-00000003"
            else:
                refused(error)
                assert there == old
            assert named in old or (named == "step-00000003" and new is not None)
            assert [record["step"] for record in read_records(run / METRICS)] in ([1, 2], [1, 2, 3])
            assert litter(tmp_path) == []

    assert every_call(lambda: save(run, 3, keep=1), run, check) > 25
    assert litter(tmp_path) == []
    assert (run / "last").read_text() == (run / "best").read_text() == "step-00000003\n"


@pytest.mark.parametrize("error", FULL, ids=errno.errorcode.__getitem__)
@pytest.mark.parametrize("sample", [False, True], ids=["figures", "texts"])
def test_records_wait_for_room_and_none_is_lost(tmp_path: Path, ledger: Ledger, error: int, sample: bool) -> None:
    count = ledger.fault("disk full while a line of the log is written")
    log = open_log(tmp_path, {}, 0)
    log.log({**LINE, "step": 1})
    log.sample(1, "text 1")
    for step in range(2, 2 + ledger.times(6, 200)):
        with count.trial():
            with FaultyDisk(0, error, lasting=step % 3 == 0, room=10 * (step % 2)).installed() as disk:
                log.log({**LINE, "step": step})
                if sample:
                    log.sample(step, f"text {step}")
                assert disk.refused
                disk.fails_at = 0 if disk.lasting else len(disk.calls)
                with pytest.raises(DiskFullError):
                    log.sync()
            assert [record["step"] for record in read_records(tmp_path / METRICS)] == list(range(1, step))
            log.sync()
            assert [record["step"] for record in read_records(tmp_path / METRICS)] == list(range(1, step + 1))
    log.close()
    if sample:
        assert [record["text"] for record in read_records(tmp_path / SAMPLES)] == [
            f"text {i}" for i in range(1, step + 1)
        ]


@pytest.mark.parametrize("there", [False, True], ids=["first", "replacing"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_call_of_a_preparation(tmp_path: Path, ledger: Ledger, kind: str, there: bool) -> None:
    count = ledger.fault("disk full at each call of a preparation")
    make, opened = KINDS[kind]
    work = tmp_path / "work"
    sources(work)
    make(work)
    files = sorted(path.name for path in (work / "out").iterdir())
    if there:
        manifest = json.loads((work / "out/manifest.json").read_text())
        (work / "out/manifest.json").write_text(json.dumps(manifest | {"digest": "0" * 64, "seal": None}))
    else:
        for path in (work / "out").iterdir():
            path.unlink()
        (work / "out").rmdir()

    def check(error: Exception | None) -> None:
        with count.trial():
            if error is not None:
                refused(error)
            assert litter(tmp_path) == []
            if there or error is None or (work / "out").exists():
                corpus = opened.open(work / "out", verify=True)
                assert sorted(path.name for path in (work / "out").iterdir()) == files
                assert (corpus.digest == "0" * 64) <= (there and error is not None)

    assert every_call(lambda: make(work), work, check) > 15
    assert opened.open(work / "out", verify=True).digest != "0" * 64


def test_what_the_disk_has_room_for_is_no_matter(tmp_path: Path, ledger: Ledger) -> None:
    """By bytes: the write that goes beyond them leaves a part of itself behind."""
    count = ledger.fault("disk full after any number of bytes of a save")
    run = saved_twice(tmp_path)
    old = contents(run)
    for room in range(0, 4000, 4000 // ledger.times(40, 2000)):
        with count.trial():
            with FaultyDisk(room=room).installed() as disk:
                error = failure_of(lambda: save(run, 3, keep=5))
            assert (error is not None) == (disk.refused > 0)
            if error is None:
                break
            refused(error)
            there = contents(run)
            assert {name: there[name] for name in old} == old
            assert litter(tmp_path) == []
    assert room > 1500
