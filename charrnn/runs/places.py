"""Where things of a run lie, for scripts: torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from charrnn.checkpoint.read import Checkpoint
from charrnn.corpus.ready import named_by
from charrnn.errors import CheckpointError, DataError, UsageError
from charrnn.runs.folder import RunFolder, newest_run

Thing = Literal["best", "last", "run", "config", "corpus"]


def chosen_run(place: Path | None, runs: Path) -> RunFolder:
    """The run at `place`; None means the newest run below `runs`.

    Raises:
        UsageError: there is none.
    """
    if place is None:
        return newest_run(runs)
    run = RunFolder(place)
    if not run.used:
        what = "this folder holds no run" if place.is_dir() else "there is no such run"
        raise UsageError(what, where=place, hint="name a run's folder, such as runs/demo; `charrnn runs` lists them")
    return run


def place_of(thing: Thing, run: RunFolder, corpora: Path) -> Path:
    """Where something of a run lies; it is there, as far as its manifest goes.

    Args:
        thing: `best` and `last` are checkpoints, `run` is the folder, `config` the resolved config in it, and
            `corpus` the prepared data.
        run: the run.
        corpora: where prepared data lie.

    Raises:
        CheckpointError: there is no such checkpoint, or none that says what it was trained on.
        DataError: the data are not prepared here.
        UsageError: there is no config.
    """
    match thing:
        case "run":
            return run.path
        case "config":
            if not run.config.is_file():
                raise UsageError("this run has no config", where=run.config, hint=f"charrnn doctor {run.path}")
            return run.config
        case "corpus":
            return _corpus(run, corpora)
    folder = run.pointed(thing)
    if folder is None:
        others = [other for other in ("last", "best") if other != thing and run.pointed(other) is not None]
        hint = f"charrnn path {others[0]} {run.path}" if others else "train it first: charrnn train CONFIG"
        raise CheckpointError(f"this run has no `{thing}` checkpoint", where=run.path, hint=hint)
    return Checkpoint.open(folder).folder


def _corpus(run: RunFolder, corpora: Path) -> Path:
    checkpoint, _ = run.preferred()
    folder = named_by(corpora, checkpoint.document("config")["corpus_digest"])
    if folder is None:
        raise DataError(
            "what the run was trained on is not prepared here",
            where=corpora,
            hint=f"charrnn prepare {run.config}",
        )
    return folder
