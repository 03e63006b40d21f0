"""Strings that have to appear: where they are written, and that they always are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config.schema import Sample
from charrnn.errors import UsageError
from charrnn.sample.several import check_options, several
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary

CHARACTERS = Vocabulary("char", (), tuple(" abcdw"))
SPELLING = Vocabulary("char", tuple(range(256)), tuple(" abcdw"))
WORDS = Vocabulary("word", tuple(range(256)), (" ", "a", "ab", "cd"))


class Even:
    """Every symbol is as likely as any other."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.size = vocabulary.size

    def initial_state(self, batch: int) -> State:
        return {"none": np.zeros((batch, 1))}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        return np.zeros((len(ids_B), self.size)), state


class Saying(Even):
    """It wants to say one text over and over, whatever it has read; the state counts."""

    def __init__(self, vocabulary: Vocabulary, text: str) -> None:
        super().__init__(vocabulary)
        self.ids = vocabulary.encode(text)

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        place = int(state["none"][0, 0])
        logits_BV = np.zeros((1, self.size))
        logits_BV[0, self.ids[place % len(self.ids)]] = 99.0
        return logits_BV, {"none": state["none"] + 1}


def written(model: Even, vocabulary: Vocabulary, seed: str = "", **options: Any) -> str:
    prompt = vocabulary.encode(seed).tolist()
    return "".join(one.piece for one in several(model, vocabulary, prompt, Sample(**options), (0,)))


def said(text: str, seed: str = "", **options: Any) -> str:
    return written(Saying(CHARACTERS, text), CHARACTERS, seed, greedy=True, **options)


def test_it_is_written_out_where_the_model_begins_a_word_with_its_first_symbol() -> None:
    # The model means to say "ca ca ca …"; it is at its own place in that, whatever is written.
    assert said("ca ", length=9, require=("cab",)) == "cab" + "ca " + "ca "
    assert said("aw ca ", length=12, require=("cab",)) == "aw cab" + "aw ca "
    # Not within a word, unless it begins with no letter.
    assert said("awa ", length=20, require=("wd",)) == "awa awa awa awa wda "
    assert said("a b", length=9, require=(" b",)) == "a b" + "a b" * 2


def test_a_seed_that_ends_within_a_word_is_not_a_place_to_begin() -> None:
    assert said("aw ", length=12, require=("ab",)) == "ab aw aw aw "
    assert said("aw ", "d ", length=12, require=("ab",)).startswith("w ab")
    assert said("aw ", "a", length=12, require=("ab",)) == "aw ab aw aw "


def test_what_has_not_come_by_itself_is_written_at_the_end_where_a_word_may_begin() -> None:
    text = said("ab ", length=60, require=("wcd",))
    place = text.index("wcd")
    # A quarter of the length before the last place, 57, is 42, where a word begins.
    assert place == 42
    assert said("ab ", length=300, require=("wcd",)).index("wcd") == 273, "24 symbols before it, where there is room"
    assert said("ab", length=60, require=("wcd",)).index("wcd") == 57, "no place but the last"
    assert said("ab", length=10, require=("wc", "db")) == "ababab" + "wcdb"


def test_stop_strings_wait_for_it() -> None:
    assert said("ab ca ", length=30, require=("cab",), stop=(" ",)) == "ab cabab"
    assert said("ab ca ", length=30, stop=(" ",)) == "ab"


@settings(max_examples=200, deadline=None)
@given(
    vocabulary=st.sampled_from([CHARACTERS, SPELLING, WORDS]),
    require=st.lists(st.text(" abcd", min_size=1, max_size=5), max_size=3).map(tuple),
    extra=st.integers(0, 60),
    seed=st.integers(0, 99),
    stop=st.lists(st.text(" abcd", min_size=1, max_size=2), max_size=1).map(tuple),
    ban=st.sampled_from(["", "\ufffd", "w"]),
)
def test_whatever_is_required_appears(
    vocabulary: Vocabulary,
    require: tuple[str, ...],
    extra: int,
    seed: int,
    stop: tuple[str, ...],
    ban: str,
) -> None:
    length = max(1, sum(len(vocabulary.encode(text)) for text in dict.fromkeys(require)) + extra)
    options: dict[str, Any] = {"require": require, "stop": stop, "ban": ban, "random_seed": seed, "length": length}
    text = written(Even(vocabulary), vocabulary, **options)
    assert all(string in text for string in require)
    assert not set(text) & set(ban)


def test_no_character_is_broken_off_for_it() -> None:
    for seed in range(100):
        options: dict[str, Any] = {"require": ("aa",), "only": "aé漢", "length": 8 + seed % 5, "random_seed": seed}
        text = written(Even(SPELLING), SPELLING, **options)
        assert "aa" in text
        assert set(text) <= set("aé漢")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"require": ("x",)}, "'x'"),
        ({"require": ("ab",), "ban": "b"}, "--ban"),
        ({"require": ("ab",), "only": "a"}, "--ban or --only"),
        ({"require": ("abcd", "dw"), "length": 5}, "takes 6"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError) as error:
        check_options(Sample(**options), CHARACTERS)
    assert why in str(error.value.why)


def test_what_had_to_come_has_the_probability_one() -> None:
    def odds() -> Iterator[tuple[str, float | None]]:
        options = Sample(length=6, require=("wcd",), greedy=True)
        for one in several(Saying(CHARACTERS, "a"), CHARACTERS, [], options, (0,), odds=0):
            assert one.odds is not None
            yield one.piece, one.odds.drawn

    assert [(piece, probability == 1.0) for piece, probability in odds()][-3:] == [(c, True) for c in "wcd"]
