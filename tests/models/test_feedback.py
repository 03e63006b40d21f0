"""Scheduled sampling against the original, symbol by symbol, and its schedules against the paper's formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from charrnn.config.schema.model import Network as NetworkConfig
from charrnn.config.schema.train import ExponentialFeedback, LinearFeedback, SigmoidFeedback
from charrnn.models.build import build_model
from charrnn.models.core import Draws
from charrnn.models.feedback import mixed_inputs, share_of_draws
from charrnn.text.vocabulary import Vocabulary

ROWS, STEPS, SYMBOLS = 5, 8, 7


def test_the_schedules_are_the_paper_s() -> None:
    linear = LinearFeedback(kind="linear", to=0.4, over=100)
    assert [share_of_draws(linear, step) for step in (0, 25, 100, 500)] == pytest.approx([0.0, 0.1, 0.4, 0.4])
    exponential = ExponentialFeedback(kind="exponential", k=0.9)
    assert [share_of_draws(exponential, step) for step in (0, 1, 2)] == pytest.approx([0.0, 0.1, 1 - 0.81])
    sigmoid = SigmoidFeedback(kind="sigmoid", k=10.0)
    expected = [1 - 10 / (10 + math.exp(step / 10)) for step in (0, 10, 23, 100)]
    assert [share_of_draws(sigmoid, step) for step in (0, 10, 23, 100)] == pytest.approx(expected)
    assert share_of_draws(sigmoid, 10**9) == 1.0


@pytest.fixture
def scores():  # type: ignore[no-untyped-def]
    config = NetworkConfig.model_validate({"core": {"hidden": 6}, "input": {"size": 5}})
    model = build_model(config, SYMBOLS, 4, torch.float64).eval()
    for parameter in model.parameters():
        parameter.data *= 3  # far from uniform

    def score(x_BT: Tensor) -> Tensor:
        with torch.no_grad():
            return model(x_BT, model.initial_state(len(x_BT)))[0]

    return score


def inputs() -> tuple[Tensor, Tensor]:
    x_BT = torch.randint(1, SYMBOLS, (ROWS, STEPS), generator=torch.Generator().manual_seed(1))
    fixed_BT = torch.zeros(ROWS, STEPS, dtype=torch.bool)
    fixed_BT[:, 0] = True
    fixed_BT[2, 5] = True
    return x_BT, fixed_BT


def test_as_many_passes_as_steps_are_the_original_symbol_by_symbol(scores) -> None:  # type: ignore[no-untyped-def]
    x_BT, fixed_BT = inputs()
    draws = Draws(3, 11, ROWS)
    chosen = draws.uniform_rows("which inputs are drawn", x_BT.double()) < 0.5
    level = draws.uniform_rows("drawn inputs", x_BT.double())
    expected = x_BT.clone()
    for t in range(1, STEPS):
        shares_BV = scores(expected[:, :t])[:, -1].softmax(-1)
        shares_BV[:, Vocabulary.START] = 0.0
        rising_BV = shares_BV.cumsum(-1)
        for b in range(ROWS):
            if chosen[b, t] and not fixed_BT[b, t]:
                level_now = float(level[b, t - 1] * rising_BV[b, -1])
                expected[b, t] = next(v for v in range(SYMBOLS) if float(rising_BV[b, v]) > level_now)
    mixed = mixed_inputs(scores, x_BT, fixed_BT, 0.5, STEPS, draws)
    assert mixed.tolist() == expected.tolist()
    assert mixed.tolist() != x_BT.tolist()
    assert mixed[2, 5] == x_BT[2, 5]


def test_one_pass_draws_from_the_scores_of_the_true_past(scores) -> None:  # type: ignore[no-untyped-def]
    """Over many draws, an input appears as often as the model expects it after the true symbols."""
    x_BT, fixed_BT = inputs()
    counts = torch.zeros(SYMBOLS)
    for step in range(2000):
        mixed = mixed_inputs(scores, x_BT, fixed_BT, 1.0, 1, Draws(1, step, ROWS))
        counts[mixed[1, 4]] += 1
    expected = scores(x_BT)[1, 3].softmax(-1)
    expected[Vocabulary.START] = 0.0
    expected /= expected.sum()
    assert counts[Vocabulary.START] == 0
    torch.testing.assert_close(counts.double() / 2000, expected, atol=0.04, rtol=0)


def test_a_share_of_nothing_and_fixed_inputs_change_nothing(scores) -> None:  # type: ignore[no-untyped-def]
    x_BT, fixed_BT = inputs()
    assert mixed_inputs(scores, x_BT, fixed_BT, 0.0, 2, Draws(1, 1, ROWS)).tolist() == x_BT.tolist()
    everywhere = torch.ones_like(fixed_BT)
    assert mixed_inputs(scores, x_BT, everywhere, 1.0, 2, Draws(1, 1, ROWS)).tolist() == x_BT.tolist()
