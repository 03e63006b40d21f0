"""The temperature against a search that tries them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.pseudo.calibrate import HIGHEST, LOWEST, fit_temperature, softmax


def nats(scores: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    shares = softmax(scores, temperature)
    return float(-np.log(shares[np.arange(len(labels)), labels]).mean())


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.3, 4.0))
def test_no_temperature_of_a_fine_grid_fits_better(seed: int, sharpness: float) -> None:
    chance = np.random.default_rng(seed)
    scores = chance.normal(size=(60, 4)) * 2.0
    labels = np.array([chance.choice(4, p=row) for row in softmax(scores, 1.0)])
    found = fit_temperature(scores * sharpness, labels)
    grid = np.exp(np.linspace(np.log(LOWEST), np.log(HIGHEST), 501))
    best = min(grid, key=lambda t: nats(scores * sharpness, labels, t))
    assert nats(scores * sharpness, labels, found.value) <= nats(scores * sharpness, labels, best)
    assert found.value == pytest.approx(best, rel=0.013)  # a step of the grid


def test_scores_that_are_too_sure_by_a_factor_get_that_factor() -> None:
    chance = np.random.default_rng(1)
    scores = chance.normal(size=(40_000, 3))
    labels = np.array([chance.choice(3, p=row) for row in softmax(scores, 1.0)])
    assert fit_temperature(3.0 * scores, labels).value == pytest.approx(3.0, rel=0.03)


def test_where_all_are_right_there_is_nothing_to_fit() -> None:
    scores = np.eye(3) * 2.0
    found = fit_temperature(scores, np.arange(3))
    assert found.value == 1.0
    assert "nothing to fit" in found.how


def test_scores_that_say_nothing_end_at_the_bound() -> None:
    wrong = fit_temperature(np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([1, 0]))
    assert (wrong.value, wrong.how) == (HIGHEST, "the highest that is allowed")
    scores = np.array([[1.0, 0.0]] * 400 + [[0.0, 1e-6]])
    right = fit_temperature(scores, np.zeros(401, np.int64))
    assert (right.value, right.how) == (LOWEST, "the lowest that is allowed")


def test_probabilities_of_large_scores_are_finite() -> None:
    shares = softmax(np.array([[1e4, 0.0, -1e4]]), 0.05)
    assert shares.tolist() == [[1.0, 0.0, 0.0]]
