from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.pseudo.compare import mcnemar, relative_change, spread, wilcoxon


def pair(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    right = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    one, other = zip(*right, strict=True)
    return np.array(one), np.array(other)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (0, 5, 0.0625),  # 2 / 2^5
        (1, 9, 0.021484375),  # 2 (1 + 10) / 2^10
        (6, 6, 1.0),
        (0, 0, 1.0),
        (59, 121, 4.4342e-06),  # exact binomial, as R's binom.test(59, 180) has it
    ],
)
def test_mcnemar_against_known_values(first: int, second: int, p: float) -> None:
    found = mcnemar(*pair(7, first, second, 3))
    assert (found.only_first, found.only_second) == (first, second)
    assert found.p == pytest.approx(p, rel=1e-4)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_sum(first: int, second: int) -> None:
    total = sum(math.comb(first + second, k) for k in range(min(first, second) + 1))
    expected = min(1.0, 2 * total / 2 ** (first + second))
    assert mcnemar(*pair(1, first, second, 1)).p == expected
    assert mcnemar(*pair(1, second, first, 1)).p == expected


def test_many_that_differ_are_no_trouble() -> None:
    found = mcnemar(*pair(10, 4000, 4300, 10))  # the sum against what it comes to for large counts
    assert found.p == pytest.approx(math.erfc((300 - 1) / math.sqrt(8300) / math.sqrt(2)), rel=2e-3)
    assert mcnemar(*pair(1, 0, 3000, 0)).p == 0.0


@pytest.mark.parametrize(
    ("first", "second", "lower", "z", "p"),
    [
        # as SciPy has them (`scipy.stats.wilcoxon`, by approximation and without a correction); the first are Darwin's
        # plants, crossed and self-fertilised, in eighths of an inch
        ([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], [0] * 15, (2, 13), 2.0446626, 0.0408881),
        ([1, 2, 3, 4], [1, 2, 3, 4], (0, 0), 0.0, 1.0),
        ([5, 1, 1, 0], [1, 5, 2, 7], (3, 1), -0.9205746, 0.3572726),  # two ties of 4: ranks 1, 2.5, 2.5, 4
        ([2, 3, 4, 5, 6], [1, 1, 1, 1, 1], (0, 5), 2.0225996, 0.0431144),
    ],
)
def test_wilcoxon_against_known_values(
    first: list[float], second: list[float], lower: tuple[int, int], z: float, p: float
) -> None:
    found = wilcoxon(np.array(first, float), np.array(second, float))
    assert (found.first_lower, found.second_lower) == lower
    assert (found.z, found.p) == (pytest.approx(z, abs=1e-6), pytest.approx(p, abs=1e-6))
    back = wilcoxon(np.array(second, float), np.array(first, float))
    assert (back.z, back.p) == (pytest.approx(-found.z), pytest.approx(found.p))


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=40))
def test_ranks_of_ties_are_shared(gains: list[int]) -> None:
    """Against the definition: the rank of a gain is 1 + how many are smaller + half of how many others are equal."""
    sizes = [abs(gain) for gain in gains if gain]
    ranks = [
        1 + sum(other < size for other in sizes) + (sum(other == size for other in sizes) - 1) / 2 for size in sizes
    ]
    signs = [1 if gain > 0 else -1 for gain in gains if gain]
    # Signs are those of fair coins: the variance of the sum of signed ranks is the sum of their squares.
    deviation = math.sqrt(sum(rank**2 for rank in ranks))
    expected = sum(rank * sign for rank, sign in zip(ranks, signs, strict=True)) / deviation if sizes else 0.0
    assert wilcoxon(np.array(gains, float), np.zeros(len(gains))).z == pytest.approx(expected, abs=1e-12)


def test_chance_alone_is_seldom_called_a_difference() -> None:
    draws = np.random.default_rng(3).normal(size=(400, 2, 50))
    small = sum(wilcoxon(one, other).p < 0.05 for one, other in draws)
    assert 8 <= small <= 34  # 20 are expected


def test_change_and_spread() -> None:
    assert relative_change(0.03, 0.04) == pytest.approx(-0.25)
    assert relative_change(0.03, 0.0) is None
    assert spread([1.0, None, 2.0, 6.0]) == {"mean": 3.0, "deviation": pytest.approx(math.sqrt(7.0)), "of": 3}
    assert spread([0.5]) == {"mean": 0.5, "deviation": None, "of": 1}
    assert spread([None]) == {"mean": None, "deviation": None, "of": 0}
