"""Contexts as functions of (seed, step): what is read, what stays, how far a context reaches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema.vectors import Contexts
from charrnn.corpus.words import Words
from charrnn.stream.contexts import ContextBatch, ContextStream

CPU = torch.device("cpu")
VOCABULARY = 9


def stream(
    ids: list[int], starts: list[int] | None = None, seed: int = 1, training: bool = True, **settings: Any
) -> ContextStream:
    counts = np.bincount(ids, minlength=VOCABULARY)
    words = Words(np.array(ids), np.array(starts or [0]))
    return ContextStream(words, counts, Contexts.model_validate(settings), 16, 0.75, seed, training)


def rows(batch: ContextBatch) -> list[list[int]]:
    return [ids[there].tolist() for ids, there in zip(batch.ids_BT, batch.document_BT >= 0, strict=True)]


def same(one: ContextBatch, other: ContextBatch) -> bool:
    names = ("ids_BT", "reach_BT", "document_BT", "noise_K")
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


texts = st.lists(st.integers(1, VOCABULARY - 1), min_size=2, max_size=80)
plans = st.fixed_dictionaries({"length": st.integers(1, 20), "batch": st.integers(1, 4)})


@given(texts, plans, st.booleans())
def test_without_subsampling_every_passage_is_read_once_per_epoch(
    ids: list[int], plan: dict[str, int], training: bool
) -> None:
    read = stream(ids, training=training, subsample=None, **plan)
    length = plan["length"]
    passages = [ids[at : at + length] for at in range(0, len(ids), length)]
    for epoch in range(2):
        steps = range(epoch * read.steps_per_epoch, (epoch + 1) * read.steps_per_epoch)
        found = [row for step in steps for row in rows(read.batch(step, CPU))]
        assert all(not row for row in found[len(passages) :])
        found = found[: len(passages)]
        assert sorted(found) == sorted(passages)
        assert training or found == passages
    assert read.reading == {"passages": len(passages)}


def test_epochs_have_orders_of_their_own() -> None:
    read = stream([1 + i % 8 for i in range(800)], length=10, batch=80, subsample=None)
    first, second = rows(read.batch(0, CPU)), rows(read.batch(1, CPU))
    assert first != second
    assert sorted(first) == sorted(second)


@given(texts, plans, st.integers(0, 30), st.integers(0, 3))
def test_a_batch_depends_on_seed_and_step_alone(ids: list[int], plan: dict[str, int], step: int, seed: int) -> None:
    one = stream(ids, seed=seed, subsample=0.05, **plan)
    other = stream(ids, seed=seed, subsample=0.05, **plan)
    for earlier in range(step % 7):
        other.batch(earlier, CPU)
    assert same(one.batch(step, CPU), other.batch(step, CPU))


def test_another_seed_or_step_is_another_draw() -> None:
    ids = [1 + i % 8 for i in range(400)]
    begin = stream(ids, length=400, batch=1, subsample=0.05).batch(0, CPU)
    assert not same(begin, stream(ids, length=400, batch=1, subsample=0.05, seed=2).batch(0, CPU))
    assert not same(begin, stream(ids, length=400, batch=1, subsample=0.05).batch(1, CPU))


def test_frequent_words_are_passed_over_as_often_as_the_formula_says() -> None:
    ids = [1] * 900 + [2] * 90 + [3] * 10
    read = stream(ids, length=1000, batch=1, subsample=0.04)
    expected = {
        word: min((0.04 / share) ** 0.5 + 0.04 / share, 1.0) for word, share in {1: 0.9, 2: 0.09, 3: 0.01}.items()
    }
    kept = np.mean([np.bincount(rows(read.batch(step, CPU))[0], minlength=4) for step in range(400)], axis=0)
    assert expected[3] == 1.0
    for word, total in {1: 900, 2: 90, 3: 10}.items():
        assert kept[word] / total == pytest.approx(expected[word], rel=0.03)


def test_the_words_that_stay_keep_their_order() -> None:
    read = stream([1 + i % 8 for i in range(64)], length=64, batch=1, subsample=0.02)
    batch = read.batch(0, CPU)
    places = np.array(rows(batch)[0])
    assert 0 < len(places) < 64
    plain = [1 + i % 8 for i in range(64)]
    iterator = iter(plain)
    assert all(word in iterator for word in places.tolist()), "a subsequence of the text"


def test_dynamic_reaches_are_drawn_evenly_and_others_are_the_window() -> None:
    ids = [1 + i % 8 for i in range(4000)]
    reach = stream(ids, length=4000, batch=1, window=4, subsample=None).batch(3, CPU).reach_BT
    counts = torch.bincount(reach.flatten(), minlength=5)
    assert counts[0] == 0
    assert (counts[1:] / 4000 - 0.25).abs().max() < 0.03
    reach = stream(ids, length=4000, batch=1, window=4, subsample=None, dynamic=False).batch(3, CPU).reach_BT
    assert (reach == 4).all()


def test_documents_are_told_apart() -> None:
    read = stream([1, 2, 3, 4, 5, 6], [0, 2, 2, 5], length=4, batch=2, subsample=None, training=False)
    assert read.batch(0, CPU).document_BT.tolist() == [[1, 1, 3, 3], [3, 4, -1, -1]]


def test_noise_is_drawn_by_counts_to_the_power() -> None:
    ids = [1] * 160 + [2] * 10 + [3]
    read = ContextStream(
        Words(np.array(ids), np.array([0])), np.bincount(ids, minlength=6), Contexts(), 4000, 0.75, 1, True
    )
    weight = np.array([0, 160, 10, 1, 0, 0]) ** 0.75
    found = torch.bincount(torch.cat([read.batch(step, CPU).noise_K for step in range(20)]), minlength=6)
    np.testing.assert_allclose(found / found.sum(), weight / weight.sum(), atol=0.004)
    assert found[[0, 4, 5]].sum() == 0
