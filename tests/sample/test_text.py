"""The text of symbols as it comes, up to a stop string."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from charrnn.sample.text import Text, text_of
from charrnn.text.vocabulary import Vocabulary

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


def fed(text: Text, ids: list[int]) -> list[str]:
    return [text.feed(symbol) for symbol in ids if not text.ended]


def test_a_stop_string_counts_only_after_what_is_required() -> None:
    ids = CHARACTERS.encode("abcabacba").tolist()
    text = Text(CHARACTERS, ("b",), ("cab", "ac"))
    assert "".join(fed(text, ids)) == "abcabac"
    assert text.ended
    assert text.missing == ()
    assert text.finish() == ""


@settings(max_examples=300)
@given(text=st.text("abc", max_size=12), stop=stops, require=stops)
def test_required_strings_are_missing_until_the_symbol_that_completes_the_last(
    text: str, stop: tuple[str, ...], require: tuple[str, ...]
) -> None:
    grown = Text(CHARACTERS, stop, require)
    found = "".join(fed(grown, CHARACTERS.encode(text).tolist())) + grown.finish()
    free = next((n for n in range(len(text) + 1) if all(r in text[:n] for r in require)), len(text))
    assert found == text[:free] + cut(text[free:], stop)
    assert grown.missing == tuple(r for r in require if r not in found)


def test_a_copy_goes_its_own_way() -> None:
    one = Text(BYTES, ("ab",))
    fed(one, [1 + 0xC3])
    other = one.copy()
    assert fed(one, [1 + 0xA9, 1 + ord("a")]) == ["é", ""]
    assert fed(other, [1 + ord("b")]) == ["\ufffdb"]
    assert (one.last, other.last, one.finish(), other.finish()) == ("a", "b", "a", "")


def test_an_incomplete_character_at_the_end_is_shown_only_where_it_may_be() -> None:
    for shown, expected in ((True, "a\ufffd"), (False, "a")):
        text = Text(BYTES)
        assert "".join(fed(text, [1 + ord("a"), 1 + 0xE6])) + text.finish(shown) == expected
