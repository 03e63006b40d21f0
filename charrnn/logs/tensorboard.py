"""A copy of the record for TensorBoard, written by its own event writer; imported only where it is used."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from charrnn.errors import MissingExtraError
from charrnn.files.atomic import make_folder
from charrnn.files.refusals import storage_errors

_FLUSH_SECONDS = 10
_COORDINATES = ("step", "time")


def available() -> bool:
    """Whether the extra `tensorboard` is installed; does not load it."""
    return importlib.util.find_spec("tensorboard") is not None


def wanted(setting: bool | Literal["auto"]) -> bool:
    """Whether events are to be written: `auto` where the extra is installed, True demands it.

    Raises:
        MissingExtraError: the events are demanded, and TensorBoard is not installed.
    """
    if setting is True and not available():
        raise MissingExtraError(
            "train.tensorboard is true, and TensorBoard is not installed", hint="pip install 'charrnn[tensorboard]'"
        )
    return bool(setting) and available()


class TensorBoard:
    """Scalars `<split>/<name>` at their steps.

    Args:
        folder: where the event files go.
        step: the step that the run goes on from: what an earlier life of the run wrote beyond it disappears.
        time: the time now, in seconds since 1970.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path, step: int, time: float) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorBoard's own dependencies warn while they load
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        self._event: Any = event_pb2.Event
        self._summary: Any = summary_pb2.Summary
        self._folder = folder
        make_folder(folder)
        with storage_errors(folder):
            earlier = any(folder.iterdir())
            self._writer: Any = EventFileWriter(str(folder), flush_secs=_FLUSH_SECONDS)
            if earlier:
                # readers drop everything from the step of a START on, and `step` itself is kept
                start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
                self._writer.add_event(self._event(wall_time=time, step=step + 1, session_log=start))

    def log(self, record: Mapping[str, Any]) -> None:
        """Write the numbers of a record; raises `StorageError` where the disk refuses."""
        values = [
            self._summary.Value(tag=f"{record['split']}/{name}", simple_value=value)
            for name, value in record.items()
            if name not in _COORDINATES and isinstance(value, int | float) and not isinstance(value, bool)
        ]
        with storage_errors(self._folder):
            summary = self._summary(value=values)
            self._writer.add_event(self._event(wall_time=record["time"], step=record["step"], summary=summary))

    def sync(self) -> None:
        """Flush; raises `StorageError` where the disk refuses."""
        with storage_errors(self._folder):
            self._writer.flush()

    def close(self) -> None:
        """Flush and close; raises `StorageError` where the disk refuses."""
        with storage_errors(self._folder):
            self._writer.close()
