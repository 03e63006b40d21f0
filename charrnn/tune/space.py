"""From `tune.space` to Optuna's distributions, and from the values of a trial to overrides of the config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from charrnn.config.render import flow
from charrnn.config.schema import Config, Tune
from charrnn.config.schema.tune import Choice, Distribution, Log, Uniform, Whole
from charrnn.tune.extra import optuna

Values = dict[str, Any]
"""What a trial gives to each key of the space."""


def distributions(space: Mapping[str, Distribution]) -> dict[str, Any]:
    """Optuna's distribution of each key.

    Choices are told apart by their JSON text: to Optuna 1, 1.0 and true would be one value, and lists none at all.
    """
    return {key: _distribution(distribution) for key, distribution in space.items()}


def _distribution(distribution: Distribution) -> Any:
    kinds = optuna().distributions
    match distribution:
        case Uniform():
            return kinds.FloatDistribution(distribution.low, distribution.high)
        case Log():
            return kinds.FloatDistribution(distribution.low, distribution.high, log=True)
        case Whole():
            whole = distribution
            return kinds.IntDistribution(whole.low, whole.high, log=whole.log, step=whole.step)
        case Choice():
            return kinds.CategoricalDistribution([json.dumps(value) for value in distribution.values])


def to_params(space: Mapping[str, Distribution], values: Values) -> dict[str, Any]:
    """Values as Optuna keeps them; the inverse of `from_params`."""
    return {key: json.dumps(values[key]) if isinstance(space[key], Choice) else values[key] for key in space}


def from_params(space: Mapping[str, Distribution], params: Mapping[str, Any]) -> Values:
    """What Optuna keeps of a trial, as values of the config."""
    return {key: json.loads(params[key]) if isinstance(space[key], Choice) else params[key] for key in space}


def overrides(values: Values) -> list[str]:
    """The values as `--set` takes them."""
    return [f"{key}={flow(value)}" for key, value in values.items()]


def trial_settings(tune: Tune, values: Values) -> list[str]:
    """All that a trial has of its own, as `--set` takes it: how long it trains, and its values.

    A study has many runs, so each keeps its best checkpoint and its newest, and no others. A trial searches nothing:
    what the space refuses beside its values is no matter.
    """
    return overrides({**length(tune), "train.save.keep": 1, **values, "tune": None})


def length(tune: Tune) -> Values:
    """How long a trial trains; empty where `train:` says it."""
    if tune.epochs is None and tune.max_steps is None:
        return {}
    return {"train.epochs": tune.epochs, "train.max_steps": tune.max_steps}


def own_values(config: Config, space: Mapping[str, Distribution]) -> tuple[Values, list[str]]:
    """The values that the config itself has, and the keys of those that the space does not hold."""
    dump = config.model_dump(mode="json")
    values = {key: _at(dump, key) for key in space}
    return values, [key for key, value in values.items() if not holds(space[key], value)]


def holds(distribution: Distribution, value: Any) -> bool:
    """Whether a trial may draw `value`."""
    if isinstance(distribution, Choice):
        return json.dumps(value) in map(json.dumps, distribution.values)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    inside = distribution.low <= value <= distribution.high
    if isinstance(distribution, Whole):
        return inside and isinstance(value, int) and (value - distribution.low) % distribution.step == 0
    return inside


def _at(values: Any, key: str) -> Any:
    for name in key.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values
