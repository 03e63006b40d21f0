from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab import Stopper
from tuning import Tuning

from charrnn.errors import Interrupted, UsageError
from charrnn.logs.console import Console
from charrnn.runs.start import train_run
from charrnn.train import step
from charrnn.train.interrupt import Interrupt
from charrnn.train.step import StepResult
from charrnn.tune.range_test import RangeTest, is_lost, judge, range_test, smoothed, window_of

RATES = [1e-6 * 1e7 ** (i / 199) for i in range(200)]


def valley(rate: float, best: float) -> float:
    """Flat at 4 nats, down to 2 where the rate is `best`, and up again."""
    x = math.log10(rate / best)
    return 4.0 - 2.0 * math.exp(-(x**2)) if x < 0 else 2.0 + 2.0 * x**2


@given(st.floats(-3.5, 0.0), st.floats(0.5, 3.0))
def test_the_suggestion_moves_with_the_curve_and_not_with_its_scale(decade: float, scale: float) -> None:
    best = 10.0**decade
    test = judge(RATES, [scale * valley(rate, best) for rate in RATES], window_of(200), "")
    assert best / 20 < test.suggestion < best / 8
    assert best / 1.3 < test.lowest < best * 1.3
    assert not test.still_falling


def test_noise_and_bounces_behind_the_blow_up_do_not_move_it() -> None:
    clean = judge(RATES, [valley(rate, 0.03) for rate in RATES], window_of(200), "")
    noisy = [
        valley(rate, 0.03) + 0.1 * math.sin(37.0 * i) if rate < 0.5 else 5.0 + 3.0 * math.sin(i)
        for i, rate in enumerate(RATES)
    ]
    assert clean.suggestion / 2 < judge(RATES, noisy, window_of(200), "").suggestion < clean.suggestion * 2


def test_a_loss_that_still_falls_at_the_end_is_told() -> None:
    assert judge(RATES, [4.0 - i / 200 for i in range(200)], window_of(200), "").still_falling


@pytest.mark.parametrize("nats", [[], [4.0] * 200, [4.0 + i / 100 for i in range(200)]])
def test_where_nothing_falls_there_is_no_suggestion(nats: list[float]) -> None:
    with pytest.raises(UsageError, match="does not fall"):
        judge(RATES[: len(nats)], nats, window_of(200), "why")


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=60), st.integers(1, 8))
def test_smoothing_is_a_mean_without_lag(nats: list[float], half: int) -> None:
    smooth = smoothed(nats, 2 * half + 1)
    assert len(smooth) == len(nats)
    assert min(nats) - 1e-9 <= min(smooth)
    assert max(smooth) <= max(nats) + 1e-9
    assert smoothed(nats[::-1], 2 * half + 1) == pytest.approx(smooth[::-1])
    line = [float(i) for i in range(len(nats))]
    assert smoothed(line, 2 * half + 1) == pytest.approx(line)


def test_lost_is_twice_the_lowest_mean() -> None:
    assert not is_lost([3.0, 1.0, 1.0, 1.0, 1.9, 2.0, 2.0], 3)
    assert is_lost([3.0, 1.0, 1.0, 1.0, 1.9, 2.1, 2.1], 3)
    assert not is_lost([3.0, 9.0], 3)


def run(tuning: Tuning, *overrides: str, interrupt: Interrupt | None = None, high: float = 10.0) -> RangeTest:
    with Console(quiet=True) as console:
        loaded, corpora = tuning.loaded(*overrides), tuning.path / "corpora"
        return range_test(loaded, corpora, console, interrupt or Interrupt(), 1e-5, high, 60)


def test_the_same_config_gets_the_same_suggestion_and_no_run_folder(tuning: Tuning) -> None:
    test = run(tuning)
    assert run(tuning) == test
    assert 1e-3 < test.suggestion < 1.0
    assert test.rates[0] == 1e-5
    assert [len(test.losses), len(test.smooth)] == [len(test.rates)] * 2
    assert sorted(path.name for path in tuning.path.iterdir()) == ["config.yaml", "corpora", "text.txt"]


def test_rate_and_schedule_of_the_config_play_no_part(tuning: Tuning) -> None:
    assert run(tuning, "train.optimizer.lr=7e-2", "train.schedule={kind: constant}") == run(tuning)


def test_the_rates_rise_by_equal_ratios_and_the_optimizer_gets_them(
    tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    known = step.update

    def spy(*arguments: object) -> StepResult:
        seen.append(arguments[1].optimizer.param_groups[0]["lr"] / arguments[2].rate)  # type: ignore[attr-defined]
        return known(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(step, "update", spy)
    test = run(tuning, "stream.lengths={kind: random, spread: 2, least: 2}", high=1e-2)
    assert seen == pytest.approx(test.rates, rel=1e-12)
    assert len(seen) == 60
    assert seen[-1] == pytest.approx(1e-2)
    assert [b / a for a, b in pairwise(seen)] == pytest.approx([1000 ** (1 / 59)] * 59)


def test_a_loss_that_is_not_finite_ends_the_test_and_what_was_seen_counts(
    tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, known, count = run(tuning), step.update, 0

    def update(*arguments: object) -> StepResult:
        nonlocal count
        count += 1
        result = known(*arguments)  # type: ignore[arg-type]
        return dataclasses.replace(result, sum=math.nan, skipped=True) if count > 45 else result

    monkeypatch.setattr(step, "update", update)
    test = run(tuning)
    assert "not finite" in test.ended
    assert test.losses == whole.losses[:45]


@pytest.mark.parametrize(("low", "high", "steps"), [(0.0, 1.0, 99), (1.0, 1.0, 99), (1e-3, math.inf, 99), (1e-3, 1, 5)])
def test_what_is_no_range_is_refused(tuning: Tuning, low: float, high: float, steps: int) -> None:
    with Console(quiet=True) as console, pytest.raises(UsageError, match="not a range"):
        range_test(tuning.loaded(), Path("corpora"), console, Interrupt(), low, high, steps)


def test_it_starts_from_where_the_training_would(tuning: Tuning) -> None:
    with Console(quiet=True) as console:
        folder, corpora = tuning.path / "trained", tuning.path / "corpora"
        train_run(tuning.loaded("train.max_steps=60"), folder, "new", corpora, console, Interrupt())
    assert run(tuning, f"train.start_from={folder}").losses[0] < run(tuning).losses[0] - 0.05


def test_a_signal_ends_it(tuning: Tuning) -> None:
    run(tuning)
    with pytest.raises(Interrupted):
        run(tuning, interrupt=Stopper(20))
