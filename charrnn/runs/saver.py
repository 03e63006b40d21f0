"""When checkpoints are written, which are kept, and what `best` and `last` name."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from charrnn.checkpoint.layout import checkpoints, step_name, step_of
from charrnn.checkpoint.read import Checkpoint
from charrnn.checkpoint.write import write_checkpoint
from charrnn.config.schema.train import Save
from charrnn.errors import DiskFullError
from charrnn.files.atomic import remove_folder, write_json
from charrnn.logs.record import plain
from charrnn.models.core import State
from charrnn.runs.folder import RunFolder
from charrnn.train.state import TrainState
from charrnn.train.world import World

_ALONE = World()
_RESERVE = 1.2
"""How much larger than the last a checkpoint may become."""


class Positions(Protocol):
    """The records of a run, as far as a checkpoint must know them."""

    def sync(self) -> dict[str, int]:
        """Flush all records to the disk; how many lines each file has."""

    def rewind(self, positions: Mapping[str, int], step: int) -> None:
        """Drop what was recorded since `sync` gave these positions, at `step`."""


class RunSaver:
    """Writes the checkpoints of one run; of several processes the first one does, and the others wait for it.

    Args:
        folder: the run.
        settings: the `train.save:` section.
        documents: what rebuilds model, vocabulary and config without any other file.
        records: the run's records; a checkpoint remembers how long they were.
        clock: seconds, for saving by time.
        adapt: makes of a state that was just restored from a checkpoint one that this run can go on with.
        say: told, once, when the disk will soon be full.
        free: the free bytes of the disk that a folder is on. It knows nothing of quotas.
        world: the processes that share the run.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Save,
        documents: dict[str, Any],
        records: Positions,
        clock: Callable[[], float] = time.monotonic,
        adapt: Callable[[TrainState, Checkpoint], None] = lambda state, checkpoint: None,
        say: Callable[[str], None] = lambda text: None,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        world: World = _ALONE,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.documents = documents
        self.records = records
        self.clock = clock
        self.adapt = adapt
        self.world = world
        self._say, self._free, self._said = say, free, False
        self._saved_at = clock()
        self._saved: tuple[object, ...] = ()

    def resumed(self, state: TrainState) -> None:
        """Take note that the newest checkpoint holds `state`, and let the pointers say so.

        A kill between a checkpoint and its pointers leaves them behind.
        """
        self._saved = _content(state)
        if self.world.first:
            self._point(state)
            self._look_ahead(state)

    def due(self, step: int, steps_per_epoch: int, shift: int = 0) -> bool:
        """Whether a checkpoint falls due at `step`: by steps, or by epoch, which ends where `step` + `shift` has it
        end."""
        every = self.settings.every
        past = (step + shift) % steps_per_epoch if every == "epoch" else step % every
        return step > 0 and past == 0

    def late(self) -> bool:
        """Whether one falls due by the time since the last."""
        return self.world.first and self.clock() - self._saved_at >= 60.0 * self.settings.minutes

    def save(self, state: TrainState) -> None:
        """Write a checkpoint unless the newest one holds the same; then point to it; then remove old ones.

        Raises:
            StorageError: the disk refused; earlier checkpoints are untouched. Where there was no room, the next one is
                due when it would have been had this one been written.
        """
        if _content(state) == self._saved:
            return
        lanes = self.world.joined(state.lanes)
        try:
            self.world.first_does(lambda: self._write(state, lanes))
        except DiskFullError:
            self._saved_at = self.clock()
            raise
        self._saved, self._saved_at = _content(state), self.clock()
        if self.world.first:
            self._remove_old()
            self._look_ahead(state)

    def _write(self, state: TrainState, lanes: State) -> None:
        train = state.document() | {"records": self.records.sync()}
        write_checkpoint(self.folder.checkpoints, state.step, state.groups(lanes), self.documents | {"train": train})
        self._point(state)

    def roll_back(self, state: TrainState) -> bool:
        """Let `state`, the records and the checkpoints end with the last good checkpoint.

        That is the newest one that does not lie in a row of skipped updates. One from directly in front of the trouble
        is only taken where there is no earlier one: its weights may be what leads to it.

        Returns:
            Whether there was one; nothing is changed where there was none.

        Raises:
            CheckpointError: it is damaged.
        """
        chosen = self.world.first_does(lambda: self._last_good(state))
        if chosen is None:
            return False
        checkpoint = Checkpoint.open(chosen)
        state.restore(checkpoint, next(state.model.parameters()).device)
        self.adapt(state, checkpoint)
        # In this order a kill in between leaves a run that resumes from one of the two.
        self.resumed(state)
        self.world.first_does(lambda: self._drop_what_followed(state, checkpoint))
        return True

    def _last_good(self, state: TrainState) -> Path | None:
        opened = [Checkpoint.open(folder) for folder in checkpoints(self.folder.checkpoints)]
        good = [checkpoint for checkpoint in opened if not checkpoint.document("train")["skipped"]]
        trouble = state.step - state.skipped
        before = (checkpoint for checkpoint in reversed(good) if checkpoint.step < trouble)
        chosen = next(before, good[0] if good else None)
        return None if chosen is None else chosen.folder

    def _drop_what_followed(self, state: TrainState, checkpoint: Checkpoint) -> None:
        for later in checkpoints(self.folder.checkpoints):
            if (step_of(later) or 0) > checkpoint.step:
                remove_folder(later)
        self._point(state)
        self.records.rewind(checkpoint.document("train")["records"], state.step)

    def dump(self, report: dict[str, Any]) -> Path:
        """Write down what a diverged run came to; returns the file."""
        if self.world.first:
            write_json(self.folder.dump, plain(report))
        return self.folder.dump

    def _point(self, state: TrainState) -> None:
        set_pointers(self.folder, state.step, state.best)

    def _remove_old(self) -> None:
        best = self.folder.pointed("best")
        candidates = [folder for folder in checkpoints(self.folder.checkpoints) if folder != best]
        for folder in candidates[: -self.settings.keep]:
            remove_folder(folder)

    def _look_ahead(self, state: TrainState) -> None:
        """Say so, once, when the disk has no room for the checkpoints that are still to be kept."""
        if self._said or state.ended:
            return
        there = checkpoints(self.folder.checkpoints)
        size = sum(file.stat().st_size for file in there[-1].iterdir())
        # Besides those of `keep` there may be the best, and a new one is written before an old one goes.
        more = max(1, self.settings.keep + 2 - len(there))
        free = self._free(self.folder.checkpoints)
        if free < _RESERVE * size * more:
            self._said = True
            self._say(
                f"WARNING: the disk will soon be full: {free / 1e6:,.1f} MB are free, and {more} more checkpoints of "
                f"{size / 1e6:,.1f} MB will be kept beside each other; free some space, or lower train.save.keep"
            )


def set_pointers(folder: RunFolder, step: int, best: Mapping[str, Any] | None) -> None:
    """Let `last` name the checkpoint of `step`, and `best` that of the best validation; as long as that is not there,
    the one that it names already."""
    folder.point("last", folder.checkpoints / step_name(step))
    named = folder.pointed("best")
    if best is not None:
        measured = folder.checkpoints / step_name(int(best["step"]))
        named = measured if measured.is_dir() else named
    if named is not None and named.is_dir():
        folder.point("best", named)
    else:
        folder.unpoint("best")


def _content(state: TrainState) -> tuple[object, ...]:
    return (state.step, len(state.history), state.ended)
