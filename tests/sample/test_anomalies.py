from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.sample.anomalies import WINDOW, Calibration, worst
from charrnn.sample.reading import Surprise

COSTS = st.lists(st.tuples(st.floats(0, 20), st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=25)


def line(costs: list[tuple[float, float, float]]) -> Surprise:
    nats, expected, variance = np.array(costs).T
    return Surprise(nats, expected, variance)


@given(COSTS)
def test_the_worst_passage_is_the_one_that_a_search_finds(costs: list[tuple[float, float, float]]) -> None:
    length = min(WINDOW, len(costs))
    by_hand = [
        sum(n - e for n, e, _ in costs[i : i + length]) / math.sqrt(sum(v for _, _, v in costs[i : i + length]) + 1)
        for i in range(len(costs) - length + 1)
    ]
    found = worst(line(costs))
    assert found.excess == pytest.approx(max(by_hand), rel=1e-9, abs=1e-9)
    assert by_hand[found.start] == pytest.approx(max(by_hand), rel=1e-9, abs=1e-9)
    assert found.length == length


def test_what_was_expected_to_cost_much_is_no_news() -> None:
    digits, word = [(2.8, 2.8, 0.1)] * 30, [(0.1, 0.1, 0.1)] * 30
    assert worst(line(digits)).excess == pytest.approx(worst(line(word)).excess)
    wrong = [*word[:20], (9.0, 0.1, 0.1), *word[20:]]
    assert worst(line(wrong)).excess > worst(line(digits)).excess + 5
    assert worst(line(wrong)).start <= 20 < worst(line(wrong)).start + WINDOW


def of_excesses(values: list[float]) -> Calibration:
    return Calibration.of(line([(value, 0.0, 0.0)]) for value in values)


def test_z_is_the_distance_from_the_median_and_outliers_do_not_move_it() -> None:
    plain = of_excesses([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (plain.median, plain.spread) == (3.0, pytest.approx(1.4826))
    assert of_excesses([1.0, 2.0, 3.0, 4.0, 500.0]).spread == plain.spread
    assert plain.score(worst(line([(6.0, 0.0, 0.0)]))) == pytest.approx(3.0 / 1.4826)
    assert (plain.lines, plain.symbols) == (5, 5)


def test_calibration_counts_the_lines_above_a_threshold() -> None:
    found = of_excesses([float(value) for value in range(101)])
    z = found.score(worst(line([(90.0, 0.0, 0.0)])))
    assert found.flagged(z) == 10
    assert found.flagged(1e9) == 0
    assert found.expected(0.0) == pytest.approx(50.5)
    assert found.expected(1.96) == pytest.approx(101 * 0.025, rel=1e-3)


@pytest.mark.parametrize(("lines", "above"), [(50, 0), (999, 0), (1000, 1), (2500, 2)])
def test_one_in_a_thousand_is_above_what_is_usual(lines: int, above: int) -> None:
    found = of_excesses([float(value) for value in range(lines)])
    assert found.flagged(found.usual()) == above


def test_lines_that_are_all_alike_leave_a_spread() -> None:
    found = of_excesses([1.0] * 60)
    assert found.score(worst(line([(1.0, 0.0, 0.0)]))) == 0.0
    assert math.isfinite(found.score(worst(line([(2.0, 0.0, 0.0)]))))
