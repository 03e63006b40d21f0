"""`pseudo:` of `task: rate`: the rounds of `charrnn pseudolabel` over pairs of a user and an item without a rating."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from charrnn.config.schema.base import Count, Fraction, Section, default_kind
from charrnn.config.schema.pseudo import AllSelect
from charrnn.config.schema.rounds import Patience, Positive, RowRounds


class CloseSelect(Section):
    """Take the pairs of which several teachers expect nearly the same. The rating is the mean of theirs."""

    kind: Literal["agreement"]

    teachers: Annotated[int, Field(ge=2)] = 3
    """How many teachers: the student of the round before, and others that were trained as it was from other seeds. Each
    of those costs a training in every round."""

    below: Positive = 0.1
    """The standard deviation of their predictions is less than this, in units of the ratings."""


RatingSelect = Annotated[AllSelect | CloseSelect, Field(discriminator="kind"), default_kind("all")]


class RatingStop(Patience):
    """When the rounds end before their time. The best round by validation is handed back then, and round 0, the teacher
    without pseudo-labels, is one of them."""

    kept_below: Fraction = 0.02
    """Of the pairs a smaller share than this passes `select` (before `cap`)."""

    better: Literal["mse", "mae"] = "mse"
    """The figure of validation that rounds are compared by: the lower, the better."""


class RatingRounds(RowRounds):
    """Rounds in which a teacher rates pairs of a user and an item that nobody has rated, and a student learns from both
    kinds. Pairs of the validation and of the test are none of them."""

    rows: Count = 256
    """Pseudo-rated pairs in each batch, on top of the `stream.batch` ratings of the training split."""

    pairs: Count = 20_000
    """How many pairs are drawn, every one equally likely, of the users and the items with ratings in training; all
    where there are fewer. They are the same in all rounds and for all seeds (`train.seed` of the config draws them)."""

    select: RatingSelect = AllSelect(kind="all")

    cap: Count | None = None
    """For `agreement`: at most so many pairs, those of which the teachers agree best."""

    stop: RatingStop = RatingStop()

    @model_validator(mode="after")
    def _capped_by_something(self) -> RatingRounds:
        if self.cap is not None and not isinstance(self.select, CloseSelect):
            raise ValueError(
                "cap keeps the pairs of which several teachers agree best: set select to {kind: agreement}, "
                "or draw fewer with `pairs`"
            )
        return self

    @property
    def teachers(self) -> int:
        """How many models rate together."""
        return self.select.teachers if isinstance(self.select, CloseSelect) else 1

    @property
    def begin(self) -> Literal["fresh", "teacher"]:
        """Where students begin: no run over ratings begins with the weights of another one."""
        return "fresh"
