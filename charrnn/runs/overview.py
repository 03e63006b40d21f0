"""What every run below a folder has come to. Torch-free, and quick: no tensor is read, and no file of records whole."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from charrnn.checkpoint.read import Checkpoint
from charrnn.errors import CheckpointError, UsageError
from charrnn.files.lock import at_work
from charrnn.files.regular import open_regular
from charrnn.logs.record import LONGEST, last_record
from charrnn.runs.doctor_run import is_run
from charrnn.runs.folder import RunFolder
from charrnn.runs.use import config_of
from charrnn.train.schedule import total_steps

FIGURES: Mapping[str, tuple[str, str]] = {
    "language": ("bits_per_char", "bits/char"),
    "classify": ("accuracy", "accuracy"),
    "rate": ("rmse", "RMSE"),
    "vectors": ("nats", "nats"),
}
"""What users compare of each task: its name in the records, and what it is called."""

State = Literal["running", "finished", "resumable", "diverged", "damaged"]


@dataclass(frozen=True)
class Best:
    """A run's best validation.

    Attributes:
        figure: what users compare, by its name in the records.
        unit: what it is called.
        value: how much.
        step: after so many updates.
    """

    figure: str
    unit: str
    value: float
    step: int


@dataclass(frozen=True)
class Overview:
    """A run, or a folder of runs: a study, or rounds of pseudo-labels.

    Attributes:
        path: the folder.
        kind: `run`, `study` or `rounds`.
        state: `running` while a process works there; `resumable` where it was stopped; of a study or of rounds
            only whether a process works there.
        why: what is damaged, or why the run ended.
        task: None where nothing readable says.
        step: the updates so far.
        steps: those in all.
        epoch: epochs so far.
        best: the best validation of the newest checkpoint's history; None where there is none.
        time: that of the latest record, in seconds since 1970; None where there is none.
        runs: how many runs lie in a study or in rounds.
    """

    path: Path
    kind: Literal["run", "study", "rounds"]
    state: State | None
    why: str | None = None
    task: str | None = None
    step: int | None = None
    steps: int | None = None
    epoch: float | None = None
    best: Best | None = None
    time: float | None = None
    runs: int | None = None


def overviews(place: Path, inside: bool = False) -> list[Overview]:
    """All runs at and below a folder, the one with the latest record first.

    Args:
        place: the folder.
        inside: tell the runs of studies and of rounds too, each by itself.

    Raises:
        UsageError: there is no such folder.
    """
    if not place.is_dir():
        raise UsageError("there is no such folder", where=place, hint="name the folder of your runs, such as runs")
    found = [one for path in _folders(place, inside) for one in [_overview(RunFolder(path))]]
    return sorted(found, key=lambda one: (-(one.time or 0.0), str(one.path)))


def overview(run: RunFolder) -> Overview:
    """What a run has come to; damage is told and not raised."""
    record = _Latest.of(run)
    try:
        newest = run.newest()
        best = run.pointed("best")
        if best is not None:
            _check_sizes(Checkpoint.open(best))
        if newest is None:
            return record.overview(run, None, None, None)
        _check_sizes(newest)
        about, train = newest.document("config"), newest.document("train")
        return record.overview(run, about, train, total_steps_of(newest))
    except CheckpointError as error:
        return record.damaged(run, f"{error.where}: {error.why or error.what}")


def total_steps_of(checkpoint: Checkpoint) -> int:
    """The updates that a checkpoint's run is to come to.

    Raises:
        CheckpointError: it is damaged.
    """
    about, train = checkpoint.document("config"), checkpoint.document("train")
    return total_steps(config_of(checkpoint).train, about["steps_per_epoch"], train.get("shift", 0))


def best_of(task: str | None, history: Sequence[Mapping[str, Any]]) -> Best | None:
    """The validation with the lowest loss, in what users compare of the task."""
    figure, unit = FIGURES.get(task or "", ("loss", "loss"))
    known = [one for one in history if isinstance(one.get(figure), int | float)]
    best = min(known, key=lambda one: one["loss"], default=None)
    return None if best is None else Best(figure, unit, float(best[figure]), int(best["step"]))


@dataclass(frozen=True)
class _Latest:
    """The latest record of a run, as far as it can be read."""

    step: int | None
    epoch: float | None
    time: float | None
    readable: bool

    @classmethod
    def of(cls, run: RunFolder) -> _Latest:
        record = last_record(run.metrics)
        told = record or {}
        step, epoch, time = (told.get(name) for name in ("step", "epoch", "time"))
        return cls(
            step if type(step) is int and step >= 0 else None,
            _number(epoch),
            _number(time),
            record is not None or not _has_lines(run.metrics),
        )

    def overview(self, run: RunFolder, about: Any, train: Any, steps: int | None) -> Overview:
        """A run whose checkpoints can be read, or that has none."""
        if not self.readable:
            return self.damaged(run, f"{run.metrics}: its last line is not a record")
        task = None if about is None else str(about["config"].get("task"))
        ended = None if train is None else train.get("ended")
        step = max(0 if train is None else int(train["step"]), self.step or 0)
        best = None if train is None else best_of(task, train["history"])
        epoch = self.epoch
        return Overview(run.path, "run", _state(run, ended), ended, task, step, steps, epoch, best, self.time)

    def damaged(self, run: RunFolder, why: str) -> Overview:
        """A run of which something cannot be read."""
        state: State = "running" if at_work(run.path) is not None else "damaged"
        return Overview(run.path, "run", state, why, None, self.step, None, self.epoch, None, self.time)


def _state(run: RunFolder, ended: str | None) -> State:
    if at_work(run.path) is not None:
        return "running"
    if run.dump.exists():
        return "diverged"
    return "finished" if ended else "resumable"


def _overview(run: RunFolder) -> Overview:
    if not (run.study.exists() or run.rounds.exists()):
        return overview(run)
    inside = [overview(RunFolder(path)) for path in _folders(run.path, True) if path != run.path]
    tasks = {one.task for one in inside if one.task is not None}
    return Overview(
        run.path,
        "study" if run.study.exists() else "rounds",
        "running" if at_work(run.path) or any(one.state == "running" for one in inside) else None,
        task=tasks.pop() if len(tasks) == 1 else None,
        time=max((one.time for one in inside if one.time is not None), default=None),
        runs=len(inside),
    )


def _folders(place: Path, inside: bool) -> Iterator[Path]:
    """Folders that hold a run, a study or rounds, in the order of their names; links are not followed."""
    for name, folders, _ in os.walk(place):
        path = Path(name)
        run = RunFolder(path)
        many = run.study.exists() or run.rounds.exists()
        if many or is_run(run):
            yield path
            if not (many and inside):
                folders.clear()
        folders.sort()


def _check_sizes(checkpoint: Checkpoint) -> None:
    """Whether every file is there with its size; the digests are looked at by `charrnn doctor`.

    Raises:
        CheckpointError: one is not.
    """
    for name, (size, _) in checkpoint.files.items():
        path = checkpoint.folder / name
        try:
            found = path.lstat().st_size
        except OSError as error:
            raise CheckpointError("the checkpoint is damaged", where=path, why=error.strerror) from error
        if found != size:
            raise CheckpointError(
                "the checkpoint is damaged", where=path, why=f"it has {found} bytes, and the manifest says {size}"
            )


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and math.isfinite(value) else None


def _has_lines(path: Path) -> bool:
    """Whether a file holds a whole line, which should be a record; half of one is what a kill leaves."""
    try:
        with open_regular(path) as file:
            return b"\n" in file.readline(LONGEST)
    except FileNotFoundError:
        return False
    except OSError:
        return True
