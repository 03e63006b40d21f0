"""`train.schedule:` how the learning rate changes while a run goes on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from charrnn.config.schema.base import Section, default_kind


class ConstantSchedule(Section):
    """The rate stays."""

    kind: Literal["constant"]


class PlateauSchedule(Section):
    """The rate is multiplied by `factor` when validation has not improved for more than `patience`
    evaluations."""

    kind: Literal["plateau"]

    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """What the rate is multiplied by."""

    patience: Annotated[int, Field(ge=0)] = 2
    """Evaluations without improvement that are forgiven."""


class CosineSchedule(Section):
    """A linear warm-up, then half a cosine down to `floor` at the last step (Loshchilov and Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"

    warmup: Annotated[int, Field(ge=0)] = 100
    """Steps of linear warm-up."""

    floor: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    """The last rate, as a share of the rate."""


Schedule = Annotated[
    ConstantSchedule | PlateauSchedule | CosineSchedule,
    Field(discriminator="kind"),
    default_kind("cosine"),
]
