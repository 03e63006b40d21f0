"""Following a run that another process trains, by what it writes down. Torch-free; nothing of the run is touched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.errors import CheckpointError, DataError
from charrnn.files.lock import at_work
from charrnn.logs.console import Console, printable
from charrnn.logs.lines import tellable
from charrnn.logs.standing import LOSSES
from charrnn.logs.tail import Cut, Tail
from charrnn.runs.folder import RunFolder
from charrnn.runs.overview import total_steps_of

_HAPPENINGS = ("guard", "disk")


@dataclass
class Watch:
    """Whoever watches a run.

    Attributes:
        run: the run; it need not be there yet.
        figures: shows its records, and where it is live the latest sample.
        say: tells what is no record: that nothing is there yet, that records were cut away, how it ended.
        pause: waits between two looks; it may raise to stop.
        working: the process that works in a folder, if any does.
    """

    run: RunFolder
    figures: Console
    say: Callable[[str], None]
    pause: Callable[[], None]
    working: Callable[[Path], str | None] = at_work

    def __post_init__(self) -> None:
        self._records, self._samples = Tail(self.run.metrics), Tail(self.run.samples)
        self._sized, self._behind = False, True
        self._begun = False

    def follow(self) -> None:
        """Show what is there and what comes, until no process works on the run any more.

        Raises:
            DataError: the records cannot be read.
            Interrupted: raised by `pause`.
        """
        waiting = False
        while True:
            # Looked at first: whoever has ended since has written all before.
            who = self.working(self.run.path)
            self._look()
            if who is None and (self._begun or self.run.used):
                self.say(self._ended())
                return
            self._begun = self._begun or who is not None
            if not waiting and not self.run.metrics.exists():
                self.say(f"waiting for the first record of {self.run.path}")
                waiting = True
            self._behind = False
            self.pause()

    def _look(self) -> None:
        """Show what is new."""
        self._size()
        fresh = False
        try:
            for new in self._records.new():
                fresh = True
                if isinstance(new, Cut):
                    self.say(f"the run goes on from an earlier checkpoint; the first {new.kept:,} records stand")
                    self.figures.forget()
                else:
                    self._show(new.record, new.known)
            if fresh:
                self.figures.show()
            self._show_sample()
        except OSError as error:
            raise DataError("cannot read the records", where=self._records.path, why=error.strerror) from error

    def _show(self, record: dict[str, Any] | None, known: bool) -> None:
        shown = None if record is None else showable(record)
        if shown is None:
            self.say("a line of the records cannot be told, and is passed over")
        elif known or self._behind:
            self.figures.former(shown, known)
        else:
            self.figures.record(shown)

    def _show_sample(self) -> None:
        """The latest; a plain stream has a line for each record and nothing else."""
        latest = None
        for new in self._samples.new() if self.figures.live else ():
            record = None if isinstance(new, Cut) else new.record
            latest = record if record is not None else latest
        if latest is not None and type(latest.get("step")) is int and isinstance(latest.get("text"), str):
            self.figures.sample(latest["step"], latest["text"])

    def _size(self) -> None:
        """How long the run is, from its first checkpoint on."""
        if self._sized:
            return
        sizes = 0, 0
        try:
            newest = self.run.newest()
            if newest is not None:
                sizes = total_steps_of(newest), newest.document("config")["steps_per_epoch"]
                self._sized = True
        except CheckpointError:  # it may have been removed meanwhile; the figures need it not
            pass
        self.figures.follow(self.run.path.name, *sizes)

    def _ended(self) -> str:
        """How the run ended, as far as its files tell."""
        try:
            newest = self.run.newest()
            ended = None if newest is None else newest.document("train")["ended"]
        except CheckpointError as error:
            return f"no process works on {self.run.path}, and its newest checkpoint is damaged: {error.where}"
        if self.run.dump.exists():
            return f"the run has diverged: {self.run.dump} says how"
        if ended:
            return f"the run is finished: {ended}"
        if newest is None:
            return f"no process works on {self.run.path} any more, and it has no checkpoint"
        return f"no process works on {self.run.path} any more; charrnn train CONFIG --resume goes on from {newest.step}"


def showable(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """A record whose texts steer no terminal; None if it is none that can be shown."""
    shown = {printable(name): printable(value) if isinstance(value, str) else value for name, value in record.items()}
    if not tellable(shown) or type(shown["step"]) is not int:
        return None
    if shown["split"] in _HAPPENINGS:
        told = isinstance(shown.get("what"), str)
        return shown if told and (shown["split"] == "disk" or type(shown.get("rolled_back_from")) is int) else None
    epoch = shown.get("epoch")
    known = isinstance(epoch, int | float) and math.isfinite(epoch)
    whole = known and any(name in shown for name in LOSSES)
    return shown if whole and shown["split"] in ("train", "valid") else None
