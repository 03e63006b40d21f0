"""Which items are taken: each rule against a plain one, item by item and in order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema.pseudo import (
    AgreementSelect,
    AllSelect,
    ConfidenceSelect,
    MarginSelect,
    TopShareSelect,
)
from charrnn.pseudo.candidates import UNKNOWN
from charrnn.pseudo.rightness import rightness
from charrnn.pseudo.select import Called, balanced, passing

COUNTS = st.lists(st.integers(1, 6), min_size=3, max_size=3)
ROWS = st.lists(COUNTS, min_size=1, max_size=30)


def called(rows: list[list[int]], *others: list[list[int]]) -> Called:
    """From whole numbers, so that equal confidences occur."""
    counts = np.array([rows, *others], np.float64)
    return Called.of(counts / counts.sum(-1, keepdims=True))


def sorted_probabilities(one: Called) -> list[list[float]]:
    return [sorted(row, reverse=True) for row in one.p_NC.tolist()]


def taken(mask: Any) -> list[int]:
    return [int(i) for i in np.flatnonzero(mask)]


@given(ROWS, st.sampled_from([0.0, 0.3, 0.4, 0.5, 0.75]))
def test_confidence_and_margin_take_what_is_above(rows: list[list[int]], above: float) -> None:
    one = called(rows)
    ranked = sorted_probabilities(one)
    confident = passing(ConfidenceSelect(above=above), one)
    assert taken(confident) == [i for i, row in enumerate(ranked) if row[0] > above]
    margin = passing(MarginSelect(kind="margin", above=above), one)
    assert taken(margin) == [i for i, row in enumerate(ranked) if row[0] - row[1] > above]
    assert taken(passing(AllSelect(kind="all"), one)) == list(range(len(rows)))


def test_exactly_the_threshold_is_not_above_it() -> None:
    one = called([[2, 1, 1], [6, 1, 1]])
    assert taken(passing(ConfidenceSelect(above=0.5), one)) == [1]
    assert taken(passing(MarginSelect(kind="margin", above=0.25), one)) == [1]


def plainly_surest(one: Called, among: list[int], wanted: list[int]) -> list[int]:
    """By sorting, label by label."""
    found: list[int] = []
    for label, count in enumerate(wanted):
        own = [i for i in among if one.label_N[i] == label]
        found += sorted(own, key=lambda i: (-one.confidence_N[i], i))[:count]
    return sorted(found)


@given(ROWS, st.sampled_from([0.1, 0.2, 0.5, 1.0]))
def test_the_top_share_is_that_of_every_called_label(rows: list[list[int]], share: float) -> None:
    one = called(rows)
    numbers = [round(share * 10) * int((one.label_N == label).sum()) for label in range(3)]
    wanted = [-(-tenths // 10) for tenths in numbers]
    got = passing(TopShareSelect(kind="top-share", share=share), one)
    assert taken(got) == plainly_surest(one, list(range(len(rows))), wanted)


def test_a_share_that_is_whole_but_for_rounding_is_that_many() -> None:
    one = called([[2, 1, 1]] * 100)
    assert taken(passing(TopShareSelect(kind="top-share", share=0.07), one)) == list(range(7))


@given(ROWS, st.data())
def test_agreement_takes_what_all_call_alike(rows: list[list[int]], data: st.DataObject) -> None:
    others = [data.draw(st.lists(COUNTS, min_size=len(rows), max_size=len(rows))) for _ in range(2)]
    one = called(rows, *others)
    expected = []
    for i in range(len(rows)):
        shares = [[value / sum(counts[i]) for value in counts[i]] for counts in (rows, *others)]
        means = [math.fsum(column) / 3 for column in zip(*shares, strict=True)]
        label = int(one.label_N[i])
        alike = all(share.index(max(share)) == label for share in shares)
        expected += [i] if alike and means[label] > 0.45 else []
    assert taken(passing(AgreementSelect(kind="agreement", above=0.45), one)) == expected


def test_one_teacher_who_says_otherwise_is_enough_to_refuse() -> None:
    one = called([[8, 1, 1], [8, 1, 1]], [[8, 1, 1], [8, 1, 1]], [[8, 1, 1], [1, 2, 1]])
    assert one.label_N.tolist() == [0, 0]
    assert taken(passing(AgreementSelect(kind="agreement"), one)) == [0]


@given(ROWS, st.sampled_from([None, 1, 3, 7, 40]), st.lists(st.booleans(), min_size=30, max_size=30))
def test_a_cap_alone_takes_the_surest(rows: list[list[int]], cap: int | None, passes: list[bool]) -> None:
    one, passed = called(rows), np.array(passes[: len(rows)])
    order = sorted(taken(passed), key=lambda i: (-one.confidence_N[i], i))
    kept = balanced("none", cap, one.label_N, one.confidence_N, passed, np.array([1, 1, 1]))
    assert taken(kept) == sorted(order if cap is None else order[:cap])


@given(ROWS, st.sampled_from([None, 2, 5, 9]), st.sampled_from(["equal", "labelled"]))
def test_balance_keeps_the_largest_counts_in_proportion(rows: list[list[int]], cap: int | None, balance: str) -> None:
    one, passed = called(rows), np.ones(len(rows), bool)
    labelled = np.array([4, 2, 1])
    parts = [1, 1, 1] if balance == "equal" else labelled.tolist()
    there = [int((one.label_N == label).sum()) for label in range(3)]
    present = [label for label in range(3) if there[label]]

    # All counts that a common scale gives: the largest one under which every label has enough, and the cap holds.
    ends = [there[label] / parts[label] for label in present]
    ends += [cap / sum(parts[label] for label in present)] if cap is not None else []
    wanted = [int(parts[label] * min(ends) + 1e-9) if label in present else 0 for label in range(3)]

    kept = taken(balanced(balance, cap, one.label_N, one.confidence_N, passed, labelled))
    assert kept == plainly_surest(one, list(range(len(rows))), wanted)
    assert cap is None or len(kept) <= cap


def test_a_label_that_nothing_is_called_does_not_empty_the_others() -> None:
    one = called([[4, 1, 1], [5, 1, 1], [1, 4, 1], [1, 1, 1]])
    passed = np.array([True, True, True, False])
    kept = balanced("equal", None, one.label_N, one.confidence_N, passed, np.array([1, 1, 1]))
    assert taken(kept) == [1, 2]


def test_how_right_they_are_by_confidence() -> None:
    one = called([[8, 1, 1], [9, 1, 0], [1, 1, 2], [1, 8, 1]])
    kept = np.array([True, True, False, True])
    told = rightness(one, kept, np.array([0, 1, 2, UNKNOWN], np.int32))
    assert told["all"] == {"items": 3, "right": 2}
    assert told["kept"] == {"items": 2, "right": 1}
    assert told["by_confidence"] == [
        {"above": 0.0, "to": 0.5, "all": {"items": 1, "right": 1}, "kept": {"items": 0, "right": 0}},
        {"above": 0.7, "to": 0.8, "all": {"items": 1, "right": 1}, "kept": {"items": 1, "right": 1}},
        {"above": 0.8, "to": 0.9, "all": {"items": 1, "right": 0}, "kept": {"items": 1, "right": 0}},
    ]
