"""Words and what is between them: joined again they are the text, and blocks play no part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from charrnn.text.units import whole_words, words

TEXT = st.text(st.sampled_from("ab_9é漢 \n-.\u0301😀"), max_size=40)
LONG = st.lists(st.sampled_from(["a", "b" * 31, "c" * 63, "d" * 64, "é" * 65, " ", "\n", "-"]), max_size=8).map("".join)


@given(TEXT | LONG)
def test_the_units_of_a_text_are_the_text(text: str) -> None:
    units = words(text)
    assert "".join(units) == text
    assert all(len(unit) == 1 or (len(unit) <= 64 and unit.replace("_", "a").isalnum()) for unit in units)


@given(TEXT | LONG)
def test_every_cut_gives_the_same_units(text: str) -> None:
    expected = words(text)
    cuts = [[text[:at], text[at:]] for at in range(len(text) + 1)]
    for blocks in [*cuts, list(text)]:
        pieces = list(whole_words(blocks))
        assert [unit for piece in pieces for unit in words(piece)] == expected
        assert "" not in pieces


def test_words() -> None:
    assert words("Don't  go_2 naïve\n") == ["Don", "'", "t", " ", " ", "go_2", " ", "naïve", "\n"]
    assert [len(word) for word in words("x" * 130)] == [64, 64, 2]


def test_a_run_without_end_is_not_kept_in_memory() -> None:
    pieces = list(whole_words(["y" * 1000] * 50))
    assert max(map(len, pieces)) <= 1064
    assert [unit for piece in pieces for unit in words(piece)] == words("y" * 50_000)
