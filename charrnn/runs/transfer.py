"""`train.start_from`: a new run begins with the weights of another, symbol by symbol where the alphabets differ.

The optimizer, the lanes, the history and the records are new. A resumed run goes on from its own checkpoint and needs
the other run no more.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import flatten
from charrnn.config.schema import Config, RecurrentTrain
from charrnn.contracts import Task
from charrnn.errors import CheckpointError, UsageError
from charrnn.logs.console import Console
from charrnn.models.classifier import Classifier
from charrnn.models.network import Network
from charrnn.runs.folder import find_checkpoint
from charrnn.runs.resume import change, differences
from charrnn.runs.use import config_of
from charrnn.text.vocabulary import Vocabulary
from charrnn.train.state import Arrays, load_arrays, model_arrays

_FORM = ("corpus.unit", "corpus.case", "corpus.newlines", "corpus.normal_form")


@dataclass(frozen=True)
class Transfer:
    """How many symbols of the text, `<start>` not among them, kept their weights.

    Attributes:
        kept: those of both alphabets.
        new: those of this run alone; their weights are fresh.
        dropped: those of the other run alone.
    """

    kept: int
    new: int
    dropped: int

    def __str__(self) -> str:
        verbs = ("keeps its" if self.kept == 1 else "keep their", "is" if self.new == 1 else "are")
        dropped = f"{self.dropped} {'is' if self.dropped == 1 else 'are'} no longer used"
        noun = "symbol" if self.kept == 1 else "symbols"
        return f"{self.kept} {noun} {verbs[0]} weights, {self.new} {verbs[1]} new, {dropped}"


@dataclass(frozen=True)
class Origin:
    """The checkpoint that a run begins with.

    Attributes:
        checkpoint: the checkpoint.
        which: `best`, `last`, or `named` by the user.
        config: what it was trained with.
        vocabulary: its symbols; None where it reads none.
    """

    checkpoint: Checkpoint
    which: str
    config: Config
    vocabulary: Vocabulary | None

    def document(self) -> dict[str, Any]:
        """Where the weights come from, for the checkpoints of the run that they begin."""
        return {"checkpoint": str(self.checkpoint.folder), "step": self.checkpoint.step, "which": self.which}

    def give(self, model: Network | Classifier, task: Task) -> None:
        """Put the weights into `model`, which is fresh and `task`'s; a classifier takes all but the head of a language
        model.

        Raises:
            CheckpointError: the checkpoint is damaged, or of another model.
        """
        arrays, where = self.checkpoint.tensors("model"), self.checkpoint.folder
        if isinstance(model, Classifier) and self.config.task == "language":
            arrays = model.encoder(arrays)
            own = {name: array for name, array in model_arrays(model).items() if name not in arrays}
            arrays = own | arrays
        theirs, ours = self.vocabulary, task.corpus.vocabulary
        if theirs is None or ours is None:
            load_arrays(model, arrays, where)
        else:
            transfer(model, arrays, theirs, ours, where)

    def say(self, console: Console, task: Task) -> None:
        """Tell what a run of `task` takes over, and what of the model or the text has changed."""
        folder = min(str(self.checkpoint.folder), os.path.relpath(self.checkpoint.folder), key=len)
        theirs, ours = self.vocabulary, task.corpus.vocabulary
        kept = "all its weights" if theirs is None or ours is None else str(_counted(theirs, ours))
        console.note(f"starting from {folder} ({self.which}): {kept}")
        changed = [
            change(key, before, now)
            for key, before, now in differences(flatten(self.config), flatten(task.config))
            if key in _FORM or key.startswith("model.")
        ]
        if changed:
            console.note(f"not as in that run: {', '.join(changed)}")


def refuse_itself(config: Config, run: Path) -> None:
    """Refuse a new run in the very folder that `train.start_from` names.

    Raises:
        UsageError: that is what is asked for.
    """
    if _start(config) is None:
        return
    start, own = Path(str(_start(config))).resolve(), run.resolve()
    if own == start or own / "checkpoints" == start.parent:
        raise UsageError(
            "a run cannot start from itself",
            where=run,
            hint="give the new run a folder of its own with --out, or go on with the old one: --resume, without --from",
        )


def origin_of(config: Config) -> Origin | None:
    """The checkpoint that `train.start_from` means; None where a run begins with fresh weights.

    Raises:
        UsageError: there is no such run.
        CheckpointError: it has no readable checkpoint, or one of another kind of model.
    """
    start = _start(config)
    if start is None:
        return None
    place = Path(start)
    checkpoint, which = find_checkpoint(place, place.parent)
    theirs = config_of(checkpoint)
    if theirs.task not in ("language", config.task):
        raise CheckpointError(
            "the checkpoint is of another task",
            where=checkpoint.folder,
            why=f"it is of the task `{theirs.task}`, this run of `{config.task}`",
        )
    before, now = (flatten(c).get("model.core.kind") for c in (theirs, config))
    if before != now:  # two kinds of cell may have tensors of the same names and shapes
        raise CheckpointError(
            "the checkpoint is of another model",
            where=checkpoint.folder,
            why=f"model.core.kind: checkpoint {before}, config {now}",
        )
    own = Vocabulary.from_json(checkpoint.document("vocabulary")) if "vocabulary.json" in checkpoint.files else None
    return Origin(checkpoint, which, theirs, own)


def _start(config: Config) -> str | None:
    return config.train.start_from if isinstance(config.train, RecurrentTrain) else None


def provenance(checkpoint: Checkpoint | None, origin: Origin | None) -> dict[str, Any]:
    """Where the first weights of a run came from, for its checkpoints; nothing where they were fresh.

    Args:
        checkpoint: the run's own, where it goes on.
        origin: what it begins with, where it begins.
    """
    if checkpoint is None:
        return {} if origin is None else {"from": origin.document()}
    former = checkpoint.document("config")
    return {"from": former["from"]} if "from" in former else {}


def transfer(
    model: Network | Classifier, arrays: Arrays, theirs: Vocabulary, ours: Vocabulary, where: object = None
) -> Transfer:
    """Put the tensors of another run into a fresh model; symbols that both know keep their rows.

    A symbol is the same where it stands for the same text, whatever its id. New symbols keep the fresh weights of
    `model`. All other tensors are taken as they are, running statistics among them.

    Args:
        model: the model, over the symbols of `ours`.
        arrays: the tensors of the other run.
        theirs: its symbols.
        ours: the symbols of this run.
        where: the checkpoint, for the error.

    Raises:
        CheckpointError: the models differ in more than their symbols.
    """
    ids = {symbol: id_ for id_, symbol in enumerate(_symbols(theirs))}
    pairs = [(id_, ids[symbol]) for id_, symbol in enumerate(_symbols(ours)) if symbol in ids]
    to, taken = np.array(pairs, np.int64).T
    fresh, given = model_arrays(model), dict(arrays)
    for name, axis in model.symbol_axes().items():
        if name in arrays and _fits(arrays[name], fresh[name], axis, theirs.size):
            rows = np.moveaxis(fresh[name].copy(), axis, 0)
            rows[to] = np.moveaxis(arrays[name], axis, 0)[taken]
            given[name] = np.moveaxis(rows, 0, axis)
    load_arrays(model, given, where)
    return _counted(theirs, ours)


def _fits(array: np.ndarray, fresh: np.ndarray, axis: int, symbols: int) -> bool:
    """Whether `array` has the shape of `fresh`, but for a number of `symbols` of its own along `axis`."""
    return array.shape == (*fresh.shape[:axis], symbols, *fresh.shape[axis + 1 :])


def _counted(theirs: Vocabulary, ours: Vocabulary) -> Transfer:
    kept = len(set(_symbols(theirs)) & set(_symbols(ours)))
    return Transfer(kept - 1, ours.size - kept, theirs.size - kept)


def _symbols(vocabulary: Vocabulary) -> list[str | int | None]:
    """What each id stands for: None for `<start>`, a number for a byte that spells, else the text.

    A byte below 128 is a whole character where bytes are the unit, and part of a spelling elsewhere.
    """
    whole = vocabulary.unit == "byte"
    spelled = [chr(value) if whole and value < 0x80 else value for value in vocabulary.byte_values]
    return [None, *spelled, *vocabulary.symbols]
