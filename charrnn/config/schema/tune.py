"""`tune:` what `charrnn tune` varies, for how long, and when it gives a trial up; a single run ignores it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from charrnn.config.schema.base import AsTuple, Count, Section, default_kind


class _Range(Section):
    @model_validator(mode="after")
    def _some_room(self) -> _Range:
        low, high = getattr(self, "low"), getattr(self, "high")  # noqa: B009  each kind has numbers of its own type
        if low >= high:
            raise ValueError(f"`low` should be less than `high`, not {low:g} and {high:g}")
        return self


class Uniform(_Range):
    """A number between `low` and `high`, each as likely as any other."""

    kind: Literal["uniform"] = "uniform"

    low: float
    """The smallest value."""

    high: float
    """The largest value."""


class Log(_Range):
    """A positive number whose logarithm is uniform: for rates and other values that matter by their ratio."""

    kind: Literal["log"]

    low: Annotated[float, Field(gt=0.0)]
    """The smallest value."""

    high: float
    """The largest value."""


class Whole(_Range):
    """A whole number."""

    kind: Literal["int"]

    low: int
    """The smallest value."""

    high: int
    """The largest value."""

    step: Count = 1
    """The values are `low`, `low + step`, and so on, up to `high`."""

    log: bool = False
    """Draw by ratio rather than by difference; only with a step of 1."""

    @model_validator(mode="after")
    def _steps_fit(self) -> Whole:
        if self.log and (self.low < 1 or self.step != 1):
            raise ValueError("`log: true` needs a `low` of 1 or more and a `step` of 1")
        if (self.high - self.low) % self.step:
            raise ValueError(f"steps of {self.step} from {self.low} do not meet {self.high}")
        return self


class Choice(Section):
    """One of a few values, whatever they are: words, numbers, lists, whole sections."""

    kind: Literal["choice"]

    values: Annotated[tuple[Any, ...], Field(min_length=2), AsTuple]
    """The values."""

    @field_validator("values")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if any(repr(value) in map(repr, values[:i]) for i, value in enumerate(values)):
            raise ValueError("a value is given twice")
        return values


Distribution = Annotated[Uniform | Log | Whole | Choice, Field(discriminator="kind"), default_kind("uniform")]


class TpeSampler(Section):
    """The tree-structured Parzen estimator (Bergstra et al. 2011), over all keys together."""

    kind: Literal["tpe"] = "tpe"

    startup: Count = 8
    """Finished trials before it begins to learn from them; until then values are drawn at random."""


class RandomSampler(Section):
    """Every trial is drawn at random (Bergstra and Bengio 2012)."""

    kind: Literal["random"]


Sampler = Annotated[TpeSampler | RandomSampler, Field(discriminator="kind"), default_kind("tpe")]


class MedianPrune(Section):
    """Give a trial up whose best validation so far is worse than the median that finished trials had after as many
    validations."""

    kind: Literal["median"] = "median"

    after_trials: Count = 4
    """Finished trials before any is given up."""

    after_evaluations: Annotated[int, Field(ge=0)] = 1
    """Validations that every trial is forgiven: it is judged from the next one on."""


class Tune(Section):
    """A search for better values of some keys of this config."""

    trials: Count = 20
    """How many runs are tried in all."""

    epochs: Count | None = None
    """Passes over the training split in each trial, in place of `train.epochs` and `train.max_steps`."""

    max_steps: Count | None = None
    """Updates in each trial, in place of `train.epochs` and `train.max_steps`. With both, the shorter ends a trial;
    with neither, `train:` says how long."""

    space: Annotated[dict[str, Distribution], Field(min_length=1)]
    """What is varied: keys such as `train.optimizer.lr`, each with the values that it may have."""

    sampler: Sampler = TpeSampler()

    prune: MedianPrune | None = MedianPrune()
    """`null` lets every trial go to its end."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """The draws of values are derived from it; `train.seed` stays that of the config."""
