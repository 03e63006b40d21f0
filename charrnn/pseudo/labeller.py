"""What the rounds know of a task: who can be asked, what a table of labels comes to, how good a model is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.read import Checkpoint

Record = dict[str, Any]
"""A part of a manifest, as JSON values."""


class Labeller(Protocol):
    """The rounds' only way to a task's data and models."""

    @property
    def digest(self) -> str:
        """That of the data."""

    @property
    def about(self) -> Record:
        """What the data hold, for the report: how many items are labelled, how many can be, and which were left out."""

    @property
    def remarks(self) -> Sequence[str]:
        """What a user should know of the data before anything begins."""

    def admit(self, teacher: Checkpoint) -> Record:
        """Refuse a teacher that learned from other kinds of items, or to give other labels; else what is noteworthy.

        Raises:
            CheckpointError, DataError: it does not belong here; the error shows the first difference.
        """

    def label(self, teachers: Sequence[Checkpoint], path: Path) -> Record:
        """Let the teachers label all that can be, and write the table of labels at `path`.

        Returns:
            `candidates`, `passed`, `kept`, `kept_labels` and what else a reader should know of the table.
        """

    def measure(self, model: Checkpoint, split: str) -> dict[str, float]:
        """The figures of a model on `valid` or `test`."""

    def right(self, model: Checkpoint, split: str) -> NDArray[np.bool_]:
        """Of which items of `valid` or `test` a model says what is true."""

    def mixed(self, labels: Path) -> Mapping[str, Any]:
        """The part of `stream.mix` that brings a table of labels into every batch."""
