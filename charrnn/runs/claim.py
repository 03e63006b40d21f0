"""Whether a run may begin, go on, or has nothing to do: a folder is owned, looked at, and cleared if that is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint, is_whole
from charrnn.config.load import Loaded, flatten
from charrnn.config.schema import is_manner
from charrnn.errors import CheckpointError, UsageError
from charrnn.files.atomic import make_folder, remove_folder, sweep
from charrnn.files.lock import LOCK, folder_lock
from charrnn.files.refusals import storage_errors
from charrnn.logs.console import Console
from charrnn.runs.changes import effect_of
from charrnn.runs.folder import RunFolder
from charrnn.runs.resume import accepted_changes, differences, with_its_weights
from charrnn.runs.use import config_of


@contextmanager
def owned(folder: Path) -> Iterator[RunFolder]:
    """A run's folder, locked; what a killed process left half-written in it is gone.

    A folder that was made here and in which no run has begun goes again; nothing else does.

    Raises:
        LockedError: another process owns it.
        UsageError: it holds files with the names of a run's, and no lock: they are somebody's own.
        CheckpointError: from the block, with advice on how to go on from an earlier checkpoint.
        StorageError: it cannot be made.
    """
    made = not folder.exists()
    make_folder(folder)
    run = RunFolder(folder)
    if run.study.exists():
        raise UsageError("this folder holds a study", where=run.study, hint="choose another folder with --out")
    if run.rounds.exists():
        raise UsageError(
            "this folder holds rounds of pseudo-labels", where=run.rounds, hint="choose another folder with --out"
        )
    foreign = next((path for path in run.own if path.exists()), None)
    if foreign is not None and not (folder / LOCK).exists():
        raise UsageError(
            f"this folder holds a `{foreign.name}` that is not a run's",
            where=foreign,
            hint="choose another folder with --out",
        )
    try:
        with folder_lock(folder):
            for place in (folder, run.checkpoints):
                sweep(place)
            yield run
    except CheckpointError as error:
        where = Path(error.where or "")
        others = [folder for folder in checkpoints(run.checkpoints) if not where.is_relative_to(folder)]
        good = [folder for folder in others if is_whole(folder)]
        if good and where.is_relative_to(run.checkpoints):
            error.hint = (
                f"to go on from {good[-1].name}: move the damaged checkpoint away, delete {run.path / 'last'}, "
                "and use --resume"
            )
        raise
    finally:
        if made and not run.used:
            with suppress(OSError):
                (folder / LOCK).unlink()
                folder.rmdir()


def to_go_on_from(
    run: RunFolder, loaded: Loaded, mode: str, console: Console, allowed: Collection[str] = ()
) -> Checkpoint | None:
    """The newest checkpoint of a run that goes on or is finished; None where one begins.

    Args:
        run: the run's folder.
        loaded: the config of this command.
        mode: `new` or `resume`.
        console: told what a user would want to know.
        allowed: what may be another than before: `data`, `stream`, `seed`; see `changes.py`.

    Raises:
        UsageError: `new`, and the folder holds an unfinished run, or one of another config.
        ConfigError: `resume`, and a key has changed that makes the run what it is.
        CheckpointError: the newest checkpoint is damaged.
    """
    checkpoint = run.newest()
    if mode == "resume":
        return _resumed(run, checkpoint, loaded, console, allowed)
    if run.used and (checkpoint is None or checkpoint.document("train")["ended"] is None):
        raise UsageError(
            "this folder holds a run that is not finished",
            where=run.path,
            hint="go on with --resume, or delete it and start anew with --force, or choose another --out",
        )
    if checkpoint is not None and not is_done(checkpoint, loaded):
        raise UsageError(
            "this folder holds a finished run of another config",
            where=run.path,
            hint="go on under the new config with --resume, or start anew with --force, or choose another --out",
        )
    return checkpoint


def _resumed(
    run: RunFolder, checkpoint: Checkpoint | None, loaded: Loaded, console: Console, allowed: Collection[str]
) -> Checkpoint | None:
    if checkpoint is not None:
        former = config_of(checkpoint)
        before, now = flatten(former), flatten(loaded.config)
        hint = f"{with_its_weights(former, run.path)}start anew with --out DIR or --force"
        for line in accepted_changes(before, now, effect_of(allowed), "the run", run.path, hint):
            console.note(line)
    elif run.used:
        console.note(f"the run in {run.path} stopped before its first checkpoint: starting from the beginning")
    else:
        console.note(f"there is nothing to resume in {run.path}: starting anew")
    return checkpoint


def is_done(checkpoint: Checkpoint, loaded: Loaded) -> bool:
    """Whether the run has ended and the config asks for nothing else; how to compute and report is no matter."""
    changed = differences(flatten(config_of(checkpoint)), flatten(loaded.config))
    return checkpoint.document("train")["ended"] is not None and all(is_manner(key) for key, _, _ in changed)


def clear(run: RunFolder) -> None:
    """Delete what a run has left in its folder, and nothing that a run does not write.

    Raises:
        StorageError: the system refused.
    """
    with storage_errors(run.path):
        for folder in checkpoints(run.checkpoints):
            remove_folder(folder)
        for events in run.tensorboard.glob("events.out.tfevents*"):
            events.unlink()
        for path in run.own:
            if path.is_dir():
                with suppress(OSError):  # something of the user's is in it
                    path.rmdir()
            else:
                path.unlink(missing_ok=True)
