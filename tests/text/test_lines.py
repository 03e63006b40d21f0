"""A text comes out line by line, whatever pieces it comes in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.text.lines import TextLine, first_place, text_lines
from charrnn.text.units import whole_words, words

TEXTS = st.text("ab \n\r_é", max_size=60)


def cut(text: str, places: list[int]) -> Iterator[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    yield from (text[a:b] for a, b in pairwise(edges) if a < b)


@given(TEXTS, st.lists(st.integers(0, 60), max_size=6))
def test_lines_are_those_of_the_text_whatever_the_pieces(text: str, places: list[int]) -> None:
    expected = [TextLine(n, 1, line) for n, line in enumerate(text.split("\n"), start=1)]
    expected = [TextLine(line.number, 1, f"{line.content}\n") for line in expected[:-1]] + [
        line for line in expected[-1:] if line.content
    ]
    assert list(text_lines(cut(text, places), "char")) == expected
    data = [piece.encode() for piece in cut(text, places)]
    assert list(text_lines(data, "byte")) == [TextLine(e.number, 1, str(e.content).encode()) for e in expected]


@given(TEXTS, st.lists(st.integers(0, 60), max_size=6), st.integers(1, 9), st.sampled_from(["char", "word"]))
def test_long_lines_come_in_parts_that_know_their_columns(
    text: str, places: list[int], longest: int, unit: str
) -> None:
    pieces = whole_words(cut(text, places)) if unit == "word" else cut(text, places)
    found = list(text_lines(pieces, unit, longest))  # type: ignore[arg-type]
    assert "".join(str(part.content) for part in found) == text
    for part in found:
        line = f"{text}\n".split("\n")[part.number - 1] + "\n"
        assert line[part.column - 1 :].startswith(str(part.content))
        if unit == "char":
            assert len(part.content) <= longest
    if unit == "word":
        assert [word for part in found for word in words(str(part.content))] == words(text)


def test_a_line_is_told_before_the_next_one_is_read() -> None:
    def typed() -> Iterator[str]:
        yield "one\ntw"
        pytest.fail("nothing more is needed")

    assert next(text_lines(typed(), "char")).content == "one\n"


def test_a_line_without_an_end_is_not_kept_in_memory() -> None:
    told = []

    def endless() -> Iterator[str]:
        for n in range(30):
            told.append(n)
            yield "x" * 10

    parts = text_lines(endless(), "char", 20)
    assert (next(parts).content, told[-1]) == ("x" * 20, 4)


def test_where_a_symbol_stands_first() -> None:
    assert first_place("say é and é", "é", "char") == 4
    assert first_place("hens and hen", "hen", "word") == 9
    assert first_place(b"ab\xff", "\udcff", "byte") == 2
