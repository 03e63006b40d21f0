"""What the rounds know of a task: who may teach, what a table of labels comes to, how good a model is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import Pseudo, RatingRounds, TextRounds
from charrnn.config.schema.pseudo import FineTune

Record = dict[str, Any]
"""A part of a manifest, as JSON values."""

Settings = Pseudo | RatingRounds | TextRounds
"""The `pseudo:` section of any task."""


class Table(Protocol):
    """Labels that are written down before a student learns from them."""

    @property
    def name(self) -> str:
        """That of the file."""

    @property
    def things(self) -> str:
        """What a row of it is about, in the plural."""

    @property
    def selection(self) -> Record:
        """The settings by which rows are taken, for the manifest of a round."""

    def label(self, teachers: Sequence[Checkpoint], path: Path) -> Record:
        """Let the teachers label all that can be, and write the table of labels at `path`.

        Returns:
            `candidates`, `passed`, `kept` and what else a reader should know of the table.
        """

    def refusal(self, counts: Record) -> str | None:
        """Why nobody should learn from labels of which `label` has told this; None where a student may."""


class Labeller(Protocol):
    """The rounds' only way to a task's data and models."""

    @property
    def extra(self) -> str:
        """What a student has and its control has not."""

    @property
    def table(self) -> Table | None:
        """The labels as a table; None where a teacher predicts while its student trains."""

    @property
    def digest(self) -> str:
        """That of the data."""

    @property
    def marks(self) -> Record:
        """What every manifest says of the data."""

    @property
    def about(self) -> Record:
        """What the data hold, for the report: how much is known, and how much there is to be labelled."""

    @property
    def remarks(self) -> Sequence[str]:
        """What a user should know of the data before anything begins."""

    @property
    def report(self) -> str:
        """The split that the last figures are of."""

    @property
    def since(self) -> int:
        """The first round that may be handed back: 0, or 1 where round 0 is a model of another kind."""

    @property
    def transductive(self) -> bool:
        """Whether inputs of the test are learned from."""

    @property
    def finetune(self) -> FineTune | None:
        """The last stage, where it is asked for."""

    def admit(self, teacher: Checkpoint) -> Record:
        """Refuse a teacher that learned from other kinds of data, or to say other things; else what is noteworthy.

        Raises:
            CheckpointError, DataError: it does not belong here; the error shows the first difference.
        """

    def measure(self, model: Checkpoint, split: str) -> dict[str, float]:
        """The figures of a model on `valid` or `test`."""

    def error(self, figures: Mapping[str, float]) -> float:
        """Of these figures the one that a change is told of: the lower, the better."""

    def paired(self, control: Checkpoint, student: Checkpoint, split: str) -> Record:
        """A test of whether two models differ by more than chance where they are asked the same, under its name."""

    def mixed(self, labels: Path, teacher: Path) -> Mapping[str, Any]:
        """The part of `stream.mix` that brings what a teacher says into every batch.

        Args:
            labels: the table, where there is one.
            teacher: the checkpoint of the student's teacher.
        """
