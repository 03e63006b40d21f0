from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smallmodel import Small, letters

from charrnn.errors import DivergedError
from charrnn.sample.lines import Anew, LineReader, LineScore, Score, pieces
from charrnn.sample.reading import Reading
from charrnn.text.encode import UnknownSymbols
from charrnn.text.lines import TextLine, text_lines
from charrnn.text.vocabulary import Unit, Vocabulary

VOCABULARY = letters("abc\n")
SPELLING = Vocabulary("char", tuple(range(256)), tuple("\nab"))


def read(text: str | bytes, reader: LineReader, unit: Unit = "char") -> list[LineScore]:
    return [reader.score(line) for line in text_lines([text], unit)]


@given(st.text("abc\n", min_size=1, max_size=30))
def test_lines_add_up_to_the_text_read_at_once(text: str) -> None:
    lines = read(text, LineReader(Small(VOCABULARY), VOCABULARY))
    whole = sum((line.score for line in lines), Score())
    at_once = Reading(Small(VOCABULARY)).read(VOCABULARY.encode(text)[None])
    assert whole.total == pytest.approx(at_once.nats.sum(), rel=1e-12)
    assert whole.expected == pytest.approx(at_once.expected.sum(), rel=1e-12)
    assert (whole.symbols, whole.characters, whole.bytes) == (len(text),) * 3
    assert "\n".join(line.text for line in lines) == text.removesuffix("\n")


def test_figures_are_in_the_units_that_users_compare() -> None:
    figures = Score(10, 8, 12, 20.0, 15.0).figures()
    assert figures == {
        "symbols": 10,
        "characters": 8,
        "bytes": 12,
        "total_nats": 20.0,
        "nats": 2.0,
        "expected_nats": 1.5,
        "bits_per_char": pytest.approx(20.0 / math.log(2) / 8),
        "bits_per_byte": pytest.approx(20.0 / math.log(2) / 12),
    }
    assert Score(10, 8, 12, 20.0, 15.0).perplexity == pytest.approx(math.exp(2.0))
    assert Score().figures()["nats"] is None


def test_an_unknown_symbol_is_named_with_its_place() -> None:
    reader = LineReader(Small(VOCABULARY), VOCABULARY, name="notes.txt")
    with pytest.raises(UnknownSymbols) as error:
        read("ab\nabéx", reader)
    assert error.value.where == "notes.txt:2:3"
    assert error.value.symbols == ("é", "x")
    with pytest.raises(UnknownSymbols) as error:
        reader.score(TextLine(7, 100, "abé"))
    assert error.value.where == "notes.txt:7:102"


def test_unknown_symbols_are_left_out_or_replaced() -> None:
    (skipped,) = read("aXb", LineReader(Small(VOCABULARY), VOCABULARY, "skip"))
    (plain,) = read("ab", LineReader(Small(VOCABULARY), VOCABULARY))
    assert skipped.score == plain.score
    assert skipped.unknown == ("X",)
    (replaced,) = read("aBc", LineReader(Small(VOCABULARY), VOCABULARY, "replace"))
    (lower,) = read("abc", LineReader(Small(VOCABULARY), VOCABULARY))
    assert (replaced.score, replaced.text) == (lower.score, "aBc")


def test_a_model_without_finite_scores_is_refused() -> None:
    model = Small(VOCABULARY)
    model.out_HV[:] = np.nan
    with pytest.raises(DivergedError) as error:
        read("a\nb", LineReader(model, VOCABULARY, name="notes.txt"))
    assert error.value.where == "notes.txt:1"


def test_pieces_are_characters_however_they_are_spelled() -> None:
    (line,) = read("aéb", LineReader(Small(SPELLING), SPELLING))
    nats = line.surprise.nats.tolist()
    assert pieces(line, SPELLING) == [("a", nats[0]), ("é", pytest.approx(nats[1] + nats[2])), ("b", nats[3])]
    assert (line.score.symbols, line.score.characters, line.score.bytes) == (4, 3, 4)
    assert pieces(line, SPELLING)[1][0] == "é"


def test_bytes_that_form_no_character_are_still_scored() -> None:
    vocabulary = Vocabulary("byte", tuple(range(256)), ())
    (line,) = read(b"a\xff", LineReader(Small(vocabulary), vocabulary), "byte")
    assert line.text == "a\N{REPLACEMENT CHARACTER}"
    assert sum(nats for _, nats in pieces(line, vocabulary)) == pytest.approx(line.score.total)


@given(st.text("ab", max_size=20), st.lists(st.integers(0, 20), max_size=4))
def test_documents_begin_behind_each_separator_wherever_the_text_is_cut(text: str, places: list[int]) -> None:
    ids = letters("ab").encode(text)
    expected, end = np.zeros(len(ids) + 1, bool), 0
    while (found := text.find("ab", end)) >= 0:
        end = found + 2
        expected[end] = True
    anew = Anew(letters("ab").encode("ab"))
    begins = [anew.feed(part) for part in np.split(ids, sorted(place % (len(ids) + 1) for place in places))]
    assert np.concatenate(begins).tolist() == expected[:-1].tolist()


def test_the_state_begins_anew_with_a_document() -> None:
    one = LineReader(Small(VOCABULARY), VOCABULARY, separator=VOCABULARY.encode("\n\n"))
    lines = read("abc\n\nabc\n", one)
    assert lines[0].score.total == lines[2].score.total
    carried = read("abc\n\nabc\n", LineReader(Small(VOCABULARY), VOCABULARY))
    assert carried[2].score.total != carried[0].score.total
