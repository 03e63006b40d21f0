from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.pseudo.compare import mcnemar, relative_change, spread


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


def test_change_and_spread() -> None:
    assert relative_change(0.03, 0.04) == pytest.approx(-0.25)
    assert relative_change(0.03, 0.0) is None
    assert spread([1.0, None, 2.0, 6.0]) == {"mean": 3.0, "deviation": pytest.approx(math.sqrt(7.0)), "of": 3}
    assert spread([0.5]) == {"mean": 0.5, "deviation": None, "of": 1}
    assert spread([None]) == {"mean": None, "deviation": None, "of": 0}
