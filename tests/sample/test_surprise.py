from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.sample.reading import Reading, nats_of
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary

V, H = 6, 4


class Small:
    """A recurrent network with random weights."""

    def __init__(self) -> None:
        random = np.random.default_rng(3)
        self.in_VH, self.hidden_HH, self.out_HV = (random.normal(size=s) for s in ((V, H), (H, H), (H, V)))

    def initial_state(self, batch: int) -> State:
        return {"h": np.zeros((batch, H))}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        h_BH = np.tanh(self.in_VH[ids_B] + state["h"] @ self.hidden_HH)
        return h_BH @ self.out_HV, {"h": h_BH}


def by_hand(ids: list[int]) -> list[float]:
    model, nats, before = Small(), [], [Vocabulary.START]
    for symbol in ids:
        state = model.initial_state(1)
        for past in [*before]:
            logits_BV, state = model.step(np.array([past]), state)
        shares_V = np.exp(logits_BV[0]) / np.exp(logits_BV[0]).sum()
        nats.append(-np.log(shares_V[symbol]))
        before.append(symbol)
    return nats


@given(st.lists(st.integers(1, V - 1), min_size=1, max_size=12), st.integers(1, 12))
def test_the_state_is_carried_wherever_the_text_is_cut(ids: list[int], cut: int) -> None:
    blocks = [np.array(ids[:cut]), np.array(ids[cut:], dtype=np.int64)]
    reading = Reading(Small())
    found = np.concatenate([reading.read(block[None]).nats[0] for block in blocks])
    assert found == pytest.approx(by_hand(ids), rel=1e-12)


def test_texts_side_by_side_are_read_as_each_by_itself() -> None:
    texts = [[1, 2, 3, 4], [5, 5, 1, 2]]
    found_BN = nats_of(Small(), np.array(texts))
    assert found_BN.tolist() == [pytest.approx(by_hand(ids), rel=1e-12) for ids in texts]


def test_scores_of_any_size_give_no_warning() -> None:
    class Sure(Small):
        def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
            return np.tile([0.0, 2000.0, -2000.0, 0.0, 0.0, 0.0], (len(ids_B), 1)), state

    (found,) = nats_of(Sure(), np.array([[1, 2]]))
    assert found.tolist() == [0.0, 4000.0]


def test_a_check_may_stop_it_at_every_symbol() -> None:
    looks = []
    reading = Reading(Small(), 1, lambda: looks.append(0))
    for block in ([[1, 2]], [[3]]):
        reading.read(np.array(block))
    assert len(looks) == 3
