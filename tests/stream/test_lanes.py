"""The lane contract, for random texts, lanes, chunks and worlds: sequences are compared, never sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.stream.gather import LaneStream, gather
from charrnn.stream.lanes import LanePlan, auto_lanes
from charrnn.text.vocabulary import Vocabulary

CPU = torch.device("cpu")


@st.composite
def plans(draw: st.DrawFn) -> LanePlan:
    lanes = draw(st.integers(1, 17))
    tokens = draw(st.integers(lanes, 400))
    return LanePlan(tokens, lanes, draw(st.integers(1, 50)))


def text(tokens: int) -> np.ndarray:
    """Token i is i + 1, so every token says where it stands and none is `<start>`."""
    return np.arange(1, tokens + 1, dtype=np.uint16)


@given(plans())
def test_lanes_are_joined_passages_of_nearly_equal_length(plan: LanePlan) -> None:
    lengths = plan.lengths_B.tolist()
    longer = plan.tokens % plan.lanes
    assert lengths == [plan.tokens // plan.lanes + 1] * longer + [plan.tokens // plan.lanes] * (plan.lanes - longer)
    assert plan.starts_B.tolist() == [sum(lengths[:b]) for b in range(plan.lanes)]


@given(plans(), st.integers(0, 3))
def test_every_token_is_a_target_exactly_once_per_epoch_and_lanes_are_contiguous(plan: LanePlan, epoch: int) -> None:
    stream = LaneStream(text(plan.tokens), plan)
    lanes: list[list[int]] = [[] for _ in range(plan.lanes)]
    for k in range(stream.steps_per_epoch):
        batch = stream.batch(epoch * stream.steps_per_epoch + k, CPU)
        for b in range(plan.lanes):
            lanes[b] += batch.y_BT[b][batch.mask_BT[b]].tolist()
    joined = [token for lane in lanes for token in lane]
    assert joined == list(range(1, plan.tokens + 1))
    assert [len(lane) for lane in lanes] == plan.lengths_B.tolist()


@given(plans())
def test_inputs_are_targets_shifted_by_one_across_chunks_and_lane_joints(plan: LanePlan) -> None:
    stream = LaneStream(text(plan.tokens), plan)
    for step in range(stream.steps_per_epoch):
        batch = stream.batch(step, CPU)
        x, y = batch.x_BT[batch.mask_BT].tolist(), batch.y_BT[batch.mask_BT].tolist()
        assert x == [token - 1 for token in y]
        assert Vocabulary.START not in y


@given(plans(), st.integers(0, 5))
def test_state_is_reset_at_the_first_chunk_of_an_epoch_and_at_no_other(plan: LanePlan, epoch: int) -> None:
    for k in range(plan.steps_per_epoch):
        reset_B = plan.rows(epoch * plan.steps_per_epoch + k).reset_B
        assert reset_B.tolist() == [k == 0] * plan.lanes


@given(plans(), st.integers(0, 1000))
def test_a_plan_is_a_pure_function_of_the_step(plan: LanePlan, step: int) -> None:
    a, b = plan.rows(step), LanePlan(plan.tokens, plan.lanes, plan.chunk).rows(step)
    for mine, theirs in ((a.start_B, b.start_B), (a.length_B, b.length_B), (a.reset_B, b.reset_B)):
        assert mine.tolist() == theirs.tolist()


@given(plans(), st.integers(0, 100), st.integers(1, 8))
def test_the_rows_of_all_ranks_joined_are_the_rows_of_one_process(plan: LanePlan, step: int, world: int) -> None:
    tokens = text(plan.tokens)
    whole = gather(tokens, plan.rows(step), CPU)
    parts = [gather(tokens, plan.rows(step).rank(rank, world), CPU) for rank in range(world)]
    for name in ("x_BT", "y_BT", "mask_BT", "reset_B"):
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(joined, getattr(whole, name))


@given(plans())
def test_batches_have_one_shape(plan: LanePlan) -> None:
    stream = LaneStream(text(plan.tokens), plan)
    shapes = {tuple(stream.batch(step, CPU).y_BT.shape) for step in range(stream.steps_per_epoch)}
    assert shapes == {(plan.lanes, plan.chunk)}


def test_no_lane_skips_text_between_chunks() -> None:
    """The course's lanes jumped 504 characters at every carry: row r of batch k held window 64k + r."""
    stream = LaneStream(text(8 * 64 * 3), LanePlan(8 * 64 * 3, 64, 8))
    first, second = stream.batch(0, CPU), stream.batch(1, CPU)
    assert second.y_BT[:, 0].tolist() == (first.y_BT[:, -1] + 1).tolist()


def test_a_text_shorter_than_the_lanes_is_refused() -> None:
    with pytest.raises(DataError, match="3 tokens for 4 lanes") as error:
        LanePlan(3, 4, 1)
    assert error.value.exit_code == 3


@pytest.mark.parametrize(("tokens", "expected"), [(1, 1), (511, 1), (1024, 2), (16 * 1024, 32), (10**9, 32)])
def test_auto_lanes_leave_each_lane_eight_chunks(tokens: int, expected: int) -> None:
    assert auto_lanes(tokens, 64) == expected
