"""The likeliest text: against all texts there are, and what a beam leaves out."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config.schema import Sample
from charrnn.errors import DivergedError, UsageError
from charrnn.sample.beam import Found, search
from charrnn.sample.several import check_options, several
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary

LETTERS = Vocabulary("char", (), tuple("abc"))
V = LETTERS.size


class Bigrams:
    """The scores of the next symbol depend on the last two; it keeps how many rows each step had."""

    def __init__(self, seed: int, dtype: Any = np.float64) -> None:
        self.scores_VVV = (2.0 * np.random.default_rng(seed).normal(size=(V, V, V))).astype(dtype)
        self.rows: list[int] = []

    def initial_state(self, batch: int) -> State:
        return {"last": np.zeros((batch, 1), np.int64)}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        self.rows.append(len(ids_B))
        return self.scores_VVV[state["last"][:, 0], ids_B], {"last": ids_B[:, None]}


def log_probability(model: Bigrams, prompt: list[int], symbols: tuple[int, ...]) -> float:
    """The sum, symbol by symbol."""
    total, read = 0.0, [*(prompt or [0]), *symbols]
    before = 0
    for place, symbol in enumerate(read[:-1]):
        scores_V = model.scores_VVV[before, symbol]
        if place >= len(prompt or [0]) - 1:
            total += math.log(math.exp(scores_V[read[place + 1]]) / np.exp(scores_V).sum())
        before = symbol
    return total


def found(model: Bigrams, prompt: list[int] | None = None, **options: Any) -> list[Found]:
    return search(model, LETTERS, prompt or [], Sample(**options))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), length=st.integers(1, 4), prompt=st.lists(st.integers(1, 3), max_size=2))
def test_a_beam_that_holds_all_finds_all_in_order(seed: int, length: int, prompt: list[int]) -> None:
    texts = found(Bigrams(seed), prompt, beam=3**length, length=length)
    every = list(itertools.product((1, 2, 3), repeat=length))
    assert sorted(text.symbols for text in texts) == every
    assert [text.log_probability for text in texts] == sorted((t.log_probability for t in texts), reverse=True)
    for text in texts:
        assert text.log_probability == pytest.approx(log_probability(Bigrams(seed), prompt, text.symbols), abs=1e-9)


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_the_best_beginnings_of_each_length_go_on(beam: int) -> None:
    model, length = Bigrams(4), 6
    kept: list[tuple[int, ...]] = [()]
    for _ in range(length):
        longer = [(*symbols, symbol) for symbols in kept for symbol in (1, 2, 3)]
        kept = sorted(longer, key=lambda symbols: -log_probability(model, [2], symbols))[:beam]
    assert [text.symbols for text in found(model, [2], beam=beam, length=length)] == kept


def test_one_beam_is_greedy_and_all_beams_are_one_batch() -> None:
    model = Bigrams(5)
    greedy = [one.symbol for one in several(model, LETTERS, [1], Sample(greedy=True, length=9), (0,))]
    assert list(found(Bigrams(5), [1], beam=1, length=9)[0].symbols) == greedy
    model = Bigrams(5)
    found(model, [1], beam=4, length=6)
    assert model.rows == [1, 3, 4, 4, 4, 4]


def test_of_equals_the_first_goes_on() -> None:
    model = Bigrams(0)
    model.scores_VVV[:] = 0.0
    texts = found(model, beam=3, length=3)
    assert [text.symbols for text in texts] == [(1, 1, 1), (1, 1, 2), (1, 1, 3)]


def test_texts_of_several_lengths_are_compared_by_the_logarithm_per_symbol() -> None:
    options: dict[str, Any] = {"beam": 200, "length": 4, "stop": ("ab", "c")}
    texts = found(Bigrams(7), **options)
    assert {text.ended for text in texts} == {"stop", "length"}
    every: set[tuple[int, ...]] = set()
    for symbols in itertools.product((1, 2, 3), repeat=4):
        ends = [n for n in range(1, 5) if symbols[n - 1] == 3 or symbols[max(0, n - 2) : n] == (1, 2)]
        every.add(symbols[: ends[0]] if ends else symbols)
    expected = sorted(every, key=lambda s: -log_probability(Bigrams(7), [], s) / len(s))
    assert [text.symbols for text in texts] == expected


def test_a_text_that_has_ended_leaves_a_beam_fewer() -> None:
    model = Bigrams(7)
    texts = found(model, beam=3, length=8, stop=("c",))
    assert len(texts) == 3
    lengths = [len(text.symbols) for text in texts if text.ended == "stop"]
    assert len(set(lengths)) > 1, "they end at different times"
    going = [3 - sum(length <= n for length in lengths) for n in range(1, 8)]
    assert model.rows == [1, *(rows for rows in going if rows)]


def test_the_text_in_pieces_ends_in_front_of_the_stop_string() -> None:
    options = Sample(beam=50, length=6, stop=("c",))
    told = list(several(Bigrams(7), LETTERS, [], options, (0, 1, 2), odds=1))
    texts = search(Bigrams(7), LETTERS, [], options)
    for stream in range(3):
        mine = [one for one in told if one.stream == stream]
        assert tuple(one.symbol for one in mine) == texts[stream].symbols
        whole = LETTERS.decode(texts[stream].symbols)
        assert "".join(one.piece for one in mine) == whole.removesuffix("c")
        assert [one.ended for one in mine][-1] == texts[stream].ended
        logs = [math.log(one.odds.model) for one in mine if one.odds]
        assert sum(logs) == pytest.approx(texts[stream].log_probability)
        assert all(one.odds and one.odds.drawn is None for one in mine)


def test_banned_characters_are_not_found() -> None:
    texts = found(Bigrams(1), beam=100, length=3, ban="b")
    assert {text.symbols for text in texts} == set(itertools.product((1, 3), repeat=3))
    # What is left keeps the probability that the model gives it.
    assert texts[0].log_probability == pytest.approx(log_probability(Bigrams(1), [], texts[0].symbols))


def test_more_texts_than_beams_are_refused() -> None:
    with pytest.raises(UsageError, match="2 beams have no 3 texts"):
        check_options(Sample(beam=2), LETTERS, range(3))
    with pytest.raises(UsageError, match="3 beams have no 4 texts"):
        list(several(Bigrams(1), LETTERS, [], Sample(beam=9, length=1), range(4)))


def test_scores_that_are_no_numbers_are_an_error() -> None:
    model = Bigrams(1)
    model.scores_VVV[:] = np.nan
    with pytest.raises(DivergedError):
        found(model, beam=2, length=3)
