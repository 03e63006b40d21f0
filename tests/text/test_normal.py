"""The normal form of text does not depend on where the blocks are cut."""

from __future__ import annotations

import sys
import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema.corpus import Corpus
from charrnn.errors import DataError
from charrnn.text.normal import Form, lower, normalised, normalised_text, starts_segment

FORMS: tuple[Form, ...] = get_args(Form)

# Hangul in three jamo and composed, marks of several classes in the wrong order, compositions across starters (Tamil,
# Sinhala, Balinese), singletons, ligatures, line ends, both sigmas, the dotted capital I.
AWKWARD = (
    "\u1112\u1161\u11ab\ud55c\uac00\u11a8e\u0301\u0323\u0345\u0316\u0334\u0bc6\u0bbe\u0ddc\u0dca\u1b05\u1b35\u212b\ufb01"
    "\r\nΣςİIi\ufeffẞ℡"
)
AWKWARD_TEXT = st.text(st.sampled_from(AWKWARD) | st.characters(exclude_categories=["Cs"]), max_size=10)


def settings(**keys: str) -> Corpus:
    return Corpus.model_validate({"source": "x", **keys})


def in_blocks(blocks: list[str], given: Corpus) -> str:
    found = list(normalised(blocks, given, "book.txt"))
    assert "" not in found
    return "".join(found)


@pytest.mark.parametrize("form", ["none", *FORMS])
@pytest.mark.parametrize("case", ["keep", "lower"])
@given(text=AWKWARD_TEXT)
def test_every_cut_gives_the_same_text(form: str, case: str, text: str) -> None:
    given = settings(normal_form=form, case=case)
    expected = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for step in ("form", "case", "form"):
        if step == "form" and form != "none":
            expected = unicodedata.normalize(form, expected)  # type: ignore[arg-type]
        elif step == "case" and case == "lower":
            expected = "".join(char.lower() for char in expected)
    assert in_blocks([text], given) == expected
    assert in_blocks(list(text), given) == expected
    for at in range(len(text) + 1):
        assert in_blocks([text[:at], text[at:]], given) == expected


def test_a_segment_starts_only_where_nothing_composes_backwards() -> None:
    """Every character that Unicode composes with the one before it, and every mark, is held back."""
    for code in range(0xAC00, 0xAC00 + 11172):
        jamo = unicodedata.normalize("NFD", chr(code))
        assert [starts_segment(char, "NFC") for char in jamo] == [True] + [False] * (len(jamo) - 1)
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        assert not (unicodedata.combining(char) and starts_segment(char, "NFD"))
        decomposed = unicodedata.decomposition(char)
        if decomposed and not decomposed.startswith("<") and unicodedata.is_normalized("NFC", char):
            assert not starts_segment(unicodedata.normalize("NFC", chr(int(decomposed.split()[-1], 16))), "NFC")


def test_lower_case_keeps_segment_starts() -> None:
    """Otherwise pieces that are normalised, lower-cased and normalised again could still touch each other."""
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char.lower() != char:
            for form in FORMS:
                if starts_segment(char, form):
                    assert starts_segment(unicodedata.normalize(form, char).lower()[0], form)


def test_lower_case_looks_at_one_character_at_a_time() -> None:
    assert lower("ΟΔΟΣ ΣΑΣ") == "οδοσ σασ"
    for code in range(sys.maxunicode + 1):
        if chr(code).lower() != chr(code):
            assert lower(f"A{chr(code)}") == "a" + chr(code).lower()


def test_the_form_has_the_last_word_over_the_case() -> None:
    assert in_blocks(["\u03aa\u0301"], settings(normal_form="NFC", case="lower")) == "\u0390"
    assert in_blocks(["\u2121"], settings(normal_form="NFKC", case="lower")) == "tel"


def test_the_byte_order_mark_goes_from_the_beginning_only() -> None:
    assert in_blocks(["", "\ufeffa\ufeff"], settings()) == "a\ufeff"
    assert in_blocks(["\ufeff\ufeffa"], settings()) == "\ufeffa"
    assert in_blocks(["\ufeffa"], settings(bom="keep")) == "\ufeffa"


def test_newlines() -> None:
    assert in_blocks(["a\r", "\nb\r", "\r", "\n\nc\r"], settings()) == "a\nb\n\n\nc\n"
    assert in_blocks(["a\r", "\nb\rc"], settings(newlines="keep")) == "a\r\nb\rc"


def test_text_without_ascii_is_cut_soon() -> None:
    blocks = ["漢字かな" * 100, "\u1112\u1161\u11ab" * 100, "é" * 100] * 3
    pieces = list(normalised(blocks, settings(normal_form="NFC"), "book.txt"))
    assert max(map(len, pieces)) <= 400
    assert "".join(pieces) == unicodedata.normalize("NFC", "".join(blocks))


def test_marks_without_end_are_refused_in_bounded_memory() -> None:
    blocks = iter(["e" + "\u0301" * 40_000] + ["\u0301" * 40_000] * 1000)
    with pytest.raises(DataError, match="combining marks") as caught:
        in_blocks(list(blocks), settings(normal_form="NFD"))
    assert caught.value.where == "book.txt"


def test_a_seed_takes_the_form_of_the_corpus() -> None:
    assert normalised_text("E\u0301THIK\r\n", settings(normal_form="NFC", case="lower")) == "éthik\n"
    assert normalised_text("A\r\n", settings(unit="byte")) == "A\r\n"
