from __future__ import annotations

import math

import pytest

from charrnn.config.schema.schedule import ConstantSchedule, CosineSchedule, PlateauSchedule
from charrnn.config.schema.train import EarlyStop
from charrnn.train.schedule import rate_factor, should_stop


def history(*losses: float) -> list[dict[str, float]]:
    return [{"step": 10.0 * i, "nats": loss} for i, loss in enumerate(losses)]


def test_constant() -> None:
    assert rate_factor(ConstantSchedule(kind="constant"), 7, 10, history(1.0, 2.0)) == 1.0


def test_cosine_warms_up_then_falls_to_its_floor() -> None:
    schedule = CosineSchedule(warmup=4, floor=0.1)
    assert [rate_factor(schedule, s, 104, []) for s in range(4)] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rate_factor(schedule, 4, 104, []) == 1.0
    assert rate_factor(schedule, 54, 104, []) == pytest.approx(0.55)
    assert rate_factor(schedule, 29, 104, []) == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4)))
    assert rate_factor(schedule, 104, 104, []) == pytest.approx(0.1)
    assert rate_factor(schedule, 200, 104, []) == pytest.approx(0.1)


def test_a_short_run_warms_up_for_a_quarter_at_most() -> None:
    assert rate_factor(CosineSchedule(warmup=100), 5, 20, []) == 1.0
    assert rate_factor(CosineSchedule(warmup=100), 0, 1, []) == 1.0


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
    assert rate_factor(schedule, 0, 100, history(*losses)) == pytest.approx(0.1**cuts)


@pytest.mark.parametrize(
    ("losses", "stop"),
    [([], False), ([1], False), ([1, 2], False), ([1, 2, 2], True), ([1, 2, 0.5], False), ([1, 0.95, 0.94], True)],
)
def test_early_stop(losses: list[float], stop: bool) -> None:
    assert should_stop(EarlyStop(patience=2, min_delta=0.1), history(*losses)) is stop
    assert should_stop(None, history(*losses)) is False
