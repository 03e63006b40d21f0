"""Batches made on the device of tokens that lie there: number for number those that NumPy makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planlab import CPU, settings_of_lanes, settings_of_windows

from charrnn.stream.gather import TokenBatch, TokenStream, gather
from charrnn.stream.lanes import LanePlan
from charrnn.stream.resident import ResidentTokens, resident
from charrnn.stream.windows import WindowPlan

plans = st.builds(lambda settings: LanePlan(**settings), settings_of_lanes())
windows = st.builds(lambda settings: WindowPlan(**settings), settings_of_windows())


def same(one: TokenBatch, other: TokenBatch) -> None:
    for name in ("x_BT", "y_BT", "mask_BT", "counts_BT"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype
        assert torch.equal(left, right), name
    assert list(one.resets) == list(other.resets)
    for column, rows_B in one.resets.items():
        assert rows_B.dtype == other.resets[column].dtype
        assert torch.equal(rows_B, other.resets[column])
    assert (one.keep, one.rate, one.rows) == (other.keep, other.rate, other.rows)


@given(plans | windows, st.integers(0, 40), st.sampled_from([np.uint8, np.uint16, np.uint32]))
def test_a_batch_is_that_of_numpy(plan: LanePlan | WindowPlan, step: int, dtype: type[Any]) -> None:
    """Lanes and windows, documents, resets, older tokens read again, random lengths, and tails under a mask."""
    tokens = np.random.default_rng(step).integers(0, np.iinfo(dtype).max, plan.tokens, dtype, endpoint=True)
    tokens.flags.writeable = False
    there = ResidentTokens(tokens, plan.documents, CPU)
    same(there.batch(plan.rows(step)), gather(tokens, plan.rows(step), CPU))


def test_a_stream_reads_what_lies_on_the_device_that_it_is_asked_for() -> None:
    plan, tokens = LanePlan(60, 3, 7), np.arange(60, dtype=np.uint8)
    other = ResidentTokens(tokens[::-1].copy(), plan.documents, CPU)
    same(TokenStream(tokens, plan, other).batch(1, CPU), other.batch(plan.rows(1)))
    other.device = torch.device("cuda:0")
    same(TokenStream(tokens, plan, other).batch(1, CPU), gather(tokens, plan.rows(1), CPU))


@pytest.mark.parametrize(("free", "there"), [(4 * (100 + 16), True), (4 * (100 + 16) - 1, False)])
def test_a_split_lies_on_the_device_where_a_quarter_of_the_free_memory_is_enough(free: int, there: bool) -> None:
    found = resident(np.zeros(100, np.uint8), np.array([0, 50]), CPU, lambda device: free)
    assert (found is not None) == there
