"""The window contract, for random texts, lengths, strides, batches and worlds: sequences are compared, never sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planlab import CPU, is_a_function_of_the_step, ranks_joined_are_one_process, settings_of_windows, text

from charrnn.config.schema.stream import Windows
from charrnn.errors import DataError
from charrnn.stream.chance import shuffled
from charrnn.stream.gather import TokenBatch, TokenStream
from charrnn.stream.windows import WindowPlan, window_plan
from charrnn.text.vocabulary import Vocabulary

plans = st.builds(lambda settings: WindowPlan(**settings), settings_of_windows())
epochs = st.integers(0, 3)


def epoch_of(plan: WindowPlan, epoch: int) -> list[TokenBatch]:
    stream = TokenStream(text(plan.tokens), plan)
    return [stream.batch(epoch * plan.steps_per_epoch + k, CPU) for k in range(plan.steps_per_epoch)]


def windows_by_hand(plan: WindowPlan) -> list[list[int]]:
    """The targets of every window, in the order of the text."""
    whole = [
        list(range(begin, begin + plan.length))
        for begin in range(0, plan.tokens, plan.stride)
        if begin + plan.length <= plan.tokens
    ]
    rest = list(range(len(whole) * plan.stride, plan.tokens))
    return whole if plan.last or whole[-1][-1] == plan.tokens - 1 else [*whole, rest]


def windows_read(batches: list[TokenBatch]) -> list[list[int]]:
    """The places of the targets of every row that is not empty, whether they count or not."""
    rows = [row[mask].tolist() for batch in batches for row, mask in zip(batch.y_BT, batch.mask_BT, strict=True)]
    return [[token - 1 for token in row] for row in rows if row]


@given(plans, epochs)
def test_every_window_is_read_once_per_epoch(plan: WindowPlan, epoch: int) -> None:
    read = windows_read(epoch_of(plan, epoch))
    assert len(read) == plan.windows
    assert (sorted(read) if plan.shuffle else read) == windows_by_hand(plan)


@given(plans, epochs)
def test_what_counts_is_every_target_or_the_last_of_a_whole_window(plan: WindowPlan, epoch: int) -> None:
    for batch in epoch_of(plan, epoch):
        if not plan.last:
            assert torch.equal(batch.counts_BT, batch.mask_BT)
            continue
        assert not batch.counts_BT[:, :-1].any()
        assert torch.equal(batch.counts_BT[:, -1], batch.mask_BT.any(1))
        assert torch.equal(batch.mask_BT.all(1), batch.mask_BT.any(1))


@given(plans, epochs)
def test_side_by_side_every_token_is_a_target_exactly_once(plan: WindowPlan, epoch: int) -> None:
    plan = WindowPlan(plan.tokens, plan.length, plan.length, plan.batch, shuffle=plan.shuffle, seed=plan.seed)
    targets = [t for batch in epoch_of(plan, epoch) for t in batch.y_BT[batch.counts_BT].tolist()]
    assert sorted(targets) == text(plan.tokens).tolist()


@given(st.integers(1, 60), st.integers(1, 9))
def test_one_apart_every_token_that_a_window_can_end_with_is_a_last_target_once(tokens: int, length: int) -> None:
    plan = WindowPlan(max(tokens, length), length, 1, 4, last=True)
    targets = [t for batch in epoch_of(plan, 0) for t in batch.y_BT[batch.counts_BT].tolist()]
    assert targets == text(plan.tokens)[length - 1 :].tolist()


@given(plans, epochs)
def test_inputs_are_targets_shifted_by_one_and_documents_begin_with_start(plan: WindowPlan, epoch: int) -> None:
    starts = (plan.documents + 1).tolist()
    for batch in epoch_of(plan, epoch):
        x, y = batch.x_BT[batch.mask_BT].tolist(), batch.y_BT[batch.mask_BT].tolist()
        assert x == [Vocabulary.START if token in starts else token - 1 for token in y]


@given(plans, epochs)
def test_states_begin_anew_with_every_window_and_with_documents_and_nowhere_else(plan: WindowPlan, epoch: int) -> None:
    for batch in epoch_of(plan, epoch):
        assert batch.resets[0].tolist() == [True] * plan.batch
        assert batch.keep == plan.length
        for column in range(1, plan.length):
            anew_B = batch.resets.get(column, torch.zeros(plan.batch, dtype=torch.bool))
            document_B = torch.isin(batch.y_BT[:, column] - 1, torch.from_numpy(plan.documents))
            assert torch.equal(anew_B, document_B & batch.mask_BT[:, column])


@given(plans, epochs)
def test_batches_have_one_shape_and_only_the_last_has_empty_rows(plan: WindowPlan, epoch: int) -> None:
    batches = epoch_of(plan, epoch)
    assert [tuple(batch.y_BT.shape) for batch in batches] == [(plan.batch, plan.length)] * len(batches)
    assert {batch.rate for batch in batches} == {1.0}
    filled = [batch.mask_BT.any(1).tolist() for batch in batches]
    left = plan.windows - plan.batch * (len(batches) - 1)
    assert filled == [[True] * plan.batch] * (len(batches) - 1) + [[True] * left + [False] * (plan.batch - left)]


@given(settings_of_windows(), st.integers(0, 1000))
def test_a_plan_is_a_pure_function_of_the_step(settings: dict[str, Any], step: int) -> None:
    is_a_function_of_the_step(lambda: WindowPlan(**settings), step)


@given(plans, st.integers(0, 100), st.integers(1, 8))
def test_the_rows_of_all_ranks_joined_are_the_rows_of_one_process(plan: WindowPlan, step: int, world: int) -> None:
    ranks_joined_are_one_process(plan, step, world)


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        return windows_read(epoch_of(WindowPlan(400, 4, 4, 8, shuffle=True, seed=seed), epoch))

    orders = [order(seed, epoch) for seed in (1, 2) for epoch in (0, 1)]
    assert all(one != other for i, one in enumerate(orders) for other in orders[:i])
    assert order(1, 1) == orders[1]


def test_a_text_shorter_than_a_window_trains_nothing_and_is_evaluated_as_one_short_window() -> None:
    settings = Windows(kind="windows", length=8, stride=3, targets="last")
    with pytest.raises(DataError, match="7 tokens for windows of 8") as error:
        window_plan(settings, 7, np.zeros(1, np.int64), 1, training=True)
    assert error.value.exit_code == 3
    plan = window_plan(settings, 7, np.zeros(1, np.int64), 1, training=False)
    (batch,) = epoch_of(plan, 0)
    assert batch.y_BT[batch.counts_BT].tolist() == [7]
    assert batch.mask_BT.sum() == 7


def test_evaluation_reads_in_order() -> None:
    settings = Windows(kind="windows", length=4)
    assert window_plan(settings, 90, np.zeros(1, np.int64), 1, training=True).shuffle
    assert not window_plan(settings, 90, np.zeros(1, np.int64), 1, training=False).shuffle


@given(st.integers(1, 300), st.integers(0, 5), st.integers(0, 5))
def test_shuffling_moves_every_number_to_one_place(count: int, seed: int, epoch: int) -> None:
    places = np.arange(count)
    whole = shuffled(places, count, seed, "order", epoch)
    assert sorted(whole.tolist()) == places.tolist()
    some = places[:: max(1, count // 7)][::-1]
    assert shuffled(some, count, seed, "order", epoch).tolist() == whole[some].tolist()


@pytest.mark.parametrize("count", [2, 3, 5, 17, 64, 1000])
def test_every_number_comes_to_every_place_about_equally_often(count: int) -> None:
    """Chi squared, summed over the first places: as far from its mean as ten standard deviations at most."""
    draws, first = 1500, min(count, 16)
    found = np.array([shuffled(np.arange(first), count, 1, epoch) for epoch in range(draws)])
    cells = min(count, 16)
    seen = np.stack([np.bincount(found[:, place] * cells // count, minlength=cells) for place in range(first)])
    share = np.bincount(np.arange(count) * cells // count, minlength=cells) / count
    chi = ((seen - draws * share) ** 2 / (draws * share)).sum()
    freedom = first * (cells - 1)
    assert abs(chi - freedom) < 10 * np.sqrt(2 * freedom)


def test_neighbours_are_separated() -> None:
    """What follows in the text is nowhere near: the distances are those of chance, a third of the whole on average."""
    order = shuffled(np.arange(100_000), 100_000, 1, "x")
    assert np.abs(np.diff(order)).mean() == pytest.approx(100_000 / 3, rel=0.02)
    assert np.corrcoef(order, np.arange(100_000))[0, 1] == pytest.approx(0.0, abs=0.02)
