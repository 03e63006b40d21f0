"""Items in batches: every source keeps its share, its own order and its own passes, all functions of the step."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.stream.items import ItemStream, MixPlan, OncePlan, Part

PARTS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 9)), min_size=1, max_size=4)


def plan_of(parts: list[tuple[int, int]], seed: int = 1) -> MixPlan:
    return MixPlan(tuple(Part(f"part {i}", items, rows) for i, (items, rows) in enumerate(parts)), seed)


@given(parts=PARTS, seed=st.integers(0, 3))
def test_each_pass_of_each_source_reads_every_item_once(parts: list[tuple[int, int]], seed: int) -> None:
    plan = plan_of(parts, seed)
    steps = max(-(-2 * items // rows) for items, rows in parts)
    batches = [plan.numbers(step) for step in range(steps)]
    for number, (items, rows) in enumerate(parts):
        assert all(len(batch[number]) == rows for batch in batches)
        read = np.concatenate([batch[number] for batch in batches]).tolist()
        for begin in (0, items):
            assert sorted(read[begin : begin + items]) == list(range(items))


@given(parts=PARTS, step=st.integers(0, 10**6))
def test_a_source_does_not_see_the_others(parts: list[tuple[int, int]], step: int) -> None:
    together = plan_of(parts).numbers(step)
    for number, (items, rows) in enumerate(parts):
        alone = MixPlan((Part(f"part {number}", items, rows),), 1).numbers(step)
        assert together[number].tolist() == alone[0].tolist()


def test_passes_orders_and_seeds_differ() -> None:
    plan = MixPlan((Part("a", 50, 50), Part("b", 50, 50)), seed=1)
    first, second = plan.numbers(0), plan.numbers(1)
    other = MixPlan(plan.parts, seed=2).numbers(0)
    orders = {tuple(order.tolist()) for order in (*first, *second, *other)}
    assert len(orders) == 6
    assert plan.numbers(0)[0].tolist() == first[0].tolist()


def test_an_order_is_fair() -> None:
    """Where an item comes to lie in a pass is any place, about equally often."""
    plan = MixPlan((Part("a", 7, 7),), seed=3)
    places = Counter(plan.numbers(step)[0].tolist().index(0) for step in range(1400))
    assert sorted(places) == list(range(7))
    assert max(places.values()) < 270  # 200 expected, 5 standard deviations


def test_an_epoch_is_a_pass_over_the_first_source() -> None:
    assert plan_of([(10, 4), (100, 1)]).steps_per_epoch == 3
    assert plan_of([(10, 4), (100, 1)]).rows == 5


def test_rows_have_the_weights_of_their_source() -> None:
    plan = MixPlan((Part("a", 9, 2), Part("b", 9, 3, 0.5)), 1)
    assert plan.weight_B(0).tolist() == [1.0, 1.0, 0.5, 0.5, 0.5]


def test_a_weight_may_rise_over_epochs_of_the_first_source() -> None:
    plan = MixPlan((Part("a", 8, 2), Part("b", 3, 1, 0.5, ramp=2.0), Part("c", 3, 1, 0.5, ramp=0.25)), 1)
    found = [plan.weight_B(step).tolist() for step in (0, 1, 4, 8, 9)]
    assert found == [
        [1.0, 1.0, 0.0, 0.0],
        [1.0, 1.0, 0.0625, 0.5],
        [1.0, 1.0, 0.25, 0.5],
        [1.0, 1.0, 0.5, 0.5],
        [1.0, 1.0, 0.5, 0.5],
    ]


def test_a_source_without_items_is_an_error() -> None:
    with pytest.raises(DataError, match="pseudo"):
        Part("pseudo", 0, 4)


@given(items=st.integers(1, 50), rows=st.integers(1, 20))
def test_evaluation_reads_every_item_once_in_order(items: int, rows: int) -> None:
    plan = OncePlan(items, rows)
    read = np.concatenate([plan.numbers(step)[0] for step in range(plan.steps_per_epoch)])
    assert read.tolist() == list(range(items))


def test_a_stream_hands_out_what_its_plan_says() -> None:
    asked: list[tuple[list[list[int]], list[float]]] = []

    def fill(numbers: list[np.ndarray], weight_B: np.ndarray, device: torch.device, own: slice | None) -> str:
        asked.append(([chosen.tolist() for chosen in numbers], weight_B.tolist()))
        return "batch"

    plan = MixPlan((Part("a", 5, 2), Part("b", 3, 1, 0.25)), 1)
    stream = ItemStream(plan, fill)
    assert stream.batch(4, torch.device("cpu")) == "batch"
    assert asked == [([chosen.tolist() for chosen in plan.numbers(4)], [1.0, 1.0, 0.25])]
    assert (stream.rows, stream.steps_per_epoch, stream.reading) == (3, 3, {"items": 5})
    once = ItemStream(OncePlan(5, 2), fill)
    once.batch(2, torch.device("cpu"))
    assert asked[1] == ([[4]], [1.0])
    assert once.reading == {"items": 5}
    assert ItemStream(plan, fill, unit="ratings").reading == {"ratings": 5}
