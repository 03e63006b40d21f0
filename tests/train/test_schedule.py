"""Schedules against figures worked out by hand, and what holds for all of them."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from charrnn.config.schema.schedule import (
    ConstantSchedule,
    CosineSchedule,
    LinearWarmup,
    LowEpoch,
    OneCycleSchedule,
    PlateauSchedule,
    Schedule,
    StepSchedule,
)
from charrnn.config.schema.train import EarlyStop
from charrnn.train.schedule import cycle_ends, rate_factor, should_stop

EPOCH = 10


def history(*losses: float) -> list[dict[str, float]]:
    return [{"step": 10.0 * i, "loss": loss} for i, loss in enumerate(losses)]


def factors(config: Schedule, steps: int, epoch: int = EPOCH) -> list[float]:
    """The factor of every update of a run, and that after the last."""
    return [rate_factor(config, step, steps, epoch, []) for step in range(steps + 1)]


def by_epoch(config: Schedule, epochs: int) -> list[float]:
    """The factor of each epoch, which must be one from its first to its last update."""
    all_of_them = factors(config, epochs * EPOCH)
    for epoch in range(epochs):
        assert len(set(all_of_them[epoch * EPOCH : (epoch + 1) * EPOCH])) == 1
    return all_of_them[:-1:EPOCH]


def test_constant() -> None:
    assert factors(ConstantSchedule(kind="constant"), 10) == [1.0] * 11
    assert rate_factor(ConstantSchedule(kind="constant"), 7, 10, EPOCH, history(1.0, 2.0)) == 1.0


@pytest.mark.parametrize("warmup", [3, LinearWarmup(steps=3)], ids=["number", "section"])
def test_a_linear_warm_up_rises_in_equal_strides(warmup: int | LinearWarmup) -> None:
    schedule = ConstantSchedule(kind="constant", warmup=warmup)
    assert factors(schedule, 12) == [0.25, 0.5, 0.75, *[1.0] * 10]


def test_a_low_first_epoch() -> None:
    schedule = ConstantSchedule(kind="constant", warmup=LowEpoch(kind="low-epoch", factor=0.2))
    assert by_epoch(schedule, 4) == [0.2, 1.0, 1.0, 1.0]
    assert factors(schedule, 12, epoch=2) == [0.2, 0.2, *[1.0] * 11]
    assert factors(schedule, 8) == [0.2, 0.2, *[1.0] * 7], "a quarter of a run of less than an epoch"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"every": 2}, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        ({"every": 1, "after": 3, "factor": 0.25}, [1, 1, 1, 0.25, 0.0625, 0.015625]),
        ({"every": 3, "after": 1}, [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]),
        ({"every": 1, "floor": 0.3}, [1, 0.5, 0.3, 0.3]),
        ({"every": 2, "warmup": LowEpoch(kind="low-epoch", factor=0.5)}, [0.5, 1, 0.5, 0.5, 0.25]),
    ],
)
def test_step_cuts_by_epochs(keys: dict[str, Any], expected: list[float]) -> None:
    assert by_epoch(StepSchedule(kind="step", **keys), len(expected)) == expected


def test_the_step_schedules_of_char_rnn_and_torch_rnn() -> None:
    char_rnn = StepSchedule(kind="step", factor=0.97, every=1, after=10)
    assert by_epoch(char_rnn, 13) == [1.0] * 10 + [0.97, 0.97**2, 0.97**3]
    assert by_epoch(StepSchedule(kind="step"), 12) == [1.0] * 5 + [0.5] * 5 + [0.25] * 2


def test_cosine_warms_up_then_falls_to_its_floor() -> None:
    schedule = CosineSchedule(warmup=4, floor=0.1)
    assert [rate_factor(schedule, s, 104, EPOCH, []) for s in range(4)] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rate_factor(schedule, 4, 104, EPOCH, []) == 1.0
    assert rate_factor(schedule, 54, 104, EPOCH, []) == pytest.approx(0.55)
    eighth = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4))
    assert rate_factor(schedule, 29, 104, EPOCH, []) == pytest.approx(eighth)
    assert rate_factor(schedule, 104, 104, EPOCH, []) == 0.1
    assert rate_factor(schedule, 200, 104, EPOCH, []) == 0.1


def test_a_short_run_warms_up_for_a_quarter_at_most() -> None:
    assert rate_factor(CosineSchedule(warmup=100), 5, 20, EPOCH, []) == 1.0
    assert rate_factor(CosineSchedule(warmup=100), 0, 1, EPOCH, []) == 1.0


@given(st.integers(0, 300), st.integers(1, 400), st.integers(0, 200), st.floats(0, 1))
def test_one_cosine_is_to_the_bit_what_it_was_before_there_were_restarts(
    step: int, steps: int, warmup: int, floor: float
) -> None:
    warm = min(warmup, steps // 4)
    done = (step - warm) / max(steps - warm, 1)
    former = floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
    schedule = CosineSchedule(warmup=warmup, floor=floor)
    assert rate_factor(schedule, step, steps, EPOCH, []) == ((step + 1) / (warm + 1) if step < warm else former)


def test_restarts_of_equal_length() -> None:
    schedule = CosineSchedule(warmup=0, floor=0.0, cycles=3)
    once = [1.0, 0.5 * (1 + math.cos(math.pi / 4)), 0.5, 0.5 * (1 + math.cos(3 * math.pi / 4))]
    assert factors(schedule, 12) == pytest.approx([*once, *once, *once, 0.0])


def test_restarts_that_grow() -> None:
    schedule = CosineSchedule(warmup=4, floor=0.2, cycles=3, grow=2.0)
    assert cycle_ends(schedule, 28) == [4, 12, 28]
    got = factors(schedule, 32)
    assert [step for step, factor in enumerate(got) if factor == 1.0] == [4, 8, 16]
    assert [got[6], got[12], got[24]] == pytest.approx([0.6, 0.6, 0.6])
    assert got[-1] == 0.2


def test_more_cycles_than_steps_still_fill_the_run() -> None:
    schedule = CosineSchedule(warmup=0, cycles=5)
    assert cycle_ends(schedule, 2) == [0, 1, 1, 2, 2]
    assert factors(schedule, 2) == [1.0, 1.0, 0.05]


def test_one_cycle_rises_then_falls() -> None:
    straight = OneCycleSchedule(kind="one-cycle", start=0.2, rise=0.4, floor=0.1, shape="linear")
    rise = [0.2, 0.4, 0.6, 0.8]
    assert factors(straight, 10) == pytest.approx([*rise, 1.0, 0.85, 0.7, 0.55, 0.4, 0.25, 0.1])
    curved = factors(straight.model_copy(update={"shape": "cosine"}), 10)
    assert curved[:4] == pytest.approx([0.2, 0.2 + 0.8 * (1 - math.cos(math.pi / 4)) / 2, 0.6, curved[3]])
    assert curved[4] == 1.0
    assert curved[7] == pytest.approx(0.55)
    assert curved[5] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 6)) / 2)


def test_one_cycle_without_a_rise_only_falls() -> None:
    schedule = OneCycleSchedule(kind="one-cycle", rise=0.0, floor=0.0, shape="linear")
    assert factors(schedule, 4) == [1.0, 0.75, 0.5, 0.25, 0.0]


@pytest.mark.parametrize(
    ("losses", "cuts"),
    [
        ([], 0),
        ([3, 2, 1], 0),
        ([2, 2, 2], 0),
        ([2, 2, 2, 2], 1),
        ([2, 3, 3, 1, 1, 1], 0),
        ([2, 3, 3, 3, 3, 3], 1),
        ([2, 3, 3, 3, 3, 3, 3], 2),
        ([2, math.inf, math.nan, 3], 1),
    ],
)
def test_plateau_divides_after_more_than_patience_stalls(losses: list[float], cuts: int) -> None:
    schedule = PlateauSchedule(kind="plateau", factor=0.1, patience=2)
    assert rate_factor(schedule, 0, 100, EPOCH, history(*losses)) == pytest.approx(0.1**cuts)


def test_plateau_has_a_floor_and_a_beginning() -> None:
    low = LowEpoch(kind="low-epoch", factor=0.5)
    schedule = PlateauSchedule(kind="plateau", factor=0.1, patience=0, floor=0.05, warmup=low)
    stalled = history(1, 2, 3, 4)
    assert [rate_factor(schedule, EPOCH, 100, EPOCH, stalled[:n]) for n in range(5)] == [1.0, 1.0, 0.1, 0.05, 0.05]
    assert rate_factor(schedule, EPOCH - 1, 100, EPOCH, stalled[:2]) == 0.05


SHARE = st.floats(0, 1)
CUT = st.floats(0.01, 0.99)
LINEAR = st.integers(0, 300) | st.builds(lambda n: {"kind": "linear", "steps": n}, st.integers(0, 300))
WARMUP = LINEAR | st.builds(lambda f: {"kind": "low-epoch", "factor": f}, CUT)


def keys(kind: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind)}, optional=more)


COSINES = keys("cosine", warmup=WARMUP, floor=SHARE, cycles=st.integers(1, 8), grow=st.floats(1, 4))
SCHEDULES = st.one_of(
    keys("constant", warmup=WARMUP),
    keys("step", warmup=WARMUP, factor=CUT, every=st.integers(1, 9), after=st.none() | st.integers(1, 9), floor=SHARE),
    keys("plateau", warmup=WARMUP, factor=CUT, patience=st.integers(0, 4), floor=SHARE),
    COSINES,
    keys("one-cycle", start=CUT, rise=CUT, floor=SHARE, shape=st.sampled_from(["cosine", "linear"])),
).map(TypeAdapter(Schedule).validate_python)
HISTORIES = st.lists(st.floats(0, 10), max_size=20).map(lambda losses: history(*losses))


@given(SCHEDULES, st.integers(0, 1000), st.integers(1, 500), st.integers(1, 300), HISTORIES)
def test_every_factor_is_a_share_and_nothing_remembers(
    config: Schedule, step: int, steps: int, epoch: int, records: list[dict[str, float]]
) -> None:
    before = copy.deepcopy(records)
    factor = rate_factor(config, step, steps, epoch, records)
    assert 0.0 <= factor <= 1.0
    assert factor > 0.0 or getattr(config, "floor", 1.0) == 0.0
    rate_factor(config, step + 1, steps, epoch, records[:-1])
    assert rate_factor(config, step, steps, epoch, records) == factor
    assert records == before


@given(SCHEDULES, st.integers(1, 500), st.integers(1, 300), HISTORIES, HISTORIES)
def test_only_a_plateau_looks_at_validation(
    config: Schedule, steps: int, epoch: int, one: list[dict[str, float]], other: list[dict[str, float]]
) -> None:
    if not isinstance(config, PlateauSchedule):
        assert rate_factor(config, steps // 2, steps, epoch, one) == rate_factor(
            config, steps // 2, steps, epoch, other
        )


@given(SCHEDULES, st.integers(1, 300), st.integers(1, 300))
def test_warm_ups_rise_for_a_quarter_at_most_and_then_nothing_but_a_restart_does(
    config: Schedule, steps: int, epoch: int
) -> None:
    got = factors(config, steps, epoch)
    rise, restarts = steps // 4, []
    if isinstance(config, OneCycleSchedule):
        rise = int(config.rise * steps)
    else:
        # Of the warm-up alone: epochs may be so short that a cut of `step` falls into it.
        beginning = factors(ConstantSchedule(kind="constant", warmup=config.warmup), steps, epoch)
        assert beginning == sorted(beginning)
        assert beginning[rise:] == [1.0] * (steps + 1 - rise)
    if isinstance(config, CosineSchedule):
        warm = beginning.index(1.0)
        restarts = [warm + end for end in cycle_ends(config, steps - warm)[:-1]]
    rises = [step + 1 for step in range(rise, steps) if got[step + 1] > got[step] + 1e-15]
    assert [step for step in rises if step not in restarts] == []


@given(COSINES.map(TypeAdapter(Schedule).validate_python), st.integers(1, 2000))
def test_cycles_part_the_steps_and_each_grows_as_it_is_told(config: CosineSchedule, span: int) -> None:
    ends = cycle_ends(config, span)
    assert len(ends) == config.cycles
    assert ends == sorted(ends)
    assert ends[-1] == span
    lengths = [end - begin for begin, end in pairwise([0, *ends])]
    for shorter, longer in pairwise(lengths):
        # Either end of a cycle may lie half a step off.
        assert longer == pytest.approx(config.grow * shorter, abs=1.0 + config.grow)


@given(SCHEDULES.filter(lambda config: isinstance(config, StepSchedule | PlateauSchedule)), HISTORIES)
def test_a_longer_run_goes_on_where_a_shorter_one_ended(config: Schedule, records: list[dict[str, float]]) -> None:
    """What depends on epochs and validations alone is not moved by how long the run will be (its warm-up may)."""
    plain = config.model_copy(update={"warmup": 0})
    for step in (0, 57, 140):
        assert rate_factor(plain, step, 140, EPOCH, records) == rate_factor(plain, step, 900, EPOCH, records)


@pytest.mark.parametrize(
    ("losses", "stop"),
    [([], False), ([1], False), ([1, 2], False), ([1, 2, 2], True), ([1, 2, 0.5], False), ([1, 0.95, 0.94], True)],
)
def test_early_stop(losses: list[float], stop: bool) -> None:
    assert should_stop(EarlyStop(patience=2, min_delta=0.1), history(*losses)) is stop
    assert should_stop(None, history(*losses)) is False
