from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from charrnn.config.schema import Sample
from charrnn.sample.filters import distribution, draw, inverted_rows, softmax, temperature

START = np.array([0])
NONE = np.array([], dtype=np.int64)


def filtered(probs: list[float], banned: np.ndarray = NONE, **options: Any) -> np.ndarray:
    """The distribution that `options` make of a model that gives `probs`."""
    logits_V = np.log(np.array(probs))
    return distribution(logits_V, Sample(**({"temperature": 1.0} | options)), banned)


def close(found_V: np.ndarray, expected: list[float]) -> None:
    np.testing.assert_allclose(found_V, expected, rtol=1e-12, atol=0)


def test_without_filters_the_distribution_is_the_softmax() -> None:
    close(filtered([0.5, 0.3, 0.2]), [0.5, 0.3, 0.2])
    close(distribution(np.array([1.0, 2.0, 3.0]), Sample(temperature=1.0), NONE),
          [e / sum(map(math.exp, (1, 2, 3))) for e in map(math.exp, (1, 2, 3))])  # fmt: skip


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(0.5, [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38]), (1.0, [0.5, 0.3, 0.2]), (2.0, None)],
)
def test_temperature_raises_the_probabilities_to_its_inverse(temperature: float, expected: list[float] | None) -> None:
    roots = [math.sqrt(p) for p in (0.5, 0.3, 0.2)]
    close(filtered([0.5, 0.3, 0.2], temperature=temperature), expected or [r / sum(roots) for r in roots])


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, [0, 1, 0, 0]),
        (2, [0, 0.4 / 0.7, 0.3 / 0.7, 0]),
        (4, [0.2, 0.4, 0.3, 0.1]),
        (99, [0.2, 0.4, 0.3, 0.1]),
    ],
)
def test_top_k_keeps_the_k_likeliest(k: int, expected: list[float]) -> None:
    close(filtered([0.2, 0.4, 0.3, 0.1], top_k=k), expected)


def test_among_equals_top_k_keeps_the_first_and_never_more_than_k() -> None:
    close(filtered([0.2, 0.2, 0.2, 0.2, 0.2], top_k=3), [1 / 3, 1 / 3, 1 / 3, 0, 0])
    close(filtered([0.1, 0.2, 0.3, 0.2, 0.2], top_k=2), [0, 0.4, 0.6, 0, 0])


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.39, [0, 1, 0, 0]),
        (0.41, [0, 0.4 / 0.7, 0.3 / 0.7, 0]),
        (0.69, [0, 0.4 / 0.7, 0.3 / 0.7, 0]),
        (0.71, [0.2 / 0.9, 0.4 / 0.9, 0.3 / 0.9, 0]),
        (0.91, [0.2, 0.4, 0.3, 0.1]),
        (1.0, [0.2, 0.4, 0.3, 0.1]),
        (1e-300, [0, 1, 0, 0]),
        (5e-324, [0, 1, 0, 0]),
    ],
)
def test_top_p_keeps_the_fewest_whose_share_reaches_p(p: float, expected: list[float]) -> None:
    close(filtered([0.2, 0.4, 0.3, 0.1], top_p=p), expected)


def test_the_smallest_p_there_is_leaves_one_of_equals() -> None:
    close(filtered([1 / 3] * 3, top_p=5e-324), [1, 0, 0])


def test_a_share_that_reaches_p_exactly_is_enough() -> None:
    # Equal scores have a share of exactly one quarter each.
    close(filtered([0.25] * 4, top_p=0.5), [0.5, 0.5, 0, 0])
    close(filtered([0.25] * 4, top_p=0.5 + 1e-9), [1 / 3, 1 / 3, 1 / 3, 0])


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.0, [0.2, 0.4, 0.3, 0.1]),
        (0.24, [0.2, 0.4, 0.3, 0.1]),
        (0.26, [0.2 / 0.9, 0.4 / 0.9, 0.3 / 0.9, 0]),
        (0.76, [0, 1, 0, 0]),
        (1.0, [0, 1, 0, 0]),
    ],
)
def test_min_p_keeps_what_is_near_enough_to_the_likeliest(p: float, expected: list[float]) -> None:
    close(filtered([0.2, 0.4, 0.3, 0.1], min_p=p), expected)


def test_min_p_of_one_keeps_all_of_the_likeliest() -> None:
    close(filtered([0.25, 0.125, 0.25, 0.125, 0.25], min_p=1.0), [1 / 3, 0, 1 / 3, 0, 1 / 3])


def test_temperature_comes_before_the_others() -> None:
    # Squared and scaled: 0.658, 0.237, 0.105. Unscaled, top-p would keep two, and min-p all three.
    close(filtered([0.5, 0.3, 0.2], temperature=0.5, top_p=0.6), [1, 0, 0])
    close(filtered([0.5, 0.3, 0.2], temperature=0.5, min_p=0.3), [0.25 / 0.34, 0.09 / 0.34, 0])


def test_top_p_counts_shares_of_what_top_k_left() -> None:
    # Of the two that are left the first has 0.4 / 0.7 = 57 %; of all it has 40 %.
    close(filtered([0.4, 0.3, 0.2, 0.1], top_k=2, top_p=0.5), [1, 0, 0, 0])
    close(filtered([0.4, 0.3, 0.2, 0.1], top_p=0.5), [0.4 / 0.7, 0.3 / 0.7, 0, 0])


def test_all_filters_together_keep_what_each_of_them_keeps() -> None:
    probs = [0.30, 0.25, 0.20, 0.15, 0.10]
    close(filtered(probs, top_k=4, top_p=0.8, min_p=0.7), [0.30 / 0.55, 0.25 / 0.55, 0, 0, 0])
    close(filtered(probs, top_k=4, top_p=0.8), [0.30 / 0.75, 0.25 / 0.75, 0.20 / 0.75, 0, 0])
    close(filtered(probs, top_k=4), [0.30 / 0.90, 0.25 / 0.90, 0.20 / 0.90, 0.15 / 0.90, 0])


@pytest.mark.parametrize("options", [{}, {"top_k": 1}, {"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.9}, {"min_p": 0.0}])
def test_banned_symbols_have_no_probability_and_count_in_no_filter(options: dict[str, Any]) -> None:
    banned = np.array([0, 3])
    found_V = filtered([0.6, 0.2, 0.1, 0.05, 0.05], banned, **options)
    assert not found_V[banned].any()
    without_V = filtered([0.2, 0.1, 0.05], **options)
    close(found_V[[1, 2, 4]], without_V.tolist())


def test_the_scores_that_come_in_are_left_alone() -> None:
    for dtype in (np.float32, np.float64):
        logits_V = np.array([1.0, 2.0, 3.0], dtype)
        distribution(logits_V, Sample(top_k=1), START)
        assert logits_V.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("temperature", [1e-300, 1e-5, 0.8, 1e5, 1e300])
@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([9.0, 1e30, -1e30, 0.0], [0, 1, 0, 0]),
        ([0.0, -1e30, -1e30, -1e30], [0, 1 / 3, 1 / 3, 1 / 3]),
        ([1e30, 1e30, 1e30, -1e30], [0, 0.5, 0.5, 0]),
        ([3e38, -3e38, 3e38, -3e38], [0, 0, 1, 0]),
        ([0.0, -np.inf, 5.0, -np.inf], [0, 0, 1, 0]),
    ],
)
def test_scores_of_any_size_are_drawn_from_without_a_warning(
    logits: list[float], expected: list[float], temperature: float
) -> None:
    found_V = distribution(np.array(logits, np.float32), Sample(temperature=temperature), START)
    if temperature <= 1.0 or -np.inf in logits:
        close(found_V, expected)
    assert found_V.sum() == pytest.approx(1.0)
    assert found_V[0] == 0.0


@pytest.mark.parametrize(
    ("points", "length", "expected"),
    [
        ((1.5,), 4, [1.5] * 4),
        ((2.0, 1.0), 5, [2.0, 1.75, 1.5, 1.25, 1.0]),
        ((1.0, 3.0, 2.0), 5, [1.0, 2.0, 3.0, 2.5, 2.0]),
        ((1.0, 3.0, 2.0), 2, [1.0, 2.0]),
        ((1.0, 3.0), 1, [1.0]),
        ((1.0, 0.5, 0.25, 4.0), 4, [1.0, 0.5, 0.25, 4.0]),
    ],
)
def test_a_list_of_temperatures_is_run_through_on_straight_lines(
    points: tuple[float, ...], length: int, expected: list[float]
) -> None:
    options = Sample(temperature=points, length=length)
    assert [temperature(options, drawn) for drawn in range(length)] == pytest.approx(expected, rel=1e-12)
    logits_V = np.log([0.5, 0.3, 0.2])
    for drawn, value in enumerate(expected):
        alone_V = distribution(logits_V, Sample(temperature=value), NONE)
        np.testing.assert_allclose(distribution(logits_V, options, NONE, drawn), alone_V, rtol=1e-12)


def test_the_models_own_probabilities_know_no_temperature() -> None:
    np.testing.assert_allclose(softmax(np.log([0.5, 0.3, 0.2]) + 7), [0.5, 0.3, 0.2], rtol=1e-12)
    assert softmax(np.array([3e38, -3e38], np.float32)).tolist() == [1.0, 0.0]


@given(
    logits_V=arrays_of.arrays(np.float32, st.integers(2, 30), elements=st.floats(-50, 50, width=32)),
    temperature=st.floats(0.05, 5.0),
    top_k=st.none() | st.integers(1, 40),
    top_p=st.none() | st.floats(0.0, 1.0, exclude_min=True),
    min_p=st.none() | st.floats(0.0, 1.0),
)
def test_what_is_left_sums_to_one_and_holds_the_likeliest(
    logits_V: np.ndarray, temperature: float, top_k: int | None, top_p: float | None, min_p: float | None
) -> None:
    options = Sample(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    found_V = distribution(logits_V, options, START)
    assert found_V.dtype == np.float64
    assert found_V.sum() == pytest.approx(1.0, abs=1e-12)
    assert (found_V >= 0).all()
    assert found_V[0] == 0.0
    plain_V = distribution(logits_V, Sample(temperature=temperature), START)
    assert found_V[plain_V.argmax()] == found_V.max() > 0
    # Filters take whole symbols away; among those left nothing changes places.
    kept_V = found_V > 0
    np.testing.assert_allclose(found_V[kept_V], plain_V[kept_V] / plain_V[kept_V].sum(), rtol=1e-9)
    assert kept_V.sum() <= (top_k or 40)


class Fixed(np.random.Generator):
    """A generator that always gives the same number."""

    def __init__(self, number: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.number = number

    def random(self, *args: Any, **kwargs: Any) -> Any:
        return self.number


@pytest.mark.parametrize(
    ("number", "symbol"), [(0.0, 1), (0.124, 1), (0.125, 3), (0.374, 3), (0.375, 4), (0.874, 4), (0.875, 5)]
)
def test_draw_inverts_the_cumulative_distribution(number: float, symbol: int) -> None:
    probs_V = np.array([0.0, 0.125, 0.0, 0.25, 0.5, 0.125, 0.0])
    assert draw(probs_V, Fixed(number)) == symbol


@pytest.mark.parametrize("number", [0.0, 5e-324, 0.5, 1.0 - 2**-53, 1.0])
@pytest.mark.parametrize("zeros", [[0], [9], [0, 9], [0, 1, 2, 7, 8, 9], [4], list(range(9)), list(range(1, 10))])
def test_a_symbol_of_probability_zero_is_never_drawn(zeros: list[int], number: float) -> None:
    for seed in range(20):
        probs_V = np.random.default_rng(seed).random(10)
        probs_V[zeros] = 0.0
        probs_V /= probs_V.sum()
        assert probs_V[draw(probs_V, Fixed(number))] > 0


def test_the_last_symbol_is_reached_though_rounding_leaves_the_sum_below_one() -> None:
    probs_V = np.append(np.full(10, 0.1), 0.0)
    assert np.cumsum(probs_V)[-1] < 1.0
    assert draw(probs_V, Fixed(1.0 - 2**-53)) == 9


def test_draws_follow_the_distribution() -> None:
    probs_V = np.array([0.0, 0.4, 0.05, 0.0, 0.25, 0.2, 0.1])
    random, n = np.random.default_rng(7), 20_000
    counts_V = np.bincount([draw(probs_V, random) for _ in range(n)], minlength=7)
    seen_V = probs_V > 0
    assert not counts_V[~seen_V].any()
    expected_V = n * probs_V[seen_V]
    chi_square = ((counts_V[seen_V] - expected_V) ** 2 / expected_V).sum()
    # Four degrees of freedom: beyond 18.47 in one case of a thousand; a bias of 2 % of a symbol goes far beyond it.
    assert chi_square < 18.47


def test_one_number_is_used_per_symbol() -> None:
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(5):
        draw(np.array([0.5, 0.5]), a)
        b.random()
    assert a.random() == b.random()


@given(
    logits_BV=arrays_of.arrays(
        np.float32,
        st.tuples(st.integers(2, 6), st.integers(2, 200)),
        elements=st.sampled_from([0.0, 1.0, -2.5]) | st.floats(-50, 50, width=32),
    ),
    warmth=st.floats(0.05, 5.0) | st.lists(st.floats(0.05, 5.0), min_size=1, max_size=3),
    filters=st.fixed_dictionaries(
        {}, optional={"top_k": st.integers(1, 40), "top_p": st.floats(1e-6, 1.0), "min_p": st.floats(0.0, 1.0)}
    ),
    number=st.integers(0, 1000),
)
def test_rows_are_bit_for_bit_what_each_is_by_itself(
    logits_BV: np.ndarray, warmth: Any, filters: dict[str, Any], number: int
) -> None:
    options = Sample.model_validate({"temperature": warmth, "length": 30, **filters})
    rows = len(logits_BV)
    random = np.random.default_rng(number)
    banned_BV, uniform_B = random.random(logits_BV.shape) < 0.2, random.random(rows)
    banned_BV[:, -1] = False
    probs_BV = distribution(logits_BV, options, banned_BV, range(number % 7, number % 7 + rows))
    found = inverted_rows(probs_BV, uniform_B)
    for b in range(rows):
        probs_V = distribution(logits_BV[b], options, banned_BV[b], number % 7 + b)
        assert probs_BV[b].tobytes() == probs_V.tobytes()
        assert found[b] == draw(probs_V, Fixed(uniform_B[b]))


def test_rows_of_no_numbers_and_numbers_at_the_very_top_are_drawn_as_each_is_by_itself() -> None:
    probs_BV = np.array([[np.nan] * 4, [0.25, 0.75, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0]])
    for number in (0.0, 0.4, 1.0 - 2**-53, 1.0):
        alone = [draw(probs_V, Fixed(number)) for probs_V in probs_BV]
        assert inverted_rows(probs_BV, np.full(3, number)) == alone
    assert alone == [3, 1, 2]
