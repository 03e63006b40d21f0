from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from charrnn.config.schema import Sample
from charrnn.sample.decode import generate, text_of
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary

V, H = 7, 5


class SmallNetwork:
    """A recurrent network with random weights; it keeps what it was asked to read."""

    def __init__(self) -> None:
        random = np.random.default_rng(1)
        self.in_VH = random.normal(size=(V, H))
        self.hidden_HH = random.normal(size=(H, H))
        self.out_HV = random.normal(size=(H, V))
        self.read: list[int] = []

    def initial_state(self, batch: int) -> State:
        return {"h": np.zeros((batch, H))}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        self.read += ids_B.tolist()
        h_BH = np.tanh(self.in_VH[ids_B] + state["h"] @ self.hidden_HH)
        return h_BH @ self.out_HV, {"h": h_BH}


class Certain:
    """After the symbol s the symbol s + 1 comes, from START on; every other score is lower, START's is highest."""

    def initial_state(self, batch: int) -> State:
        return {}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        logits_BV = np.full((len(ids_B), V), -1e9)
        logits_BV[:, 0] = 1e9
        logits_BV[np.arange(len(ids_B)), ids_B % (V - 1) + 1] = 0.0
        return logits_BV, state


def drawn(prompt: list[int], sample: int = 0, **options: Any) -> list[int]:
    return list(generate(SmallNetwork(), prompt, Sample(**({"length": 30} | options)), sample))


def test_the_prompt_warms_the_state_as_stepping_by_hand_does() -> None:
    prompt = [3, 1, 4, 1, 5]
    network = SmallNetwork()
    state = network.initial_state(1)
    for symbol in prompt:
        logits_BV, state = network.step(np.array([symbol]), state)
    expected = []
    for _ in range(30):
        logits_BV[0, Vocabulary.START] = -np.inf
        expected.append(int(logits_BV[0].argmax()))
        logits_BV, state = network.step(np.array([expected[-1]]), state)
    assert drawn(prompt, greedy=True) == expected
    assert len(set(expected)) > 1


def test_the_model_reads_the_prompt_and_then_what_was_drawn() -> None:
    network = SmallNetwork()
    symbols = list(generate(network, [3, 1], Sample(length=10)))
    assert network.read[:12] in ([3, 1, *symbols], [3, 1, *symbols[:-1]])


def test_all_of_the_prompt_plays_a_part() -> None:
    assert drawn([3, 1, 4]) != drawn([4])
    assert drawn([3, 1, 4]) != drawn([3, 2, 4])


@pytest.mark.parametrize("prompt", [[], (), np.array([], dtype=np.int64)], ids=["list", "tuple", "array"])
def test_an_empty_prompt_begins_from_start(prompt: Any) -> None:
    network = SmallNetwork()
    first = next(generate(network, prompt, Sample(length=3, greedy=True)))
    assert network.read == [Vocabulary.START]
    assert first == drawn([Vocabulary.START], greedy=True)[0]


def test_as_many_symbols_are_drawn_as_were_asked_for() -> None:
    for length in (1, 2, 17):
        assert len(drawn([1], length=length)) == length


def test_the_start_symbol_is_never_drawn() -> None:
    for greedy in (True, False):
        options = Sample(length=8, greedy=greedy)
        assert list(generate(Certain(), [], options)) == [1, 2, 3, 4, 5, 6, 1, 2]
    assert Vocabulary.START not in drawn([1], length=500, temperature=50.0)


def test_the_random_seed_decides_the_text() -> None:
    assert drawn([2], random_seed=5) == drawn([2], random_seed=5)
    assert drawn([2], random_seed=5) != drawn([2], random_seed=6)
    assert drawn([2], random_seed=0, sample=5) != drawn([2], random_seed=5, sample=0)


def test_a_sample_is_the_same_however_many_there_are_and_however_they_are_read() -> None:
    options = Sample(length=12)
    alone = list(generate(SmallNetwork(), [2], options, 3))
    many = [list(generate(SmallNetwork(), [2], options, number)) for number in range(5)]
    network = SmallNetwork()
    in_turn = list(zip(*(generate(network, [2], options, number) for number in range(4)), strict=True))
    assert many[3] == alone == [symbols[3] for symbols in in_turn]
    assert len({tuple(symbols) for symbols in many}) == 5


def test_a_shorter_sample_is_the_beginning_of_a_longer_one() -> None:
    assert drawn([2], length=40)[:15] == drawn([2], length=15)


def test_greedy_takes_the_likeliest_whatever_seed_and_temperature() -> None:
    texts = [
        drawn([2], greedy=True, **options)
        for options in ({}, {"random_seed": 9}, {"temperature": 3.0}, {"top_k": 2}, {"top_p": 0.1}, {"min_p": 0.5})
    ]
    assert all(text == texts[0] for text in texts)
    assert drawn([2], top_k=1) == texts[0]


def test_filters_take_part_in_the_draw() -> None:
    assert drawn([2], top_k=1, random_seed=1) == drawn([2], top_k=1, random_seed=2)
    assert drawn([2], temperature=1e-6) == drawn([2], greedy=True)


class Stop(Exception):
    pass


def stop_after(allowed: int) -> Callable[[], None]:
    left = iter(range(allowed))

    def check() -> None:
        if next(left, None) is None:
            raise Stop

    return check


def test_the_check_comes_before_every_symbol_and_stops_the_text() -> None:
    prompt, length = [3, 1, 4], 6
    whole = drawn(prompt, length=length)
    reads = [*prompt, *whole[:-1]]  # what is drawn last is not read
    for allowed in range(len(reads)):
        network = SmallNetwork()
        with pytest.raises(Stop):
            list(generate(network, prompt, Sample(length=length), 0, stop_after(allowed)))
        assert network.read == reads[:allowed]
    assert list(generate(SmallNetwork(), prompt, Sample(length=length), 0, stop_after(len(reads)))) == whole


CHARACTERS = Vocabulary("char", (), ("a", "b", "c"))
BYTES = Vocabulary("byte", tuple(range(256)), ())
WORDS = Vocabulary("word", tuple(range(256)), (" ", "a", "ab", "abc", "b", "c"))


def pieces(vocabulary: Vocabulary, ids: list[int], stop: tuple[str, ...] = ()) -> list[str]:
    return list(text_of(iter(ids), vocabulary, stop))


def cut(text: str, stop: tuple[str, ...]) -> str:
    """The simple definition: what lies in front of the earliest of the stop strings."""
    return min((text.split(s, 1)[0] for s in stop), key=len, default=text)


def test_the_text_is_what_the_symbols_stand_for() -> None:
    text = "abcabcbca"
    assert "".join(pieces(CHARACTERS, CHARACTERS.encode(text).tolist())) == text
    assert pieces(CHARACTERS, []) == []


def test_without_stop_strings_every_character_comes_with_its_symbol() -> None:
    assert pieces(CHARACTERS, [1, 2, 3, 1]) == ["a", "b", "c", "a"]
    ids = BYTES.encode("a漢".encode()).tolist()
    assert [p for p in pieces(BYTES, ids) if p] == ["a", "漢"]


def test_bytes_that_form_no_character_are_shown_as_such_at_the_end_too() -> None:
    ids = BYTES.encode("é漢".encode()).tolist()
    assert "".join(pieces(BYTES, ids[:-1])) == "é\ufffd"
    assert "".join(pieces(BYTES, ids[1:])) == "\ufffd漢"


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("abcabc", ("b",), "a"),
        ("abcabc", ("abc",), ""),
        ("aabcabc", ("abc",), "a"),
        ("ababc", ("abc",), "ab"),
        ("abcabc", ("ca",), "ab"),
        ("abab", ("abc",), "abab"),
        ("abca", ("aba", "bca"), "a"),
        ("abcb", ("abcc", "b"), "a"),
        ("abc", ("abc", "b"), ""),
        ("aabcab", ("bcab", "ca"), "aa"),
        ("aab", ("ab", "aab"), ""),
        ("aab", ("aabc", "b"), "aa"),
    ],
)
def test_the_text_ends_in_front_of_the_stop_string_that_begins_first(
    text: str, stop: tuple[str, ...], expected: str
) -> None:
    assert "".join(pieces(CHARACTERS, CHARACTERS.encode(text).tolist(), stop)) == expected == cut(text, stop)


def test_nothing_is_drawn_after_a_stop_string() -> None:
    symbols = iter(CHARACTERS.encode("abcabc").tolist())
    assert "".join(text_of(symbols, CHARACTERS, ("bc",))) == "a"
    assert list(symbols) == CHARACTERS.encode("abc").tolist()


def test_text_is_held_back_only_while_it_may_become_a_stop_string() -> None:
    seen: list[tuple[int, str]] = []
    ids = CHARACTERS.encode("aabacab").tolist()
    count = 0

    def counted() -> Iterator[int]:
        nonlocal count
        for count, symbol in enumerate(ids, 1):  # noqa: B007
            yield symbol

    for piece in text_of(counted(), CHARACTERS, ("abc",)):
        seen.append((count, piece))
    # a | aa: one may go | aab | aaba: "ab" may go | aabac: all may go | … | the end releases what is left.
    assert seen == [(2, "a"), (4, "ab"), (5, "ac"), (7, "ab")]


def test_a_stop_string_may_span_symbols_bytes_and_the_end() -> None:
    text = "x漢字y"
    ids = BYTES.encode(text.encode()).tolist()
    assert "".join(pieces(BYTES, ids, ("漢字",))) == "x"
    assert "".join(pieces(BYTES, ids, ("字y",))) == "x漢"
    assert "".join(pieces(BYTES, ids[:-2], ("\ufffd",))) == "x漢"


def test_a_stop_string_inside_one_symbol_ends_the_text_within_it() -> None:
    ids = WORDS.encode("abc ab").tolist()
    assert "".join(pieces(WORDS, ids, ("bc",))) == "a"
    assert "".join(pieces(WORDS, ids, ("c a",))) == "ab"


stops = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3).map(tuple)


@settings(max_examples=300)
@given(text=st.text("abc", max_size=14), stop=stops)
@example(text="abc", stop=("abc", "b"))
def test_streaming_gives_what_cutting_the_whole_text_gives(text: str, stop: tuple[str, ...]) -> None:
    assert "".join(pieces(CHARACTERS, CHARACTERS.encode(text).tolist(), stop)) == cut(text, stop)


@settings(max_examples=200)
@given(words=st.lists(st.sampled_from(["a", "ab", "abc", "b", "c", " "]), max_size=8), stop=stops)
def test_how_the_text_is_cut_into_symbols_plays_no_part(words: list[str], stop: tuple[str, ...]) -> None:
    ids = [1 + 256 + WORDS.symbols.index(word) for word in words]
    assert "".join(pieces(WORDS, ids, stop)) == cut("".join(words), stop)


@settings(max_examples=200)
@given(data=st.binary(max_size=12), stop=st.lists(st.text("aé\ufffd", min_size=1, max_size=2), max_size=2).map(tuple))
def test_any_bytes_stream_as_they_decode(data: bytes, stop: tuple[str, ...]) -> None:
    ids = [1 + byte for byte in data]
    assert "".join(pieces(BYTES, ids, stop)) == cut(data.decode("utf-8", "replace"), stop)
    assert "".join(pieces(BYTES, ids)) == BYTES.decode(ids)


def test_generation_and_text_join_up() -> None:
    vocabulary = Vocabulary("char", (), tuple("abcdef"))
    options = Sample(length=100, stop=("ef", "cdX"))
    text = "".join(text_of(generate(Certain(), [3], options), vocabulary, options.stop))
    assert text == "d"
    assert "".join(islice(text_of(generate(Certain(), [], options), vocabulary), 4)) == "abcd"
