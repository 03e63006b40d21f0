"""The log of one run: a record goes to the disk first, then to whoever watches."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from charrnn.errors import DiskFullError
from charrnn.logs import tensorboard
from charrnn.logs.console import Console
from charrnn.logs.record import Record, each_record

METRICS = "metrics.jsonl"
SAMPLES = "samples.jsonl"
EVENTS = "tensorboard"


class RunLog:
    """Writes `metrics.jsonl` and `samples.jsonl`, TensorBoard's events where its extra is installed, and the console.

    While the disk has no room, records wait in memory; `sync` demands that they be written, and with it every
    checkpoint. TensorBoard's events, a copy of the figures, end there until the run is resumed.

    Args:
        folder: the run's folder.
        console: what the user sees.
        positions: how many records each file had when the checkpoint was written that the run goes on from, as
            `sync` gave them; empty for a new run. Later records are dropped.
        step: the step that the run goes on from.
        events: whether TensorBoard's events are written: `auto` where its extra is installed, True demands it.
        clock: seconds since 1970.

    Raises:
        MissingExtraError: the events are demanded, and TensorBoard is not installed.
        StorageError: a file cannot be written.
        DataError: the records of the run cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        console: Console,
        positions: Mapping[str, int],
        step: int,
        events: bool | Literal["auto"] = "auto",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._console = console
        self._folder = folder
        self._with_events = tensorboard.wanted(events)
        self._open(positions, step)

    def _open(self, positions: Mapping[str, int], step: int) -> None:
        self._waiting: deque[tuple[Record, Mapping[str, Any]]] = deque()
        self._metrics = Record(self._folder / METRICS, positions.get(METRICS, 0))
        self._samples = Record(self._folder / SAMPLES, positions.get(SAMPLES, 0))
        self._events = None
        if self._with_events:
            self._events = tensorboard.TensorBoard(self._folder / EVENTS, step, self._clock())
        self._console.recall(each_record(self._folder / METRICS))

    def rewind(self, positions: Mapping[str, int], step: int) -> None:
        """Drop what was recorded since `sync` gave these positions, at `step`: the run goes on from there."""
        self._close_files()
        self._open(positions, step)

    def log(self, record: Mapping[str, Any]) -> None:
        """Write one record and give it its time; raises `StorageError` where the disk refuses, but for want of room."""
        timed = {**record, "time": self._clock()}
        self._write(self._metrics, timed)
        if self._events is not None:
            try:
                self._events.log(timed)
            except DiskFullError as error:
                self._without_events(error)
        self._console.record(timed)

    def sample(self, step: int, text: str) -> None:
        """Write one text from the model; raises `StorageError` where the disk refuses, but for want of room."""
        self._write(self._samples, {"step": step, "time": self._clock(), "text": text})
        self._console.sample(step, text)

    def sync(self) -> dict[str, int]:
        """Flush everything to the disk; how many records each file has.

        Raises:
            StorageError: the disk refused.
        """
        self._write_waiting()
        if self._events is not None:
            try:
                self._events.sync()
            except DiskFullError as error:
                self._without_events(error)
        for file in (self._metrics, self._samples):
            file.sync()
        return {file.path.name: file.count for file in (self._metrics, self._samples)}

    def close(self) -> None:
        """Close all files and end the run's view, so that its result can be printed."""
        with suppress(DiskFullError):  # the checkpoint that the run goes on from does not count on these records
            self._write_waiting()
        self._close_files()
        self._console.finish()

    def _write(self, file: Record, record: Mapping[str, Any]) -> None:
        self._waiting.append((file, record))
        try:
            self._write_waiting()
        except DiskFullError as error:
            if len(self._waiting) == 1:
                self._console.note(f"{error.where}: {error.why}; records wait in memory until there is room")

    def _write_waiting(self) -> None:
        while self._waiting:
            file, record = self._waiting[0]
            file.log(record)
            self._waiting.popleft()

    def _without_events(self, error: DiskFullError) -> None:
        self._console.note(f"{error.where}: {error.why}; TensorBoard's events end here, and metrics.jsonl goes on")
        events, self._events = self._events, None
        if events is not None:
            with suppress(DiskFullError):
                events.close()

    def _close_files(self) -> None:
        self._metrics.close()
        self._samples.close()
        if self._events is not None:
            try:
                self._events.close()
            except DiskFullError as error:
                self._console.note(f"{error.where}: {error.why}; TensorBoard's events are incomplete")
                self._events = None
