"""n-grams on windows are n-grams on each window alone, with the one symbol in front of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.baselines import kneser_ney
from charrnn.baselines.kneser_ney import START, KneserNey
from charrnn.baselines.windows import window_nats
from charrnn.stream.windows import WindowPlan

V, ORDER = 5, 6
TEXT = (np.random.default_rng(0).geometric(0.4, size=700) % (V - 1) + 1).astype(np.uint8)
MODEL = KneserNey.fit(TEXT[:500], V, ORDER)


def by_hand(tokens: np.ndarray, plan: WindowPlan) -> tuple[np.ndarray, int]:
    totals, count = np.zeros(ORDER), 0
    for j in range(plan.windows):
        begin = j * plan.stride
        before = int(tokens[begin - 1]) if begin else START
        nats = MODEL.nats(tokens[begin : begin + plan.length], 1, before)
        nats = nats[:, -1:] if plan.last else nats
        totals += nats.sum(1)
        count += nats.shape[1]
    return totals, count


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 150), st.booleans())
def test_a_prediction_sees_its_window_alone(length: int, stride: int, more: int, last: bool) -> None:
    plan = WindowPlan(length + more, length, min(stride, length), 4, last)
    tokens = TEXT[500 : 500 + plan.tokens]
    totals, count = window_nats(MODEL, tokens, plan.length, plan.stride, plan.windows, last)
    expected, targets = by_hand(tokens, plan)
    assert count == targets
    np.testing.assert_allclose(totals, expected, rtol=1e-12)


def test_blocks_have_no_influence(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = window_nats(MODEL, TEXT[500:], 8, 3, WindowPlan(200, 8, 3, 4).windows, False)
    monkeypatch.setattr(kneser_ney, "BLOCK", 17)
    pieces = window_nats(MODEL, TEXT[500:], 8, 3, WindowPlan(200, 8, 3, 4).windows, False)
    np.testing.assert_allclose(pieces[0], whole[0], rtol=1e-12)
    assert pieces[1] == whole[1]


def test_side_by_side_is_a_lane_for_each_window() -> None:
    tokens = TEXT[500:]
    totals, count = window_nats(MODEL, tokens, 8, 8, 25, False)
    assert count == len(tokens) == 200
    np.testing.assert_allclose(totals, MODEL.total_nats(tokens, 25), rtol=1e-12)


def test_it_can_be_stopped() -> None:
    calls: list[int] = []

    def stop() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        window_nats(MODEL, TEXT, 8, 8, 10, False, stop)
