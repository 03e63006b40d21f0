"""Splits follow each other and are the whole text."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.splits import cut
from charrnn.errors import DataError


def ends(tokens: int, split: list[Any]) -> list[tuple[int, int]]:
    found = cut(Corpus.model_validate({"source": "x", "split": split}), tokens)
    assert list(found) == ["train", "valid", "test"]
    return list(found.values())


@given(st.integers(2, 10**12), st.lists(st.integers(0, 1000), min_size=3, max_size=3))
def test_fractions_make_the_whole(tokens: int, shares: list[int]) -> None:
    shares[0] += 1 + sum(shares)  # at least half is for training
    found = ends(tokens, [share / sum(shares) for share in shares])
    assert found[0][0] == 0
    assert found[2][1] == tokens
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert all(
        abs((end - start) - tokens * share / sum(shares)) <= 1.001
        for (start, end), share in zip(found, shares, strict=True)
    )


def test_examples() -> None:
    assert ends(1000, [0.9, 0.05, 0.05]) == [(0, 900), (900, 950), (950, 1000)]
    assert ends(10, [1, 0, 0]) == [(0, 10), (10, 10), (10, 10)]
    assert ends(7, [0.5, 0.0, 0.5]) == [(0, 4), (4, 4), (4, 7)]
    assert ends(600_893, [493_747, "rest", 0]) == [(0, 493_747), (493_747, 600_893), (600_893, 600_893)]
    assert ends(10**11, [0.5, 0.25, 0.2499999999])[2][1] == 10**11  # a sum of almost 1 is allowed
    assert ends(10, ["rest", 2, 3]) == [(0, 5), (5, 7), (7, 10)]
    assert ends(5, [3, 2, "rest"]) == [(0, 3), (3, 5), (5, 5)]


def test_counts_beyond_the_text() -> None:
    with pytest.raises(DataError) as caught:
        ends(1233, [1234, "rest", 0])
    assert caught.value.why == "the counts add up to 1,234, the text has 1,233 tokens"


@pytest.mark.parametrize("split", [[0, "rest", 0], ["rest", 6, 4], [0.0, 0.5, 0.5]])
def test_nothing_to_train_on(split: list[Any]) -> None:
    with pytest.raises(DataError, match="the training split is empty"):
        ends(10, split)
