"""The figures of a classifier, held against counting by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charrnn.contracts import Loss
from charrnn.stream.sequences import SequenceBatch
from charrnn.tasks.confusion import Confusion


def told(probabilities: list[list[float]], labels: list[int], cut: int | None = None) -> dict[str, object]:
    """The figures after these rows, in one batch or in two."""
    meter = Confusion(len(probabilities[0]))
    for rows in (slice(0, cut), slice(cut, None)) if cut else (slice(None),):
        y_B = torch.tensor(labels[rows])
        ones = torch.ones(len(y_B))
        batch = SequenceBatch(ones, ones, y_B, None, ones, {})
        scores_BC = torch.tensor(probabilities[rows], dtype=torch.float64).log()
        meter.add(batch, Loss(ones, ones.sum(), {}, {}, scores_BC))
    return meter.figures()


def test_four_items_by_hand() -> None:
    figures = told([[0.9, 0.05, 0.05], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.05, 0.9, 0.05]], [0, 1, 1, 1])
    assert figures["confusion"] == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]
    assert figures["accuracy"] == 0.75
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)  # the third label neither occurs nor is said
    gaps = [abs(1.0 + 1.0 - 1.8), abs(0.0 - 0.6), abs(1.0 - 0.7)]
    assert figures["calibration_error"] == pytest.approx(sum(gaps) / 4)


def test_bins_tell_how_many_how_confident_and_how_often_right() -> None:
    figures = told([[0.9, 0.1], [0.92, 0.08], [0.6, 0.4], [1.0, 0.0]], [0, 1, 0, 0])
    expected = [
        {"items": 1, "confidence": 0.6, "accuracy": 1.0},
        {"items": 2, "confidence": 0.91, "accuracy": 0.5},
        {"items": 1, "confidence": 1.0, "accuracy": 1.0},
    ]
    assert figures["calibration"] == [pytest.approx(row) for row in expected], "a fifteenth each, empty ones left out"


def test_a_bin_that_is_never_right_is_told_too() -> None:
    assert told([[0.9, 0.1]], [1])["calibration"] == [pytest.approx({"items": 1, "confidence": 0.9, "accuracy": 0.0})]


@st.composite
def answers(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """How many labels there are, and for each item which one it has and which one is said."""
    classes = draw(st.integers(2, 5))
    label = st.integers(0, classes - 1)
    return classes, draw(st.lists(st.tuples(label, label), min_size=2, max_size=30))


@given(answers())
def test_accuracy_and_f1_are_those_of_the_definition(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    classes, rows = drawn
    probabilities = [np.full(classes, 0.1 / classes) for _ in rows]
    for row, (_, said) in zip(probabilities, rows, strict=True):
        row[said] += 0.9
    figures = told([row.tolist() for row in probabilities], [true for true, _ in rows], cut=1)
    assert figures["accuracy"] == pytest.approx(sum(true == said for true, said in rows) / len(rows))
    scores = []
    for label in range(classes):
        there, named = sum(true == label for true, _ in rows), sum(said == label for _, said in rows)
        right = sum(true == said == label for true, said in rows)
        if there or named:
            precision, recall = (right / named if named else 0.0), (right / there if there else 0.0)
            scores.append(2 * precision * recall / (precision + recall) if right else 0.0)
    assert figures["macro_f1"] == pytest.approx(math.fsum(scores) / len(scores))
