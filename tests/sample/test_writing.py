"""A text that is typed with suggestions, without a terminal."""

from __future__ import annotations

import numpy as np
import pytest
from smallmodel import Small, letters

from charrnn.sample import writing as module
from charrnn.sample.suggest import Suggester
from charrnn.sample.writing import BACKSPACE, LITERALLY, TAB, Writing

VOCABULARY = letters("ab 1.")


def writing(text: str = "") -> Writing:
    small = Small(VOCABULARY, scale=0.5)
    small.out_HV[:, VOCABULARY.encode(" ")] += 1.0
    return Writing(Suggester(small, VOCABULARY), 3, text)


def anew(text: str) -> object:
    return writing(text).offered


def test_keys_are_typed_and_what_is_offered_follows() -> None:
    page = writing("a")
    assert page.press("b")
    assert (page.text, page.offered) == ("ab", anew("ab"))
    assert page.press(BACKSPACE)
    assert (page.text, page.offered) == ("a", anew("a"))


def test_tab_and_digits_take_a_word_and_its_space() -> None:
    page = writing("a ")
    first, second = (offer.text for offer in page.offered.words[:2])
    assert page.press(TAB)
    assert page.text == f"a {first} "
    page = writing("a ")
    page.press("2")
    assert page.text == f"a {second} "
    assert page.offered == anew(page.text)


def test_a_digit_that_chooses_nothing_is_typed_and_one_that_does_after_ctrl_v() -> None:
    page = writing("a ")
    assert page.press(LITERALLY)
    assert page.press("1")
    assert page.text == "a 1"
    assert not writing("a ").press("9")  # the vocabulary lacks it


def test_what_the_model_does_not_know_is_of_no_use() -> None:
    page = writing("a")
    assert not page.press("X")
    assert not page.press("\x01")
    assert (page.text, page.offered) == ("a", anew("a"))


def test_only_so_many_keys_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PLACES", 3)
    page = writing("ab ab")
    assert [page.press(BACKSPACE) for _ in range(4)] == [True, True, True, False]
    assert page.text == "ab"
    page.press("b")
    assert page.text == "abb"
    np.testing.assert_array_equal(
        [offer.probability for offer in page.offered.words],
        [offer.probability for offer in writing("abb").offered.words],
    )
