"""Ids and symbols, both ways; the JSON form refuses what is no vocabulary."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema.corpus import Corpus
from charrnn.errors import DataError
from charrnn.text.tally import Tally
from charrnn.text.vocabulary import Decoder, Vocabulary

TEXT = st.text(st.sampled_from("ab _é漢\n😀") | st.characters(exclude_categories=["Cs"]), max_size=60)
UNITS = st.sampled_from(["char", "word", "byte"])
MIN_COUNTS = st.integers(1, 4)


def of_text(text: str, unit: str = "char", min_count: int = 1) -> Vocabulary:
    tally = Tally(Corpus.model_validate({"source": "x", "unit": unit, "min_count": 1 if unit == "byte" else min_count}))
    tally.add(text.encode() if unit == "byte" else text)
    return tally.vocabulary()


@given(TEXT, UNITS, MIN_COUNTS)
def test_text_to_ids_to_text_is_the_identity(text: str, unit: str, min_count: int) -> None:
    vocabulary = of_text(text, unit, min_count)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int64
    assert ids.ndim == 1
    assert vocabulary.decode(ids) == text
    assert vocabulary.START not in ids
    assert ids.size == 0 or 0 < ids.min() <= ids.max() < vocabulary.size
    block = vocabulary.encode_block(text.encode() if unit == "byte" else text)
    assert block.dtype == vocabulary.dtype
    assert block.tolist() == ids.tolist()


@given(TEXT, TEXT, UNITS)
def test_a_vocabulary_that_spells_takes_any_text(text: str, other: str, unit: str) -> None:
    if unit != "byte":
        vocabulary = of_text(text, unit, 2)
        assert vocabulary.decode(vocabulary.encode(other)) == other


@given(TEXT, UNITS, MIN_COUNTS)
def test_bytes_and_characters_per_id_add_up_to_the_text(text: str, unit: str, min_count: int) -> None:
    vocabulary = of_text(text, unit, min_count)
    ids = vocabulary.encode(text)
    assert vocabulary.bytes_per_id[ids].sum() == len(text.encode())
    assert vocabulary.characters_per_id[ids].sum() == len(text)
    assert len(vocabulary.bytes_per_id) == len(vocabulary.characters_per_id) == vocabulary.size
    assert vocabulary.bytes_per_id[0] == vocabulary.characters_per_id[0] == 0


@given(TEXT, UNITS, MIN_COUNTS)
def test_json_and_back(text: str, unit: str, min_count: int) -> None:
    vocabulary = of_text(text, unit, min_count)
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert again.digest == vocabulary.digest
    assert again.difference(vocabulary) == []
    assert [again.symbol(id_) for id_ in range(again.size)] == [vocabulary.symbol(id_) for id_ in range(again.size)]


@given(st.lists(st.integers(0, 259)))
def test_streaming_gives_the_same_text_as_all_at_once(ids: list[int]) -> None:
    vocabulary = Vocabulary("char", tuple(range(256)), ("a", "é", "😀"))
    decoder = Decoder(vocabulary)
    parts = [decoder.feed(id_) for id_ in ids]
    expected = b"".join(vocabulary.utf8[id_] for id_ in ids).decode("utf-8", "replace")
    assert "".join(parts) + decoder.finish() == expected
    assert vocabulary.decode(ids) == expected
    assert vocabulary.decode(np.array(ids, np.int64)) == expected


def test_a_character_of_several_bytes_appears_with_its_last_one() -> None:
    vocabulary = Vocabulary("char", tuple(range(256)), ("x",))
    decoder = Decoder(vocabulary)
    assert [decoder.feed(1 + value) for value in "é".encode()] == ["", "é"]
    assert [decoder.feed(1 + 0xC3), decoder.feed(257), decoder.feed(1 + 0xE2), decoder.finish()] == [
        "",
        "\ufffdx",
        "",
        "\ufffd",
    ]


def test_the_order_of_ids_is_start_then_bytes_then_code_points() -> None:
    assert of_text("zebra éa\n").symbols == ("\n", " ", "a", "b", "e", "r", "z", "é")
    assert of_text("zebra").encode("abz").tolist() == [1, 2, 5]
    spelled = of_text("aabbc漢", min_count=2)
    assert (len(spelled.byte_values), spelled.symbols, spelled.size) == (256, ("a", "b"), 259)
    assert spelled.encode("ac漢").tolist() == [257, 1 + ord("c"), *(1 + value for value in "漢".encode())]
    assert of_text("ba", "byte").encode("ab").tolist() == [1, 2]
    words = of_text("two one two x y x one z", "word", 2)
    assert words.symbols == (" ", "one", "two", "x")
    assert words.encode("one z").tolist() == [258, 257, 1 + ord("z")]


def test_rare_words_are_spelled_by_the_characters_that_they_share() -> None:
    vocabulary = of_text("cab tab dab", "word", 2)
    assert vocabulary.symbols == (" ", "a", "b")
    assert vocabulary.encode("cab").tolist() == [1 + ord("c"), 258, 259]


@pytest.mark.parametrize(("symbols", "dtype"), [(255, "uint8"), (256, "uint16"), (65535, "uint16"), (65536, "uint32")])
def test_the_narrowest_type_that_holds_every_id(symbols: int, dtype: str) -> None:
    characters = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    vocabulary = Vocabulary("char", (), tuple(next(characters) for _ in range(symbols)))
    assert vocabulary.size == symbols + 1
    assert vocabulary.dtype.name == dtype
    text = "".join(vocabulary.symbols)
    assert vocabulary.encode_block(text).tolist() == list(range(1, symbols + 1))


def test_labels() -> None:
    vocabulary = Vocabulary("char", tuple(range(256)), ("\t", "\n", " ", "a", "\xa0", "é"))
    assert [vocabulary.symbol(id_) for id_ in (0, 1, 256)] == ["<start>", "<0x00>", "<0xFF>"]
    assert [vocabulary.symbol(id_) for id_ in range(257, 263)] == ["\\t", "\\n", "<space>", "a", "\\xa0", "é"]
    assert [Vocabulary("byte", (10, 32, 97, 200), ()).symbol(id_) for id_ in range(1, 5)] == [
        "\\n",
        "<space>",
        "a",
        "<0xC8>",
    ]


def test_ids_of_another_vocabulary_are_refused() -> None:
    vocabulary = Vocabulary("char", (), ("a", "b"))
    for ids in ([3], [-1], np.array([1, -2])):
        with pytest.raises(IndexError):
            vocabulary.decode(ids)


def test_the_difference_names_the_first_ids_that_differ() -> None:
    ours = Vocabulary("char", (), ("a", "b", "c"))
    assert ours.difference(Vocabulary("char", (), ("a", "c", "d"))) == [
        "id 2: b here, c there",
        "id 3: c here, d there",
    ]
    assert ours.difference(Vocabulary("char", (), ("a", "b"))) == ["id 3: c here, nothing there"]
    assert Vocabulary("char", (), ("a", "b")).difference(ours) == ["id 3: nothing here, c there"]
    assert len(ours.difference(Vocabulary("char", (), tuple("efgh")), limit=2)) == 2
    assert ours.difference(Vocabulary("word", (), ("a", "b", "c"))) == ["unit: char here, word there"]


def test_the_digest_knows_unit_order_and_symbols() -> None:
    variants = [("char", ("a", "b")), ("word", ("a", "b")), ("char", ("a", "c")), ("char", ("a",))]
    assert len({Vocabulary(unit, (), symbols).digest for unit, symbols in variants}) == 4  # type: ignore[arg-type]


GOOD = {"format": 1, "unit": "char", "bytes": [], "symbols": ["a", "b"]}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 2}, "another version"),
        ({"format": "1"}, "another version"),
        ({"unit": "line"}, "'line' is not a unit"),
        ({"unit": ["char"]}, "is not a unit"),
        ({"extra": 1}, "not an object with"),
        ({"symbols": "ab"}, "are not lists"),
        ({"symbols": ["b", "a"]}, "not in the order"),
        ({"symbols": ["a", "a"]}, "not in the order"),
        ({"symbols": ["a", "bc"]}, "is not a char"),
        ({"symbols": ["", "b"]}, "is not a char"),
        ({"symbols": ["a", 1]}, "is not a char"),
        ({"symbols": ["\ud800"]}, "is not a char"),
        ({"unit": "word", "symbols": ["a", "b c"]}, "is not a word"),
        ({"unit": "word", "symbols": ["a" * 65]}, "is not a word"),
        ({"bytes": [1, 2]}, "but not all"),
        ({"bytes": [*range(255), 300]}, "from 0 to 255"),
        ({"unit": "byte", "bytes": [2, 1], "symbols": []}, "ascending"),
        ({"unit": "byte", "bytes": [1, 1], "symbols": []}, "ascending"),
        ({"unit": "byte", "bytes": [True], "symbols": []}, "ascending"),
        ({"unit": "byte", "bytes": [1]}, "only symbols"),
    ],
)
def test_a_broken_document_is_refused(change: dict[str, Any], why: str) -> None:
    assert Vocabulary.from_json(GOOD).size == 3
    with pytest.raises(DataError) as caught:
        Vocabulary.from_json(GOOD | change)
    assert why in f"{caught.value.what} {caught.value.why}"


KEYS = st.sampled_from(["format", "unit", "bytes", "symbols"])
SCALARS = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8))
def test_other_json_is_refused(value: object) -> None:
    with pytest.raises(DataError):
        Vocabulary.from_json(value)
