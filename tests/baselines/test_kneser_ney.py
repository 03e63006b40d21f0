"""The n-gram baseline against a slow dictionary version, its own invariants, and a real text."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.baselines import kneser_ney
from charrnn.baselines.discounting import FALLBACK
from charrnn.baselines.kneser_ney import START, KneserNey
from charrnn.errors import DataError, UsageError

DATA = Path(os.environ.get("CHARRNN_DATA", Path(__file__).parents[2] / "../shared/data"))
ORDER = 5

alphabets = st.integers(2, 6)


def some_text(vocabulary_size: int, size: int, seed: int = 0) -> np.ndarray:
    """Symbols in [1, V), some much rarer than others."""
    random = np.random.default_rng(seed)
    return random.geometric(0.35, size=size) % (vocabulary_size - 1) + 1


class Reference:
    """The same model from its formulas, with a dictionary per order and no shared code; only for tests."""

    def __init__(self, tokens: list[int], vocabulary_size: int, order: int) -> None:
        self.v, self.order = vocabulary_size, order
        text = (START, *tokens)
        self.raw: dict[int, Counter[tuple[int, ...]]] = {}
        for n in range(1, order + 1):
            grams = [text[i : i + n] for i in range(len(text) - n + 1)]
            self.raw[n] = Counter(g for g in grams if g != (START,))
        self.lower: dict[int, dict[tuple[int, ...], int]] = {}
        for n in range(1, order):
            left = defaultdict(set)
            for gram in self.raw[n + 1]:
                left[gram[1:]].add(gram[0])
            self.lower[n] = {g: c if g[0] == START else len(left[g]) for g, c in self.raw[n].items()}

    def p(self, word: int, context: tuple[int, ...], order: int, *, highest: bool = True) -> float:
        if order == 0:
            return 0.0 if word == START else 1 / (self.v - 1)
        if order > len(context) + 1:
            return self.p(word, context, len(context) + 1)
        history = context[len(context) - order + 1 :]
        counts = self.raw[order] if highest else self.lower[order]
        after = {g[-1]: c for g, c in counts.items() if g[:-1] == history}
        below = self.p(word, context, order - 1, highest=False)
        if not after:
            return below
        cut = self.discounts(counts)
        gamma = sum(cut[min(c, 3)] for c in after.values()) / sum(after.values())
        c = after.get(word, 0)
        return max(c - cut[min(c, 3)], 0) / sum(after.values()) + gamma * below

    @staticmethod
    def discounts(counts: dict[tuple[int, ...], int]) -> list[float]:
        n1, n2, n3, n4 = (sum(c == k for c in counts.values()) for k in (1, 2, 3, 4))
        if n1 and n2 and n3 and n4:
            y = n1 / (n1 + 2 * n2)
            d = [0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
            if min(d[1:]) > 0:
                return d
        return [0.0, 0.5, 1.0, 1.5]


@st.composite
def texts_and_contexts(draw: st.DrawFn) -> tuple[int, list[int], list[int]]:
    v = draw(alphabets)
    text = draw(st.lists(st.integers(1, v - 1), min_size=1, max_size=60))
    context = draw(st.lists(st.integers(START, v - 1), max_size=ORDER + 2))
    if draw(st.booleans()):  # a context that occurs, as long ones hardly ever do by chance
        end = draw(st.integers(0, len(text)))
        context = [START, *text[:end]][-ORDER - 1 :]
    return v, text, context


@given(texts_and_contexts())
def test_probabilities_sum_to_one_at_every_order_and_start_is_never_predicted(
    case: tuple[int, list[int], list[int]],
) -> None:
    v, text, context = case
    model = KneserNey.fit(np.array(text), v, ORDER)
    for order in range(1, ORDER + 1):
        p = model.probabilities(context, order)
        assert p.shape == (v,)
        assert p[START] == 0
        assert (p[1:] > 0).all()
        assert p.sum() == pytest.approx(1, abs=1e-12)


@given(texts_and_contexts())
def test_agrees_with_the_dictionary_reference(case: tuple[int, list[int], list[int]]) -> None:
    v, text, context = case
    model, reference = KneserNey.fit(np.array(text), v, ORDER), Reference(text, v, ORDER)
    for order in range(1, ORDER + 1):
        expected = [reference.p(w, tuple(context), order) for w in range(v)]
        np.testing.assert_allclose(model.probabilities(context, order), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_reference_where_all_discounts_are_estimated(seed: int) -> None:
    # Small hypothesis texts mostly fall back; here the estimates are used, in raw and continuation counts.
    v, text = 12, some_text(12, 400, seed)
    model, reference = KneserNey.fit(text, v, 4), Reference(text.tolist(), v, 4)
    for tally in (model.levels[3].raw, model.levels[2].continuations, model.levels[1].continuations):
        assert tally is not None
        assert tuple(tally.discounts[1:]) != FALLBACK
    for end in range(0, 400, 23):
        context = tuple(text[max(0, end - 3) : end].tolist())
        expected = [reference.p(w, context, 4) for w in range(v)]
        np.testing.assert_allclose(model.probabilities(context), expected, rtol=0, atol=1e-12)


def contexts_under_the_lane_rule(tokens: list[int], lanes: int, before: int) -> list[list[int]]:
    """For each token the symbols that a recurrent model has seen since its lane's zero state."""
    contexts, begin = [], 0
    for lane in range(lanes):
        size = len(tokens) // lanes + (lane < len(tokens) % lanes)
        first_input = before if begin == 0 else tokens[begin - 1]
        contexts += [[first_input, *tokens[begin : begin + t]] for t in range(size)]
        begin += size
    return contexts


@given(st.data())
def test_nats_is_minus_log_of_probabilities_under_the_lane_rule(data: st.DataObject) -> None:
    v = data.draw(alphabets)
    symbols = st.integers(1, v - 1)
    model = KneserNey.fit(np.array(data.draw(st.lists(symbols, min_size=1, max_size=80))), v, ORDER)
    tokens = data.draw(st.lists(symbols, max_size=40))
    lanes, before = data.draw(st.integers(1, 12)), data.draw(st.integers(START, v - 1))
    nats = model.nats(np.array(tokens, dtype=np.uint8), lanes, before)
    assert nats.shape == (ORDER, len(tokens))
    for i, context in enumerate(contexts_under_the_lane_rule(tokens, lanes, before)):
        for order in range(1, ORDER + 1):
            expected = -math.log(model.probabilities(context, order)[tokens[i]])
            assert nats[order - 1, i] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("block", [1, 2, 3, 7, 100])
def test_total_does_not_depend_on_the_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = some_text(6, 400)
    model = KneserNey.fit(text[:300], 6, 6)
    expected = model.nats(text[300:], lanes=7, before=3)
    monkeypatch.setattr(kneser_ney, "BLOCK", block)
    np.testing.assert_array_equal(model.nats(text[300:], lanes=7, before=3), expected)
    total = model.total_nats(text[300:], lanes=7, before=3)
    np.testing.assert_allclose(total, expected.sum(axis=1), rtol=1e-13)


def test_order_one_is_the_discounted_unigram() -> None:
    # Counts 4, 2, 1 and 0 of four symbols: no n_3, so the discounts are 1.5, 1 and 0.5, taken off and shared.
    p = KneserNey.fit(np.array([1, 1, 2, 1, 3, 2, 1]), 5, order=1).probabilities([])
    share = (1.5 + 1 + 0.5) / 7 / 4
    np.testing.assert_allclose(p, [0, 2.5 / 7 + share, 1 / 7 + share, 0.5 / 7 + share, share], rtol=1e-14)


def test_below_the_highest_order_neighbours_are_counted_not_occurrences() -> None:
    # 3 occurs three times, always after 2; 1 occurs less often, after three different symbols.
    text = np.array([2, 3, 2, 3, 2, 3, 1, 4, 1, 2])
    model = KneserNey.fit(text, 6, order=2)
    unigram, unseen_context = model.probabilities([], order=1), model.probabilities([5])
    assert unigram[3] > unigram[1]
    assert unseen_context[3] < unseen_context[1]


def test_all_orders_of_one_fit_are_the_models_fitted_alone() -> None:
    text = some_text(6, 300)
    nats = KneserNey.fit(text[:200], 6, 5).nats(text[200:], lanes=3)
    for order in range(1, 6):
        alone = KneserNey.fit(text[:200], 6, order).nats(text[200:], lanes=3)
        np.testing.assert_array_equal(nats[:order], alone)


def test_of_a_long_split_the_last_tokens_are_counted() -> None:
    text = some_text(6, 300)
    model = KneserNey.fit(text, 6, 3, max_tokens=120)
    assert model.trained_on == 120
    alone = KneserNey.fit(text[-120:], 6, 3)
    np.testing.assert_array_equal(model.total_nats(text, 4), alone.total_nats(text, 4))
    assert KneserNey.fit(text, 6, 3, max_tokens=1000).trained_on == 300


def test_what_a_user_can_cause_is_refused() -> None:
    text = np.array([1, 2, 1])
    with pytest.raises(DataError, match="empty"):
        KneserNey.fit(text[:0], 3, 2)
    with pytest.raises(UsageError, match="order"):
        KneserNey.fit(text, 3, 0)
    with pytest.raises(UsageError, match="not 0"):
        KneserNey.fit(text, 3, 2, max_tokens=0)
    model = KneserNey.fit(text, 3, 2)
    with pytest.raises(UsageError, match="lane"):
        model.nats(text, 0)
    for order in (0, 3):
        with pytest.raises(UsageError, match="order"):
            model.probabilities([1], order)


def test_symbols_outside_the_vocabulary_are_a_bug_of_the_caller() -> None:
    model = KneserNey.fit(np.array([1, 2, 1]), 3, 2)
    for wrong in (START, 3):
        with pytest.raises(AssertionError, match="symbols"):
            KneserNey.fit(np.array([1, wrong]), 3, 2)
        with pytest.raises(AssertionError, match="symbols"):
            model.total_nats(np.array([1, wrong]), 1)


def test_a_longer_context_helps_on_a_text_that_repeats_itself() -> None:
    source = np.frombuffer(Path(kneser_ney.__file__).read_bytes(), dtype=np.uint8)
    train, valid = np.split(source, [len(source) * 3 // 4])
    bits = KneserNey.fit(train, 256, 4).total_nats(valid, lanes=4) / len(valid) / math.log(2)
    assert (np.diff(bits) < -0.2).all()
    assert bits[0] < 8


@pytest.mark.skipif(not (DATA / "nietzsche").is_dir(), reason="the data folder is not here")
def test_nietzsche_is_best_at_a_middle_order() -> None:
    text = (DATA / "nietzsche/nietzsche.txt").read_text(encoding="utf-8").lower()
    symbols, ids = np.unique(np.array(list(text)), return_inverse=True)
    train, valid = np.split(ids + 1, [493_747])
    model = KneserNey.fit(train, len(symbols) + 1, 12)
    bits = model.total_nats(valid, lanes=16) / len(valid) / math.log(2)
    assert 4 <= 1 + bits.argmin() <= 10
    assert 1.8 < bits.min() < 2.3
    assert (np.diff(bits[:4]) < -0.3).all()
