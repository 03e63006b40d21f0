"""What is suggested, held against a search through all words."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smallmodel import Small, letters, shares_after

from charrnn.errors import DivergedError
from charrnn.sample.suggest import LONGEST, Suggester
from charrnn.text.encode import UnknownSymbols
from charrnn.text.vocabulary import Vocabulary

VOCABULARY = letters("ab .")
DEEPEST = 5


def model(seed: int) -> Small:
    """One that ends words soon, so that all words which matter are short."""
    small = Small(VOCABULARY, seed=seed, scale=0.5)
    small.out_HV[:, VOCABULARY.encode(".")] += 1.0
    return small


def after_start(shares_V: np.ndarray) -> np.ndarray:
    """Without `<start>`, which never comes."""
    shares_V = shares_V.copy()
    shares_V[Vocabulary.START] = 0.0
    normal: np.ndarray = shares_V / shares_V.sum()
    return normal


def probability(small: Small, before: str, after: str) -> float:
    """Of `after` behind `before`, and then no letter."""
    ids, share = VOCABULARY.encode(before).tolist(), 1.0
    for id_ in VOCABULARY.encode(after).tolist():
        share *= float(after_start(shares_after(small, ids))[id_])
        ids.append(id_)
    shares_V = after_start(shares_after(small, ids))
    return share * float(shares_V[VOCABULARY.encode(" .")].sum())


def all_words(small: Small, text: str, k: int) -> list[tuple[str, float]]:
    """The likeliest of all words up to some length, by trying every one."""
    within = bool(text) and text[-1] in "ab"
    heads = ["", " "] if text.endswith(".") else [""]
    bodies = ["".join(word) for n in range(0 if within else 1, DEEPEST) for word in product("ab", repeat=n)]
    found = [(head + body, probability(small, text, head + body)) for head in heads for body in bodies]
    return sorted(found, key=lambda word: -word[1])[:k]


@settings(max_examples=25, deadline=None)
@given(st.text("ab .", max_size=6), st.integers(0, 9), st.integers(1, 4))
def test_words_are_the_likeliest_of_all_with_their_probabilities(text: str, seed: int, k: int) -> None:
    small = model(seed)
    suggester = Suggester(small, VOCABULARY)
    found = suggester.suggest(suggester.after(suggester.start, text), k)
    assert found.complete
    expected = all_words(small, text, k)
    assert [offer.probability for offer in found.words] == pytest.approx([share for _, share in expected], rel=1e-9)
    for offer in found.words:
        assert offer.probability == pytest.approx(probability(small, text, offer.text), rel=1e-9)
    begun = text[len(text.rstrip("ab")) :]
    assert [offer.word for offer in found.words] == [begun + offer.text.lstrip() for offer in found.words]


@given(st.text("ab .", max_size=6), st.integers(0, 9))
def test_symbols_are_the_likeliest_next_ones(text: str, seed: int) -> None:
    suggester = Suggester(model(seed), VOCABULARY)
    found = suggester.suggest(suggester.after(suggester.start, text), 10).symbols
    shares_V = after_start(shares_after(model(seed), VOCABULARY.encode(text).tolist()))
    expected = sorted(((float(shares_V[i + 1]), c) for i, c in enumerate(VOCABULARY.symbols)), reverse=True)
    assert [(offer.text, offer.probability) for offer in found] == [(c, pytest.approx(p)) for p, c in expected]
    assert "<space>" in [offer.word for offer in found]


def test_a_text_may_be_read_in_any_pieces() -> None:
    suggester = Suggester(model(1), VOCABULARY)
    once = suggester.suggest(suggester.after(suggester.start, "ab.ab"), 3)
    place = suggester.start
    for piece in ("a", "", "b.a", "b"):
        place = suggester.after(place, piece)
    assert suggester.suggest(place, 3) == once


def test_a_narrow_beam_tells_that_it_may_have_lost_a_word() -> None:
    wide, narrow = (Suggester(model(2), VOCABULARY, beam=beam) for beam in (32, 1))
    best, few = (suggester.suggest(suggester.start, 4) for suggester in (wide, narrow))
    assert best.complete
    assert not few.complete
    known = {offer.text: offer.probability for offer in wide.suggest(wide.start, 60).words}
    assert all(offer.probability == pytest.approx(known[offer.text]) for offer in few.words)
    assert few.words[-1].probability < best.words[-1].probability


def test_the_beam_is_one_batch_of_steps() -> None:
    small = model(1)
    suggester = Suggester(small, VOCABULARY, beam=3)
    place = suggester.after(suggester.start, "a ")
    small.rows.clear()
    suggester.suggest(place, 2)
    assert 1 < len(small.rows) <= LONGEST
    assert set(small.rows) <= {1, 2, 3}
    assert max(small.rows) > 1


def test_words_without_an_end_are_not_followed_for_ever() -> None:
    class Endless(Small):
        def step(self, ids_B: np.ndarray, state: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
            self.rows.append(len(ids_B))
            return np.tile([0.0, -800.0, -800.0, 1.0, 0.5], (len(ids_B), 1)), state

    small = Endless(VOCABULARY)
    suggester = Suggester(small, VOCABULARY)
    found = suggester.suggest(suggester.start, 2)
    assert (found.words, found.complete) == ((), False)
    assert len(small.rows) == 1 + LONGEST


def test_an_unknown_symbol_of_the_text() -> None:
    with pytest.raises(UnknownSymbols):
        Suggester(model(1), VOCABULARY).after(Suggester(model(1), VOCABULARY).start, "aX")
    skipping = Suggester(model(1), VOCABULARY, "skip")
    place = skipping.after(skipping.start, "aXb")
    np.testing.assert_array_equal(place.logits_BV, skipping.after(skipping.start, "ab").logits_BV)


WORDS = Vocabulary("word", (), (" ", ".", "the", "then", "tin"))


def test_where_symbols_are_words_a_beginning_chooses_among_them() -> None:
    small = Small(WORDS, seed=4)
    suggester = Suggester(small, WORDS)
    found = suggester.suggest(suggester.after(suggester.after(suggester.start, "tin t"), "h"), 5)
    shares_V = shares_after(small, WORDS.encode("tin ").tolist())
    the, then = (float(shares_V[WORDS.encode(word)[0]]) for word in ("the", "then"))
    expected = {"e": the / (the + then), "en": then / (the + then)}
    assert {offer.text: offer.probability for offer in found.words} == pytest.approx(expected)
    assert found.words[0].probability > found.words[1].probability
    assert found.symbols == ()


def test_where_symbols_are_words_they_are_offered_with_their_shares() -> None:
    small = Small(WORDS, seed=4)
    suggester = Suggester(small, WORDS)
    shares_V = after_start(shares_after(small, WORDS.encode("tin ").tolist()))
    expected = {word: float(shares_V[WORDS.encode(word)[0]]) for word in ("the", "then", "tin")}
    found = suggester.suggest(suggester.after(suggester.start, "tin "), 9)
    assert {offer.text: offer.probability for offer in found.words} == pytest.approx(expected)
    assert len(found.symbols) == 5
    behind_a_sign = suggester.suggest(suggester.after(suggester.start, "tin."), 9).words
    here_V, there_V = (after_start(shares_after(small, WORDS.encode(text).tolist())) for text in ("tin.", "tin. "))
    space = float(here_V[WORDS.encode(" ")[0]])
    expected = {word: float(here_V[WORDS.encode(word)[0]]) for word in ("the", "then", "tin")}
    expected |= {f" {word}": space * float(there_V[WORDS.encode(word)[0]]) for word in ("the", "then", "tin")}
    assert {offer.text: offer.probability for offer in behind_a_sign} == pytest.approx(expected)


def test_a_letter_of_several_bytes_is_a_letter() -> None:
    vocabulary = Vocabulary("byte", tuple(sorted("aé ".encode())), ())
    small = Small(vocabulary, seed=2, scale=0.1)
    suggester = Suggester(small, vocabulary)
    found = suggester.suggest(suggester.start, 90)
    assert "é" in {offer.word for offer in found.words}


def test_a_model_without_finite_scores_is_refused() -> None:
    small = model(1)
    small.out_HV[:] = np.nan
    suggester = Suggester(small, VOCABULARY)
    with pytest.raises(DivergedError):
        suggester.suggest(suggester.start, 2)
