"""Characters that may not appear, and the symbols that keep to that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.errors import UsageError
from charrnn.sample.charset import Charset
from charrnn.sample.text import Text
from charrnn.text.vocabulary import Vocabulary

CHARACTERS = Vocabulary("char", (), ("a", "b", "c"))
SPELLING = Vocabulary("char", tuple(range(256)), ("a", "b", "é"))
WORDS = Vocabulary("word", tuple(range(256)), (" ", "a", "cab", "dad"))
FEW_BYTES = Vocabulary("byte", (0x61, 0xA9, 0xAA, 0xC3, 0xE9), ())
ALL = (CHARACTERS, SPELLING, WORDS, FEW_BYTES)


def allowed(vocabulary: Vocabulary, ban: str = "", only: str | None = None, pending: bytes = b"") -> list[str]:
    banned_V = Charset(vocabulary, ban, only).banned(pending)
    return [vocabulary.symbol(int(id_)) for id_ in np.flatnonzero(~banned_V)]


def test_start_is_always_banned_and_nothing_else_is_without_a_reason() -> None:
    for vocabulary in ALL:
        for pending in (b"", b"\xc3", b"\xe9"):
            mask_V = Charset(vocabulary).banned(pending)
            assert mask_V.tolist() == [True] + [False] * (vocabulary.size - 1)


def test_characters_are_banned_or_allowed() -> None:
    assert allowed(CHARACTERS, ban="bx") == ["a", "c"]
    assert allowed(CHARACTERS, only="bxc") == ["b", "c"]
    assert allowed(CHARACTERS, ban="b", only="bc") == ["c"]


def test_a_word_is_banned_for_any_of_its_characters() -> None:
    assert [word for word in allowed(WORDS, ban="d") if not word.startswith("<0x")] == ["<space>", "a", "cab"]
    assert [word for word in allowed(WORDS, only="da") if not word.startswith("<0x")] == ["a", "dad"]


def test_a_character_is_banned_as_its_bytes_too() -> None:
    assert "<0x61>" not in allowed(SPELLING, ban="a")
    # é is C3 A9: C3 may come, for other letters begin with it, but not A9 after it.
    assert "<0xC3>" in allowed(SPELLING, ban="é")
    assert "<0xA9>" in allowed(SPELLING, ban="é")
    assert "<0xA9>" not in allowed(SPELLING, ban="é", pending=b"\xc3")
    assert "<0xAA>" in allowed(SPELLING, ban="é", pending=b"\xc3")


def test_only_bytes_that_lead_to_an_allowed_character_may_begin_one() -> None:
    assert allowed(SPELLING, only="aé") == ["<0x61>", "<0xC3>", "a", "é"]
    assert allowed(SPELLING, only="aé", pending=b"\xc3") == ["<0xA9>"]
    assert allowed(SPELLING, only="漢a", pending=b"\xe6") == ["<0xBC>"]


def test_a_byte_whose_every_completion_is_banned_is_not_begun() -> None:
    assert allowed(FEW_BYTES) == ["a", "<0xA9>", "<0xAA>", "<0xC3>", "<0xE9>"]
    assert "<0xC3>" in allowed(FEW_BYTES, ban="é")
    assert "<0xC3>" not in allowed(FEW_BYTES, ban="éê")
    assert "<0xE9>" in allowed(FEW_BYTES, ban="éê"), "banning does not touch bytes that form nothing banned"
    assert "<0xE9>" in allowed(FEW_BYTES, ban="a")


def test_broken_characters_can_be_banned() -> None:
    assert allowed(FEW_BYTES, ban="\ufffd") == ["a", "<0xC3>", "<0xE9>"]
    assert allowed(FEW_BYTES, ban="\ufffd", pending=b"\xc3") == ["<0xA9>", "<0xAA>"]


@pytest.mark.parametrize(
    ("vocabulary", "ban", "only"), [(CHARACTERS, "abc", None), (CHARACTERS, "", "xyz"), (WORDS, "ab", "ab")]
)
def test_a_charset_that_leaves_nothing_is_refused(vocabulary: Vocabulary, ban: str, only: str | None) -> None:
    with pytest.raises(UsageError, match="left to draw") as error:
        Charset(vocabulary, ban, only)
    assert error.value.where == ("--ban" if only is None else "--only")


@settings(max_examples=300, deadline=None)
@given(
    vocabulary=st.sampled_from(ALL),
    ban=st.text("abdéê漢\ufffd ", max_size=4),
    only=st.none() | st.text("abcdéê漢\ufffd ", min_size=1, max_size=5),
    choices=st.lists(st.integers(0, 10**6), max_size=30),
)
def test_a_text_of_allowed_symbols_keeps_to_the_charset_and_never_gets_stuck(
    vocabulary: Vocabulary, ban: str, only: str | None, choices: list[int]
) -> None:
    try:
        charset = Charset(vocabulary, ban, only)
    except UsageError:
        return
    text = Text(vocabulary)
    written = ""
    for choice in choices:
        free = np.flatnonzero(~charset.banned(text.pending))
        assert len(free)
        written += text.feed(int(free[choice % len(free)]))
    written += text.finish(charset.permits_broken)
    assert not set(written) & set(ban)
    assert only is None or set(written) <= set(only)
