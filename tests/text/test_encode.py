"""Symbols that a vocabulary lacks: named, passed over, or replaced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.text.encode import UnknownSymbols
from charrnn.text.vocabulary import Vocabulary

PLAIN = Vocabulary("char", (), tuple("\n '-AEabcefino"))
WORDS = Vocabulary("word", (), (" ", "Ab", "cafe", "two"))
BYTES = Vocabulary("byte", tuple(sorted(b" abc\xc3\xa9")), ())
SPELLS = Vocabulary("char", tuple(range(256)), ("a",))


def test_unknown_symbols_are_named_once_each_in_order() -> None:
    with pytest.raises(UnknownSymbols) as caught:
        PLAIN.encode("aé\u0007zé😀z")
    assert caught.value.symbols == ("é", "\u0007", "z", "😀")
    assert caught.value.exit_code == 3
    assert caught.value.what == (
        "the vocabulary lacks 4 symbols of the text: 'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE), '\\x07' (U+0007), "
        "'z' (U+007A LATIN SMALL LETTER Z), '😀' (U+1F600 GRINNING FACE)"
    )
    assert caught.value.hint is not None
    assert "--unknown skip" in caught.value.hint
    assert "--unknown replace" in caught.value.hint


def test_many_unknown_symbols_are_counted() -> None:
    with pytest.raises(UnknownSymbols, match=r"lacks 26 symbols .* and 16 more$") as caught:
        PLAIN.encode("".join(map(chr, range(0x3B1, 0x3CB))))
    assert len(caught.value.symbols) == 26
    with pytest.raises(UnknownSymbols, match=r"lacks 1 symbol of"):
        PLAIN.encode_block("abz")


def test_skip_leaves_them_out() -> None:
    assert PLAIN.decode(PLAIN.encode("azébzzc", unknown="skip")) == "abc"
    assert WORDS.decode(WORDS.encode("two three two", unknown="skip")) == "two  two"
    assert BYTES.encode(b"a\xffb", unknown="skip").tolist() == BYTES.encode(b"ab").tolist()
    assert PLAIN.encode("zzz", unknown="skip").tolist() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aB", "ab"),  # the other case
        ("e", "e"),
        ("café", "cafe"),  # the letter without its mark
        ("É", "E"),
        ("Ê", "E"),
        ("N̄", "n "),  # a mark on its own
        ("ﬁ", "fi"),  # a ligature
        ("’–—\u00a0", "'-- "),  # printers' signs
        ("a漢b", "a b"),  # nothing like it: a space
    ],
)
def test_replace_puts_what_is_most_like_it(text: str, expected: str) -> None:
    assert PLAIN.decode(PLAIN.encode(text, unknown="replace")) == expected


def test_replace_in_words_and_bytes() -> None:
    assert WORDS.decode(WORDS.encode("TWO café ab", unknown="replace")) == "two cafe  "
    assert BYTES.decode(BYTES.encode("aéÉêB", unknown="replace")) == "aéé b"
    assert BYTES.encode(b"a\xff", unknown="replace").tolist() == BYTES.encode("a ").tolist()


def test_replace_knows_the_other_case_of_a_plain_letter() -> None:
    upper, lower = Vocabulary("char", (), (" ", "A")), Vocabulary("char", (), (" ", "a"))
    assert upper.decode(upper.encode("äÄaA", unknown="replace")) == "AAAA"
    assert lower.decode(lower.encode("äÄaA", unknown="replace")) == "aaaa"


def test_replace_without_a_space_leaves_out() -> None:
    assert Vocabulary("char", (), ("a", "b")).encode("a漢b", unknown="replace").tolist() == [1, 2]


def test_bytes_that_are_not_utf8() -> None:
    with pytest.raises(UnknownSymbols, match="byte 0xFF"):
        BYTES.encode(b"a\xff")
    typed = b"a\xc3".decode("utf-8", "surrogateescape")  # how Python hands over such a command line
    assert BYTES.encode(typed).tolist() == BYTES.encode(b"a\xc3").tolist()
    with pytest.raises(DataError, match="not UTF-8"):
        PLAIN.encode(b"a\xff")
    assert PLAIN.encode(b"ab").tolist() == PLAIN.encode("ab").tolist()


@pytest.mark.parametrize("vocabulary", [PLAIN, SPELLS, BYTES, Vocabulary("word", tuple(range(256)), ("a",))])
@pytest.mark.parametrize("code", [0xD800, 0xDCFF])
def test_lone_surrogates_are_unknown_everywhere(vocabulary: Vocabulary, code: int) -> None:
    surrogate = chr(code)
    with pytest.raises(UnknownSymbols) as caught:
        vocabulary.encode(f"a{surrogate}a")
    assert caught.value.symbols == (surrogate,)
    assert vocabulary.decode(vocabulary.encode(f"a{surrogate}a", unknown="skip")) == "aa"


SAMPLES = st.text(st.sampled_from("ab éz漢\udc80\ud800\U0010ffff") | st.characters(), max_size=30)


@given(SAMPLES, st.sampled_from([PLAIN, WORDS, BYTES, SPELLS]))
def test_whole_blocks_and_single_symbols_agree(text: str, vocabulary: Vocabulary) -> None:
    bulk = vocabulary._encoder.bulk(text)
    if bulk is not None:
        assert bulk.tolist() == vocabulary._encoder.careful(text, "error").tolist() == vocabulary.encode(text).tolist()
        return
    with pytest.raises(UnknownSymbols) as caught:
        vocabulary.encode(text)
    missing = caught.value.symbols
    assert list(missing) == list(dict.fromkeys(missing)) != []
    assert all(symbol in text for symbol in missing)
    for unknown in ("skip", "replace"):
        ids = vocabulary.encode(text, unknown=unknown)
        assert np.all((ids > 0) & (ids < vocabulary.size))
