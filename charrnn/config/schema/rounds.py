"""What the `pseudo:` sections of all tasks have in common: who teaches, for how many rounds, and how that is told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from charrnn.config.schema.base import Count, Section

Positive = Annotated[float, Field(gt=0.0)]


class Patience(Section):
    """When rounds end before their time, by validation."""

    patience: Count | None = 1
    """So many rounds in a row are no better in validation than the best before them; `null` looks at them all."""


class Rounds(Section):
    """Rounds in which a teacher teaches a student, which teaches the next one."""

    teacher: Annotated[str, Field(min_length=1)] | None = None
    """A run's folder, or a checkpoint's, whose model teaches in the first round; of a run it is the best checkpoint,
    else the last. Relative to the config's folder. `null` trains one by this config: round 0."""

    rounds: Count = 3
    """Students at most; each is the next one's teacher."""

    weight: Positive = 1.0
    """How much what a teacher says counts in the loss, row by row; what is known to be true counts 1."""

    max_steps: Count | None = None
    """Updates of a student, in place of `train.epochs` and `train.max_steps`; `null` takes as many as `train:` says."""

    checkpoint: Literal["best", "last"] = "best"
    """Which model of a run teaches, is handed back and is reported: that of its best validation (the lowest mean loss),
    or that of the end."""

    seeds: Count = 1
    """How often all of it is done: with `train.seed`, with the next one, and so on, for the spread."""

    report: Literal["test", "valid"] = "test"
    """The split that the last figures are of. `valid` spares the test; rounds were chosen by it, so its figures
    flatter."""

    @property
    def teachers(self) -> int:
        """How many models label together."""
        return 1


class Begins(Section):
    """For tasks whose runs can begin with the weights of another run."""

    begin: Literal["fresh", "teacher"] = "fresh"
    """The first weights of a student: those that the seed gives to round 0 too, or its teacher's."""


class RowRounds(Rounds):
    """Rounds whose labels are rows of their own in every batch."""

    rows: Count = 16
    """Pseudo-labelled rows in each batch, on top of the `stream.batch` rows whose labels are true."""

    ramp: Annotated[float, Field(ge=0.0)] = 0.0
    """Epochs over which their weight rises from 0; 0 is at once."""
