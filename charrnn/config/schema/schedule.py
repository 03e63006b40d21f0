"""`train.schedule:` how the learning rate changes while a run goes on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from charrnn.config.schema.base import Count, Fraction, Section, default_kind

Steps = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Cut = Annotated[float, Field(gt=0.0, lt=1.0)]


class LinearWarmup(Section):
    """The rate rises from nothing in equal strides."""

    kind: Literal["linear"] = "linear"

    steps: Steps = 100
    """How long it rises; a quarter of the run at most."""


class LowEpoch(Section):
    """The first epoch runs at a low rate; in a run of fewer than four epochs, the first quarter of the run."""

    kind: Literal["low-epoch"]

    factor: Cut = 0.1
    """The rate of the first epoch, as a share of the rate."""


Warmup = Annotated[LinearWarmup | LowEpoch, Field(discriminator="kind"), default_kind("linear")]


class _WarmedUp(Section):
    warmup: Steps | Warmup = 0
    """How the run begins: a number means that many steps of linear warm-up; `{kind: low-epoch, factor: 0.1}` a
    low first epoch."""

    @property
    def beginning(self) -> LinearWarmup | LowEpoch:
        """`warmup` with a bare number spelled out."""
        return LinearWarmup(steps=self.warmup) if isinstance(self.warmup, int) else self.warmup


class ConstantSchedule(_WarmedUp):
    """The rate stays."""

    kind: Literal["constant"]


class StepSchedule(_WarmedUp):
    """The rate is multiplied by `factor` every `every` epochs."""

    kind: Literal["step"]

    factor: Cut = 0.5
    """What the rate is multiplied by."""

    every: Count = 5
    """Epochs from one cut to the next."""

    after: Count | None = None
    """Epochs before the first cut; `null`: as many as `every`."""

    floor: Share = 0.0
    """The lowest rate, as a share of the rate."""


class PlateauSchedule(_WarmedUp):
    """The rate is multiplied by `factor` when validation has not improved for more than `patience`
    evaluations."""

    kind: Literal["plateau"]

    factor: Cut = 0.1
    """What the rate is multiplied by."""

    patience: Annotated[int, Field(ge=0)] = 2
    """Evaluations without improvement that are forgiven."""

    floor: Share = 0.0
    """The lowest rate, as a share of the rate."""


class CosineSchedule(_WarmedUp):
    """A warm-up, then half a cosine down to `floor` at the last step, or several with warm restarts (Loshchilov
    and Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"

    warmup: Steps | Warmup = 100
    """How the run begins: a number means that many steps of linear warm-up; `{kind: low-epoch, factor: 0.1}` a
    low first epoch."""

    floor: Share = 0.05
    """The last rate of a cycle, as a share of the rate."""

    cycles: Annotated[int, Field(ge=1, le=100)] = 1
    """How often the rate falls from the top; together the cycles fill the run after its warm-up."""

    grow: Annotated[float, Field(ge=1.0, le=10.0)] = 1.0
    """How many times as long as the one before each cycle is."""


class OneCycleSchedule(Section):
    """One rise to the rate, then one fall far below where it began (Smith 2018); the momentum stays."""

    kind: Literal["one-cycle"]

    start: Annotated[float, Field(gt=0.0, le=1.0)] = 0.04
    """The first rate, as a share of the rate."""

    rise: Fraction = 0.3
    """The share of the steps in which the rate rises; 0 only falls."""

    floor: Share = 0.0001
    """The last rate, as a share of the rate."""

    shape: Literal["cosine", "linear"] = "cosine"
    """The curve of the rise and of the fall."""


Schedule = Annotated[
    ConstantSchedule | StepSchedule | PlateauSchedule | CosineSchedule | OneCycleSchedule,
    Field(discriminator="kind"),
    default_kind("cosine"),
]
