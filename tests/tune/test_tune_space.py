from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.load import config_from_source, flatten
from charrnn.config.schema.tune import Choice, Distribution, Log, Uniform, Whole
from charrnn.tune import space

number = st.floats(-1e6, 1e6, allow_nan=False)
positive = st.floats(1e-9, 1e6, allow_nan=False)
scalar = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=5)
value = st.recursive(scalar, lambda inner: st.lists(inner, max_size=3), max_leaves=5)


def pair(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    two = st.tuples(numbers, numbers).filter(lambda ab: ab[0] != ab[1])
    return two.map(lambda ab: {"low": min(ab), "high": max(ab)})


def whole(low: int, count: int, step: int) -> Whole:
    return Whole(kind="int", low=low, high=low + count * step, step=step)


distribution: st.SearchStrategy[Distribution] = st.one_of(
    pair(number).map(lambda ends: Uniform(**ends)),
    pair(positive).map(lambda ends: Log(kind="log", **ends)),
    st.builds(whole, st.integers(-50, 50), st.integers(1, 9), st.integers(1, 9)),
    st.lists(value, min_size=2, max_size=5, unique_by=repr).map(lambda v: Choice(kind="choice", values=tuple(v))),
)


@given(distribution, st.integers(0, 2**31))
def test_what_is_drawn_lies_in_the_space_and_comes_back_from_the_journal(kind: Distribution, seed: int) -> None:
    optuna = space.optuna()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    known = {"key": kind}
    params = study.ask(space.distributions(known)).params
    values = space.from_params(known, params)
    assert space.holds(kind, values["key"])
    assert space.to_params(known, values) == params
    if isinstance(kind, Choice):
        assert json.dumps(values["key"]) in [json.dumps(value) for value in kind.values]


def test_one_and_true_and_one_point_zero_are_three_choices() -> None:
    known: dict[str, Distribution] = {"key": Choice(kind="choice", values=(1, True, 1.0, "1"))}
    for value in (1, True, 1.0, "1"):
        back = space.from_params(known, space.to_params(known, {"key": value}))["key"]
        assert (type(back), back) == (type(value), value)
    assert len(set(space.distributions(known)["key"].choices)) == 4


@given(st.floats(1e-12, 1e12), st.integers(1, 10**9), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_overrides_say_exactly_what_was_drawn(rate: float, size: int, seed: str) -> None:
    values = {"train.optimizer.lr": rate, "model.core.hidden": size, "sample.seed": seed, "model.head.hidden": [size]}
    flat = flatten(config_from_source("x.txt", space.overrides(values)).config)
    assert {key: flat[key] for key in values} == values


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        (Uniform(low=0.0, high=0.5), [0, 0.0, 0.25, 0.5], [-1e-9, 0.6, True, None, "0.1", [0.1], {"p": 0.1}]),
        (Log(kind="log", low=1e-4, high=1e-2), [1e-4, 1e-3, 1e-2], [0.0, 1]),
        (whole(4, 2, 2), [4, 6, 8], [5, 6.0, 3, 10, False]),
        (Choice(kind="choice", values=("lstm", [5])), ["lstm", [5]], ["gru", [], [5.0], None]),
    ],
)
def test_holds(kind: Distribution, inside: list[Any], outside: list[Any]) -> None:
    assert [space.holds(kind, value) for value in inside] == [True] * len(inside)
    assert [space.holds(kind, value) for value in outside] == [False] * len(outside)


def test_the_values_of_the_config_itself_and_those_that_the_space_lacks() -> None:
    known: dict[str, Distribution] = {
        "train.optimizer.lr": Log(kind="log", low=1e-3, high=1e-2),
        "model.core.hidden": whole(2, 4, 2),
        "model.core.recurrent_dropout.p": Uniform(low=0.0, high=0.5),
        "train.early_stop": Choice(kind="choice", values=(None, {"patience": 5, "min_delta": 0.0})),
    }
    own, outside = space.own_values(config_from_source("x.txt", ["train.optimizer.lr=2e-3"]).config, known)
    assert own["train.optimizer.lr"] == 2e-3
    assert own["train.early_stop"] == {"patience": 5, "min_delta": 0.0}
    assert outside == ["model.core.hidden", "model.core.recurrent_dropout.p"]
