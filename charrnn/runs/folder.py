"""The run folder.

runs/<name>/
    config.yaml             the resolved config, each key with where it came from
    metrics.jsonl           the record
    samples.jsonl           texts made while training
    checkpoints/step-…/     see charrnn/checkpoint/layout.py
    best, last              the name of a checkpoint, as text
    tensorboard/            where the extra is installed
    diverged.json           what a run came to whose loss was no longer finite
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from charrnn.checkpoint.layout import MANIFEST, checkpoints, step_of
from charrnn.checkpoint.read import Checkpoint
from charrnn.errors import CheckpointError, UsageError
from charrnn.files.atomic import write_text
from charrnn.files.refusals import storage_errors
from charrnn.logs.logger import EVENTS, METRICS, SAMPLES
from charrnn.logs.record import last_record

STUDY = "study.journal"
ROUNDS = "pseudolabel.json"


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """The record of figures."""
        return self.path / METRICS

    @property
    def samples(self) -> Path:
        """The record of texts."""
        return self.path / SAMPLES

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files."""
        return self.path / EVENTS

    @property
    def dump(self) -> Path:
        """What a diverged run came to."""
        return self.path / "diverged.json"

    @property
    def study(self) -> Path:
        """What makes a folder that of a search, not of a run."""
        return self.path / STUDY

    @property
    def rounds(self) -> Path:
        """What makes a folder that of rounds of pseudo-labels, not of a run."""
        return self.path / ROUNDS

    @property
    def checkpoints(self) -> Path:
        """The parent of all checkpoints."""
        return self.path / "checkpoints"

    @property
    def own(self) -> tuple[Path, ...]:
        """Everything that a run writes, but for its lock."""
        pointers = (self.path / "best", self.path / "last")
        return (self.config, self.metrics, self.samples, self.dump, *pointers, self.checkpoints, self.tensorboard)

    @property
    def used(self) -> bool:
        """Whether a training run has begun here."""
        return self.metrics.exists() or bool(checkpoints(self.checkpoints))

    def point(self, pointer: str, checkpoint: Path) -> None:
        """Let `best` or `last` name a checkpoint."""
        write_text(self.path / pointer, checkpoint.name + "\n")

    def unpoint(self, pointer: str) -> None:
        """Let `best` or `last` name nothing."""
        with storage_errors(self.path / pointer):
            (self.path / pointer).unlink(missing_ok=True)

    def pointed(self, pointer: str) -> Path | None:
        """The checkpoint that `best` or `last` names; None where there is no such pointer.

        Raises:
            CheckpointError: the pointer does not name a checkpoint of this run.
        """
        path = self.path / pointer
        try:
            name = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"cannot read the pointer `{pointer}`", where=path, why=str(error)) from error
        folder = self.checkpoints / name
        if step_of(folder) is None or folder.parent != self.checkpoints:
            raise CheckpointError(
                f"the pointer `{pointer}` does not name a checkpoint",
                where=path,
                why=f"it says {name[:60]!r}",
                hint=self._offer(),
            )
        return folder

    def newest(self) -> Checkpoint | None:
        """The checkpoint to go on from: the one of the highest step. None in a run that never saved.

        Raises:
            CheckpointError: it is damaged, or the one that `last` names is gone.
        """
        folders = checkpoints(self.checkpoints)
        last = self.pointed("last")
        if last is not None and (not folders or folders[-1].name < last.name):
            other = folders[-1].name if folders else "the beginning"
            raise CheckpointError(
                "the newest checkpoint is gone, or has no manifest",
                where=last,
                hint=f"bring it back, or delete {self.path / 'last'} and go on from {other} with --resume",
            )
        return Checkpoint.open(folders[-1]) if folders else None

    def preferred(self) -> tuple[Checkpoint, str]:
        """The checkpoint to use, and which it is: `best`, else `last`.

        Raises:
            CheckpointError: there is none, or it is damaged.
        """
        for pointer in ("best", "last"):
            folder = self.pointed(pointer)
            if folder is not None:
                return Checkpoint.open(folder), pointer
        raise CheckpointError(
            "this run has no checkpoint yet", where=self.path, hint="train it first: charrnn train CONFIG"
        )

    def _offer(self) -> str:
        found = checkpoints(self.checkpoints)
        return f"name a checkpoint yourself, such as {found[-1]}" if found else "train the run again with --force"


def newest_run(runs: Path) -> RunFolder:
    """The run below `runs` with the latest record.

    Raises:
        UsageError: there is no run.
    """
    latest: dict[RunFolder, float] = {}
    for metrics in runs.rglob(METRICS):
        record = last_record(metrics)
        if record is not None:
            time = record.get("time")
            latest[RunFolder(metrics.parent)] = time if isinstance(time, float | int) else 0.0
    if not latest:
        raise UsageError(
            "there is no run to use",
            where=runs,
            hint="train one first: charrnn train CONFIG, or name a run's folder",
        )
    return max(latest, key=lambda run: latest[run])


def find_checkpoint(place: Path | None, runs: Path) -> tuple[Checkpoint, str]:
    """The checkpoint that a user means, and how to call it.

    Args:
        place: a run's folder, a checkpoint's folder, or None for the newest run below `runs`.
        runs: the folder of all runs.

    Raises:
        UsageError: there is no such run.
        CheckpointError: it has no readable checkpoint.
    """
    if place is not None and (step_of(place) is not None or (place / MANIFEST).is_file()):
        return Checkpoint.open(place), "named"
    if place is not None and not RunFolder(place).used:
        what = "this folder holds no run" if place.is_dir() else "there is no such run"
        raise UsageError(what, where=place, hint="name a run's folder, such as runs/demo")
    run = newest_run(runs) if place is None else RunFolder(place)
    return run.preferred()


def config_beside(checkpoint: Checkpoint) -> Path:
    """The resolved config of the run that a checkpoint lies in.

    Raises:
        UsageError: the checkpoint lies in no run's folder, or that has no config.
    """
    parent = checkpoint.folder.absolute().parent
    run = RunFolder(parent.parent)
    if run.checkpoints != parent or not run.config.is_file():
        raise UsageError(
            "this checkpoint is not in its run's folder, so nothing says where its text lies",
            where=checkpoint.folder,
            why=f"there is no {run.config}",
            hint="name the config that it was trained with: --config CONFIG",
        )
    return run.config
