"""The lane contract, for random texts, lanes, chunks, settings and worlds: sequences are compared, never sets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planlab import CPU, is_a_function_of_the_step, ranks_joined_are_one_process, settings_of_lanes, text

from charrnn.config.schema.stream import RandomLengths
from charrnn.errors import DataError
from charrnn.stream.chance import uniforms
from charrnn.stream.gather import TokenStream
from charrnn.stream.lanes import LanePlan, auto_lanes
from charrnn.text.vocabulary import Vocabulary


@st.composite
def plain_plans(draw: st.DrawFn) -> LanePlan:
    """Fixed chunks, each read once: the default."""
    lanes = draw(st.integers(1, 17))
    return LanePlan(draw(st.integers(lanes, 400)), lanes, draw(st.integers(1, 50)))


plans = st.builds(lambda settings: LanePlan(**settings), settings_of_lanes())


def epoch_of(plan: LanePlan, epoch: int) -> list[Any]:
    stream = TokenStream(text(plan.tokens), plan)
    return [stream.batch(epoch * plan.steps_per_epoch + k, CPU) for k in range(plan.steps_per_epoch)]


@given(plain_plans())
def test_lanes_are_joined_passages_of_nearly_equal_length(plan: LanePlan) -> None:
    lengths = plan.lengths_B.tolist()
    longer = plan.tokens % plan.lanes
    assert lengths == [plan.tokens // plan.lanes + 1] * longer + [plan.tokens // plan.lanes] * (plan.lanes - longer)
    assert plan.starts_B.tolist() == [sum(lengths[:b]) for b in range(plan.lanes)]


@given(plans, st.integers(0, 3))
def test_every_token_is_a_target_exactly_once_per_epoch_and_lanes_are_contiguous(plan: LanePlan, epoch: int) -> None:
    lanes: list[list[int]] = [[] for _ in range(plan.lanes)]
    for batch in epoch_of(plan, epoch):
        for b in range(plan.lanes):
            lanes[b] += batch.y_BT[b][batch.counts_BT[b]].tolist()
    shift = plan.shift(epoch)
    ring = list(range(1, plan.tokens + 1))
    assert [token for lane in lanes for token in lane] == ring[shift:] + ring[:shift]
    assert [len(lane) for lane in lanes] == plan.lengths_B.tolist()


@given(plans, st.integers(0, 2))
def test_a_step_reads_at_least_reach_tokens_back_as_far_as_the_epoch_goes(plan: LanePlan, epoch: int) -> None:
    done = 0
    older = 0 if plan.reach is None else plan.reach - plan.chunk
    for k in range(plan.steps_per_epoch):
        rows = plan.rows(epoch * plan.steps_per_epoch + k)
        assert rows.past == min(older, done)
        done += rows.width - rows.past


@given(plans, st.integers(0, 2))
def test_the_kept_state_is_that_in_front_of_the_next_step(plan: LanePlan, epoch: int) -> None:
    n = plan.steps_per_epoch
    for k in range(n - 1):
        now, after = plan.rows(epoch * n + k), plan.rows(epoch * n + k + 1)
        assert ((now.start_B + now.keep) % plan.tokens).tolist() == after.start_B.tolist()


@given(plans, st.integers(0, 2))
def test_inputs_are_targets_shifted_by_one_and_documents_begin_with_start(plan: LanePlan, epoch: int) -> None:
    for batch in epoch_of(plan, epoch):
        x, y = batch.x_BT[batch.mask_BT].tolist(), batch.y_BT[batch.mask_BT].tolist()
        starts = (plan.documents + 1).tolist()
        assert x == [Vocabulary.START if token in starts else token - 1 for token in y]
        assert Vocabulary.START not in y


@given(plans, st.integers(0, 2))
def test_states_begin_anew_with_epochs_documents_and_by_chance_and_nowhere_else(plan: LanePlan, epoch: int) -> None:
    """Every token has one answer, however often it is read: a step that reads it again meets the same reset."""
    begins: dict[tuple[int, int], bool] = {}
    done = 0
    for k, batch in enumerate(epoch_of(plan, epoch)):
        rows = plan.rows(epoch * plan.steps_per_epoch + k)
        drawn_B = uniforms(plan.lanes, plan.seed, "reset", epoch, k) < plan.reset_chance
        for b in range(plan.lanes):
            for column in range(int(rows.length_B[b])):
                token = int(batch.y_BT[b, column])
                fresh = column >= rows.past
                if fresh:
                    first = column == rows.past and (done == 0 or bool(drawn_B[b]))
                    begins[b, token] = first or token - 1 in plan.documents.tolist()
                reset = column in batch.resets and bool(batch.resets[column][b])
                assert reset == begins[b, token]
            for column, rows_B in batch.resets.items():
                assert column < rows.width
                assert not (rows_B[b] and column >= rows.length_B[b])
        done += rows.width - rows.past


@given(plain_plans(), st.integers(0, 5))
def test_by_default_states_begin_anew_at_the_first_chunk_of_an_epoch_and_at_no_other(
    plan: LanePlan, epoch: int
) -> None:
    for k in range(plan.steps_per_epoch):
        resets = plan.rows(epoch * plan.steps_per_epoch + k).resets
        assert {column: rows_B.tolist() for column, rows_B in resets.items()} == (
            {0: [True] * plan.lanes} if k == 0 else {}
        )


@given(settings_of_lanes(), st.integers(0, 1000))
def test_a_plan_is_a_pure_function_of_the_step(settings: dict[str, Any], step: int) -> None:
    is_a_function_of_the_step(lambda: LanePlan(**settings), step)


@given(plans, st.integers(0, 100), st.integers(1, 8))
def test_the_rows_of_all_ranks_joined_are_the_rows_of_one_process(plan: LanePlan, step: int, world: int) -> None:
    ranks_joined_are_one_process(plan, step, world)


@given(plain_plans())
def test_by_default_batches_have_one_shape(plan: LanePlan) -> None:
    for batch in epoch_of(plan, 0):
        assert tuple(batch.y_BT.shape) == (plan.lanes, plan.chunk)
        assert batch.rate == 1.0


@given(plans)
def test_chunks_are_shuffled_from_epoch_to_epoch_and_the_rate_follows_their_length(plan: LanePlan) -> None:
    epochs = []
    for epoch in range(2):
        rows = [plan.rows(epoch * plan.steps_per_epoch + k) for k in range(plan.steps_per_epoch)]
        widths = [row.width - row.past for row in rows]
        if isinstance(plan.lengths, RandomLengths):
            assert [row.rate for row in rows] == [width / plan.chunk for width in widths]
            assert sum(widths) == -(-plan.tokens // plan.lanes)
        epochs.append(widths)
    assert sorted(epochs[0]) == sorted(epochs[1])


def test_random_lengths_have_the_moments_of_the_paper() -> None:
    """With p = 0.95 about the chunk, else about half of it, and the deviation that was asked for."""
    lengths = RandomLengths(kind="random", halve=0.05, spread=5.0, least=5)
    plan = LanePlan(70 * 40_000, 1, 70, lengths=lengths)
    widths = np.array([plan.rows(step).width for step in range(20_000)])
    short = widths < 52
    assert short.mean() == pytest.approx(0.05, abs=0.006)
    assert widths[~short].mean() == pytest.approx(70, abs=0.2)
    assert widths[short].mean() == pytest.approx(35, abs=0.6)
    assert widths[~short].std() == pytest.approx(math.sqrt(25 + 1 / 12), abs=0.15)
    assert [plan.rows(step).width for step in range(8)] != [
        plan.rows(plan.steps_per_epoch + step).width for step in range(8)
    ]


def test_offsets_are_spread_over_the_text() -> None:
    shifts = np.array([LanePlan(1000, 4, 10, shifted=True, seed=3).shift(epoch) for epoch in range(400)])
    assert len(np.unique(shifts)) > 300
    assert shifts.min() < 50
    assert shifts.max() > 950


def test_the_chance_of_a_reset_is_what_was_asked_for() -> None:
    plan = LanePlan(64 * 100 * 50, 64, 50, reset_chance=0.1)
    drawn = [plan.rows(step).resets.get(0, np.zeros(64)).mean() for step in range(1, 100)]
    assert np.mean(drawn) == pytest.approx(0.1, abs=0.015)


def test_no_lane_skips_text_between_chunks() -> None:
    """The course's lanes jumped 504 characters at every carry: row r of batch k held window 64k + r."""
    stream = TokenStream(text(8 * 64 * 3), LanePlan(8 * 64 * 3, 64, 8))
    first, second = stream.batch(0, CPU), stream.batch(1, CPU)
    assert second.y_BT[:, 0].tolist() == (first.y_BT[:, -1] + 1).tolist()


def test_a_text_shorter_than_the_lanes_is_refused() -> None:
    with pytest.raises(DataError, match="3 tokens for 4 lanes") as error:
        LanePlan(3, 4, 1)
    assert error.value.exit_code == 3


@pytest.mark.parametrize(("tokens", "expected"), [(1, 1), (511, 1), (1024, 2), (16 * 1024, 32), (10**9, 32)])
def test_auto_lanes_leave_each_lane_eight_chunks(tokens: int, expected: int) -> None:
    assert auto_lanes(tokens, 64) == expected
