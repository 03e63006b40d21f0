"""Which part a row belongs to: a function of seed and content, exact in sizes, balanced in labels."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema.labelled import Table
from charrnn.corpus.allot import PARTS, Allotment, allot, choose, quotas
from charrnn.corpus.item_lines import Row
from charrnn.corpus.item_rows import OWN, TEST, UNLABELLED, Collector, Rows, distinct
from charrnn.errors import DataError

Given = list[tuple[str, str]]  # text and label
pairs = st.lists(st.tuples(st.text("abc", min_size=1, max_size=4), st.sampled_from("xyz")), min_size=1, max_size=60)
seeds = st.integers(0, 5)


def collected(own: Given, *, test: Given = [], more: list[str] = [], seed: int = 1) -> Rows:  # noqa: B006
    collector = Collector(io.BytesIO(), seed)
    collector.add((Row(text.encode(), label, i) for i, (text, label) in enumerate(own, 1)), 0, OWN)
    collector.add((Row(text.encode(), label, i) for i, (text, label) in enumerate(test, 1)), 1, TEST)
    collector.add((Row(text.encode(), None, i) for i, text in enumerate(more, 1)), 2, UNLABELLED)
    return collector.rows()


def allotted(own: Given, *, test: Given = [], more: list[str] = [], **keys: Any) -> Allotment:  # noqa: B006
    settings = Table.model_validate({"source": "x", **({"test_source": "t"} if test else {}), **keys})
    return allot(collected(own, test=test, more=more, seed=settings.seed), settings)


def names(found: Allotment) -> list[str]:
    return [PARTS[part] for part in found.parts_N.tolist()]


def some(count: int) -> Given:
    return [(f"item {i}", "xyz"[i % 3]) for i in range(count)]


@given(pairs, pairs, seeds, st.randoms(use_true_random=False))
def test_the_split_of_an_item_depends_on_nothing_but_seed_and_content(
    rows: Given, others: Given, seed: int, random: Any
) -> None:
    split = [0.4, 0.3, 0.3]
    rows = [*rows, *some(30)]  # so that some are for training
    first = names(allotted(rows, split=split, seed=seed))
    expected = dict(zip((text for text, _ in rows), first, strict=True))
    mixed = [*rows, *others]
    random.shuffle(mixed)
    found = allotted([(text, "x") for text, _ in mixed], split=split, seed=seed)
    for (text, _), part in zip(mixed, names(found), strict=True):
        assert part == expected.get(text, part)


@given(pairs, seeds)
def test_rows_of_one_item_are_in_one_split(rows: Given, seed: int) -> None:
    distinct = len({text for text, _ in rows})
    counts = (max(1, distinct // 3), "rest", distinct // 4)
    found = allotted(rows, split=counts, seed=seed)
    where: dict[str, set[str]] = {}
    for (text, _), part in zip(rows, names(found), strict=True):
        where.setdefault(text, set()).add(part)
    assert {len(parts) for parts in where.values()} == {1}
    sizes = Counter(next(iter(parts)) for parts in where.values())
    expected = (counts[0], distinct - counts[0] - counts[2], counts[2])
    assert tuple(sizes[name] for name in ("train", "valid", "test")) == expected
    assert found.distinct == distinct
    labels = {text: {label for other, label in rows if other == text} for text, _ in rows}
    assert found.ambiguous == sum(len(each) > 1 for each in labels.values())


@given(pairs, seeds)
def test_exact_splits_do_not_depend_on_places(rows: Given, seed: int) -> None:
    settings: dict[str, Any] = {"split": ["rest", len({text for text, _ in rows}) // 3, 0], "seed": seed}
    forward = dict(zip(rows, names(allotted(rows, **settings)), strict=True))
    backward = names(allotted(rows[::-1], **settings))
    assert [forward[row] for row in rows[::-1]] == backward


def test_fractions_are_about_met_and_seeds_differ() -> None:
    rows = some(4000)
    one, other = (names(allotted(rows, split=[0.5, 0.3, 0.2], seed=seed)) for seed in (1, 2))
    for found in (one, other):
        sizes = Counter(found)
        assert sizes["train"] == pytest.approx(2000, abs=120)
        assert sizes["valid"] == pytest.approx(1200, abs=120)
    agree = sum(a == b for a, b in zip(one, other, strict=True))
    assert agree == pytest.approx(4000 * (0.25 + 0.09 + 0.04), abs=150)


@pytest.mark.parametrize("split", [[1.0, 0.0, 0.0], [1, 0, 0], ["rest", 0, 0]])
def test_all_for_training(split: list[Any]) -> None:
    assert set(names(allotted(some(500), split=split))) == {"train"}


def test_nothing_to_train_on() -> None:
    with pytest.raises(DataError, match="the training split is empty"):
        allotted(some(5), split=[0.0, 0.5, 0.5])


def test_counts_beyond_the_source() -> None:
    with pytest.raises(DataError, match=r"corpus\.split asks for more items than the source has") as caught:
        allotted([*some(5), *some(5)], split=["rest", 4, 2])
    assert caught.value.why == "the counts add up to 6, the source has 5 distinct items"


@given(st.integers(3, 60), seeds)
def test_the_labels_that_are_kept_are_balanced(labelled: int, seed: int) -> None:
    rows = [*some(90), *some(30)]  # items 0 to 29 stand there twice
    found = names(allotted(rows, split=[1, 0, 0], labelled=labelled, seed=seed))
    assert set(found) <= {"train", "unlabelled"}
    kept = {row for row, part in zip(rows, found, strict=True) if part == "train"}
    assert kept.isdisjoint(row for row, part in zip(rows, found, strict=True) if part == "unlabelled")
    sizes = Counter(label for _, label in kept)
    assert sum(sizes.values()) == labelled
    assert max(sizes.values()) - min(sizes.values()) <= 1


def test_more_labels_keep_those_of_fewer() -> None:
    rows, before = some(90), set[int]()
    for labelled in (3, 12, 60, 90):
        found = names(allotted(rows, split=[1, 0, 0], labelled=labelled))
        kept = {number for number, part in enumerate(found) if part == "train"}
        assert before < kept
        before = kept


def test_the_seed_says_which_labels_are_kept() -> None:
    one, other = (names(allotted(some(90), split=[1, 0, 0], labelled=9, seed=seed)) for seed in (1, 2))
    assert one != other


def test_an_item_with_several_labels_is_not_chosen() -> None:
    rows = [*some(9), ("item 0", "y"), ("both", "x"), ("both", "z")]
    found = names(allotted(rows, split=[1, 0, 0], labelled=8))
    unclear = [part for (text, _), part in zip(rows, found, strict=True) if text in ("item 0", "both")]
    assert unclear == ["unlabelled"] * 4
    assert Counter(found) == {"train": 8, "unlabelled": 4}
    with pytest.raises(DataError, match=r"corpus\.labelled is 9, and training has 8 items with a single label"):
        allotted(rows, split=[1, 0, 0], labelled=9)


def test_a_label_without_an_item() -> None:
    with pytest.raises(DataError, match="a label would have no item") as caught:
        allotted(some(9), split=[1, 0, 0], labelled=2)
    assert caught.value.why == "there are 3 labels and corpus.labelled is 2"
    with pytest.raises(DataError, match="a label would have no item") as caught:
        allotted([*some(9), ("both", "x"), ("both", "w")], split=[1, 0, 0], labelled=5)
    assert caught.value.why == "no item of training has the label 'w' and no other"


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.data())
def test_quotas(available: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(available)))
    shares = quotas(available, total)
    assert sum(shares) == total
    assert all(share <= limit for share, limit in zip(shares, available, strict=True))
    unfilled = [share for share, limit in zip(shares, available, strict=True) if share < limit]
    assert all(share >= max(shares) - 1 for share in unfilled)


def test_a_given_test_set_stays_as_it_is_and_what_it_shares_is_counted() -> None:
    own = some(40)
    test: Given = [("item 3", "x"), ("new", "y"), ("item 3", "x"), ("item 5", "z")]
    found = allotted(own, test=test, more=["item 1", "new", "other"], split=["rest", 10])
    assert names(found)[40:44] == ["test"] * 4
    assert names(found)[44:] == ["unlabelled"] * 3
    assert "test" not in names(found)[:40]
    assert found.test_seen == 3
    assert found.unlabelled_held_out == 1 + (names(found)[1] == "valid")


def test_labels_are_sorted_by_value_where_they_are_numbers() -> None:
    for given_, expected in [
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["10", "9", "x"], ("10", "9", "x")),
        (["09", "10", "9"], ("09", "10", "9")),
        (["b", "a", "B", "ä"], ("B", "a", "b", "ä")),
    ]:
        rows = collected([(label, label) for label in given_])
        assert rows.labels == expected
        assert [rows.labels[number] for number in rows.labels_N.tolist()] == given_


def test_parts_are_made_of_narrow_arrays() -> None:
    rows = collected(some(3), more=["a"])
    assert rows.labels_N.tolist() == [0, 1, 2, -1]
    assert rows.ends_N1.tolist() == [0, 6, 12, 18, 19]
    assert (rows.sources_N.tolist(), rows.lines_N.tolist()) == ([0, 0, 0, 2], [1, 2, 3, 1])
    assert np.dtype(np.uint64) == rows.keys_N2.dtype


def test_the_choice_follows_its_own_half_of_the_keys() -> None:
    hashes, labels = np.array([5, 4, 3, 2, 1, 0], np.uint64), np.array([0, 1, 0, 1, 0, 1], np.int32)
    assert sorted(choose(hashes, labels, ("x", "y"), Table(source="s", labelled=3)).tolist()) == [2, 4, 5]
    drawn = Table(source="s", labelled=3, labelled_shares="natural")
    assert sorted(choose(hashes, labels, ("x", "y"), drawn).tolist()) == [3, 4, 5]


def test_items_are_drawn_whatever_their_labels_are_but_each_label_must_be_among_them() -> None:
    hashes, labels = np.arange(10, dtype=np.uint64), np.array([0] * 8 + [1] * 2, np.int32)
    drawn = Table(source="s", labelled=9, labelled_shares="natural")
    assert sorted(choose(hashes, labels, ("x", "y"), drawn).tolist()) == [*range(9)]
    with pytest.raises(DataError) as caught:
        choose(hashes, labels, ("x", "y"), drawn.model_copy(update={"labelled": 8}))
    assert caught.value.why == "none of the 8 items that were drawn has the label 'y'"


def test_which_labels_are_kept_rests_on_the_half_of_the_keys_that_splits_do_not() -> None:
    rows = collected(some(90))
    found = allot(rows, Table(source="x", split=(1, 0, 0), labelled=9))
    for label in range(3):
        mine = np.flatnonzero(rows.labels_N == label)
        lowest = sorted(mine.tolist(), key=lambda row: int(rows.keys_N2[row, 1]))[:3]
        assert mine[found.parts_N[mine] == PARTS.index("train")].tolist() == sorted(lowest)


def test_items_are_distinct_by_both_halves_of_their_keys() -> None:
    keys = np.array([[7, 1], [7, 2], [3, 9], [7, 1]], np.uint64)
    items, ascending = distinct(keys)
    assert items.tolist() == [1, 2, 0, 1]
    assert ascending.tolist() == [[3, 9], [7, 1], [7, 2]]


@given(pairs, pairs, seeds)
def test_each_item_is_tested_in_one_fold_and_that_depends_on_nothing_else(
    rows: Given, others: Given, seed: int
) -> None:
    rows = [*rows, *some(40)]
    tested: dict[str, int] = {}
    for k in (1, 2, 3):
        found = names(allotted([*rows, *others], fold=[k, 3], split=[0.5, 0.5], seed=seed))
        alone = names(allotted(rows, fold=[k, 3], split=[0.5, 0.5], seed=seed))
        assert found[: len(rows)] == alone
        for (text, _), part in zip([*rows, *others], found, strict=True):
            if part == "test":
                assert tested.setdefault(text, k) == k
    assert tested.keys() == {text for text, _ in [*rows, *others]}


def test_folds_are_of_one_size_and_the_rest_is_split_as_asked() -> None:
    for k in range(1, 11):
        found = Counter(names(allotted(some(6000), fold=[k, 10], split=[0.75, 0.25])))
        assert 500 < found["test"] < 700
        assert 0.72 < found["train"] / (found["train"] + found["valid"]) < 0.78
    exact = Counter(names(allotted(some(6000), fold=[1, 10], split=["rest", 60])))
    assert exact["valid"] == 60
