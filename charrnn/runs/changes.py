"""What may be changed under a run: the named options of `charrnn train --resume`, and what each does to the run.

Weights, their average, the optimizer and the count of steps, with which the schedule goes on, always continue. The data
begin anew: the epoch that was being read ends where it stands, and the next one begins under the new config, every
state with it. Where validation reads other data, or reads them in another way, the validations begin anew too, as such
figures cannot be compared: `best`, the plateau of a schedule and early stopping look at the new ones alone. What was
changed is in all checkpoints from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import flatten
from charrnn.config.schema import is_identity
from charrnn.contracts import Stream, Task
from charrnn.errors import CheckpointError, DataError, UsageError
from charrnn.logs.console import Console
from charrnn.runs.resume import REFUSED, TAKES_EFFECT, check_corpus, check_vocabulary, differences, in_columns
from charrnn.runs.task import first_lanes
from charrnn.runs.use import config_of
from charrnn.train.state import Tally, TrainState

DIGEST = "corpus (digest)"
_EPOCHS = "steps_per_epoch"
_OF_VALIDATION = (
    DIGEST,
    *("stream.kind", "stream.length", "stream.stride", "stream.targets"),  # windows
    *("stream.window", "stream.dynamic", "stream.subsample"),  # contexts of words
)
_OPTIONS: Mapping[str, tuple[str, str]] = {
    "data": ("corpus", "restarts: the next epoch begins in these data"),
    "stream": ("stream", "restarts: the next epoch begins, read in this way"),
    "seed": ("train.seed", "restarts: the next epoch begins with other draws"),
}
"""For each option the keys that it is about, and what becomes of a change of them."""


def option_of(key: str) -> str | None:
    """The option that allows a change of the dotted `key`, as it is typed; None where there is none."""
    found = [name for name, (keys, _) in _OPTIONS.items() if key == keys or key.startswith(keys + ".")]
    return f"--allow-{found[0]}" if found else None


def effect_of(allowed: Collection[str]) -> Callable[[str], str]:
    """What becomes of a change of each key of a run, with the options (`data`, `stream`, `seed`) that were given."""

    def effect(key: str) -> str:
        if not is_identity(key):
            return TAKES_EFFECT
        option = option_of(key)
        if option is None:
            return REFUSED
        name = option.removeprefix("--allow-")
        return _OPTIONS[name][1] if name in allowed else f"{REFUSED} without {option}"

    return effect


@dataclass(frozen=True)
class Changes:
    """What was changed under a run.

    Attributes:
        record: all of it, in order: `step`, `key`, and the values `before` and `now`.
        new: how many of them this command brings.
    """

    record: Sequence[Mapping[str, Any]] = ()
    new: int = 0

    def document(self, stream: Stream) -> dict[str, Any]:
        """What a run under these changes writes into its checkpoints."""
        return {_EPOCHS: stream.steps_per_epoch, **({"changes": list(self.record)} if self.record else {})}

    def say(self, console: Console) -> None:
        """Tell what becomes of the state of the run."""
        if not self.new:
            return
        new = self.record[-self.new :]
        console.note("weights, optimizer, steps and schedule continue; the order of the data and every state restart")
        if not _comparable(new):
            console.note("validations restart: their figures cannot be compared with those before")
        if any(change["key"] == DIGEST for change in new):
            console.note("what the run has read before may be among what it is measured on now")

    def adapt(self, state: TrainState, checkpoint: Checkpoint, task: Task, stream: Stream) -> None:
        """Make of a state just restored from `checkpoint` one that goes on under changes which that does not know of.

        Raises:
            CheckpointError: the checkpoint does not say how long its epochs were.
        """
        missed = self.record[len(_record(checkpoint)) :]
        if not missed:
            return
        length = checkpoint.document("config").get(_EPOCHS)
        if length is None:
            raise CheckpointError(
                "the checkpoint is of an earlier version of charrnn, under which data could not be changed",
                where=checkpoint.folder / "config.json",
                why=f"it lacks {_EPOCHS}",
                hint="go on as it was begun until its next checkpoint, and change the data then",
            )
        begun = -(-state.place // length)
        state.shift = begun * stream.steps_per_epoch - state.step
        state.seed = task.config.train.seed
        state.lanes = first_lanes(task, state.model)
        state.epoch, state.ended = Tally(), None
        if not _comparable(missed):
            state.history, state.interval = [], Tally()


def allowed_changes(checkpoint: Checkpoint, task: Task, allowed: Collection[str], console: Console) -> Changes:
    """What this command changes under the run of `checkpoint`, besides what was changed before; keys that may not
    change have been refused.

    Args:
        checkpoint: the run's newest.
        task: what is to be trained now.
        allowed: the options that were given.
        console: told what no other place tells.

    Raises:
        DataError: the data are others, and that is not allowed or cannot be.
        UsageError: it is allowed, and the task does not know it.
    """
    config, digest = config_of(checkpoint), checkpoint.document("config")["corpus_digest"]
    rows = [row for row in differences(flatten(config), flatten(task.config)) if is_identity(row[0])]
    if digest == task.corpus.digest or "data" not in allowed:
        check_corpus(checkpoint, task.corpus, "go on with these: --allow-data; or start anew with --out DIR or --force")
    else:
        _check_the_same_questions(checkpoint, task)
        told = DIGEST, f"{digest[:16]}…", f"{task.corpus.digest[:16]}…", _OPTIONS["data"][1]
        for line in in_columns([told], "the run"):
            console.note(line)
        rows.append((DIGEST, digest, task.corpus.digest))
    changed = {option_of(key) or "--allow-data" for key, _, _ in rows}
    for name in allowed:
        if f"--allow-{name}" not in changed:
            console.note(f"--allow-{name}: nothing has changed that it would allow")
    former = _record(checkpoint)
    new = [{"step": checkpoint.step, "key": key, "before": before, "now": now} for key, before, now in rows]
    return Changes([*former, *new], len(new))


def say_changed(checkpoint: Checkpoint, console: Console) -> None:
    """Tell, beside a figure, that the model has learned from other data before."""
    for step in [change["step"] for change in _record(checkpoint) if change["key"] == DIGEST]:
        console.note(f"this run was trained on other data up to step {step}; what it has read there may be among these")


def _check_the_same_questions(checkpoint: Checkpoint, task: Task) -> None:
    """Refuse data that the model of a checkpoint has no names for, and models that are made of their data."""
    if task.config.task not in ("language", "classify"):
        raise UsageError(
            f"--allow-data is for texts and labelled items, and not for the task `{task.config.task}`",
            why="such a model is made of its data: which words or pairs there are, how often, and their mean",
            hint="start anew with --out DIR or --force",
        )
    check_vocabulary(checkpoint, task.corpus)
    now = task.documents().get("labels")
    former = checkpoint.document("labels") if now is not None else None
    if former != now:
        raise DataError(
            "the labels are not those that the run was trained with",
            where=task.corpus.folder,
            why=f"in the run: {', '.join(former or ())}\nnow: {', '.join(now or ())}",
            hint="bring the former data back, or start anew with --out DIR or --force",
        )


def _record(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    return list(checkpoint.document("config").get("changes", []))


def _comparable(changes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether validations after these changes measure what those before them did."""
    return not any(change["key"] in _OF_VALIDATION for change in changes)
