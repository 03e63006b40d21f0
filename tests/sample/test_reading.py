from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smallmodel import Small, letters, shares_after

from charrnn.sample.reading import Reading, surprise

VOCABULARY = letters("abcde")


def by_hand(ids: list[int], begins: list[bool]) -> list[list[float]]:
    """Nats, expected nats and variance of each symbol."""
    past, found = [], []
    for id_, begin in zip(ids, begins, strict=True):
        past = [] if begin else past
        shares_V = shares_after(Small(VOCABULARY), past)
        nats_V = -np.log(shares_V)
        mean = float(shares_V @ nats_V)
        found.append([float(nats_V[id_]), mean, float(shares_V @ (nats_V - mean) ** 2)])
        past = [*past, id_]
    return found


TEXTS = st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=10)


@given(TEXTS, st.integers(0, 10))
def test_each_symbol_costs_what_its_past_says_wherever_the_text_is_cut(text: list[tuple[int, bool]], cut: int) -> None:
    ids, begins = np.array([id_ for id_, _ in text]), np.array([begin for _, begin in text])
    reading = Reading(Small(VOCABULARY))
    parts = [reading.read(ids[None, part], begins[None, part]) for part in (slice(cut), slice(cut, None))]
    found = np.concatenate([np.stack([p.nats[0], p.expected[0], p.variance[0]], axis=1) for p in parts])
    np.testing.assert_allclose(found, by_hand(ids.tolist(), begins.tolist()), rtol=1e-9, atol=1e-12)


def test_rows_side_by_side_begin_anew_each_by_itself() -> None:
    ids_BN, begins_BN = np.array([[1, 2, 3, 4], [5, 5, 1, 2]]), np.array([[0, 0, 1, 0], [0, 1, 0, 0]], bool)
    found = Reading(Small(VOCABULARY), 2).read(ids_BN, begins_BN)
    for row in range(2):
        expected = by_hand(ids_BN[row].tolist(), begins_BN[row].tolist())
        assert found.nats[row].tolist() == pytest.approx([nats for nats, _, _ in expected], rel=1e-9)


def test_much_text_is_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    ids_BN = np.array([[1, 2, 3, 4, 5, 1, 2]])
    whole = Reading(Small(VOCABULARY)).read(ids_BN)
    monkeypatch.setattr("charrnn.sample.reading._AT_ONCE", 2 * VOCABULARY.size)
    assert Reading(Small(VOCABULARY)).read(ids_BN).nats.tolist() == whole.nats.tolist()


def test_a_model_that_is_sure_expects_nothing() -> None:
    found = surprise(np.array([[[0.0, 2000.0, -2000.0]]] * 1), np.array([[2]]))
    assert (found.nats.item(), found.expected.item(), found.variance.item()) == (4000.0, 0.0, 0.0)


def test_scores_that_are_no_numbers_give_no_warning() -> None:
    found = surprise(np.array([[[np.inf, 0.0]], [[np.nan, 0.0]]]), np.array([[1], [1]]))
    assert not np.isfinite(found.nats).any()


def test_a_check_may_stop_it_at_every_symbol() -> None:
    looks: list[int] = []
    Reading(Small(VOCABULARY), 1, lambda: looks.append(0)).read(np.array([[1, 2, 3]]))
    assert len(looks) == 3
