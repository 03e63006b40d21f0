"""`stream.mix:` of labelled items and of ratings: what shares every batch with those that the run is about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from charrnn.config.schema.base import Count, Section, default_kind

_NAME = re.compile("[a-z][a-z0-9_-]*")
_TAKEN = (
    *("train", "valid", "test", "unlabelled", "time", "step", "epoch", "split", "lr", "grad_norm", "state_norm"),
    *("skipped", "nats", "items_per_second", "label_smoothing"),
    *("mse", "rmse", "ratings", "ratings_per_second", "l2", "bias_l2"),
)


class _Share(Section):
    """A fixed number of rows of every batch."""

    rows: Count = 16
    """How many rows of every batch, on top of `stream.batch`. They are read over and over on their own, in orders of
    their own; an epoch stays a pass over what the run is about."""

    weight: Annotated[float, Field(gt=0.0)] = 1.0
    """How much each of these rows counts in what training lowers, where a row of `stream.batch` counts 1."""

    ramp: Annotated[float, Field(ge=0.0)] = 0.0
    """Epochs over which the weight rises from 0, in a straight line; 0 begins with the whole weight."""


class LabelsPart(_Share):
    """Items with labels from a file: what a teacher, or a person, says of them. Labels that the corpus hides play no
    part."""

    kind: Literal["labels"] = "labels"

    source: Annotated[str, Field(min_length=1)]
    """A table with a header line, one row for each item: `item` (as in `unlabelled:17`) and `label`; and if you like
    `kept` (0: leave it out), `digest`, `confidence`, and for every label its probability in `p:<label>`. Relative to
    the config's folder."""

    targets: Literal["hard", "soft"] = "hard"
    """`hard` learns the label; `soft` all its probabilities, which the file must have."""

    temperature: Annotated[float, Field(gt=0.0)] = 1.0
    """For soft targets: the probabilities are brought to this temperature, the model's scores are divided by it, and
    the loss is multiplied by its square (Hinton, Vinyals, Dean 2015). Above 1 what is unlikely weighs more;
    a probability of 0 stays 0."""

    @model_validator(mode="after")
    def _temperature_has_something_to_heat(self) -> LabelsPart:
        if self.targets == "hard" and self.temperature != 1.0:
            raise ValueError("`temperature` is for soft targets: set `targets: soft`, or remove it")
        return self


class SplitPart(_Share):
    """Items of another split with their true labels. That split is then no measure of the run: nothing is validated."""

    kind: Literal["split"]

    split: Literal["valid"] = "valid"
    """Which one. The test items are never trained on."""


class RatingsPart(_Share):
    """Ratings from a file, for pairs without one in the training split: what a model, or a person, expects of them."""

    source: Annotated[str, Field(min_length=1)]
    """A table like that of `corpus.source` (its columns, delimiter and encoding), whose users and items have ratings in
    the training split. Relative to the config's folder."""


def _named(mix: dict[str, Section] | None) -> dict[str, Section] | None:
    check_names(mix or ())
    return mix or None


def check_names(names: Iterable[str]) -> None:
    """Hold the names in `stream.mix` against what records know already.

    Raises:
        ValueError: a name is taken, or is none.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"`{name}` is no name for a part: lower-case letters, digits, `_` and `-` make one, a letter in front"
            )
        if name in _TAKEN:
            raise ValueError(f"a part cannot be named `{name}`: records call something else so")


ItemPart = Annotated[LabelsPart | SplitPart, Field(discriminator="kind"), default_kind("labels")]
ItemMix = Annotated[dict[str, ItemPart] | None, AfterValidator(_named)]
RatingMix = Annotated[dict[str, RatingsPart] | None, AfterValidator(_named)]
