"""Counting: blocks play no part, and what is rare is left to its parts."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema.corpus import Corpus
from charrnn.errors import DataError
from charrnn.text import tally as tally_module
from charrnn.text.tally import Tally
from charrnn.text.units import whole_words, words

TEXT = st.text(st.sampled_from("ab 漢😀é\n"), max_size=50)


def counted(pieces: list[str] | list[bytes], **keys: object) -> Tally:
    tally = Tally(Corpus.model_validate({"source": "x", **keys}))
    for piece in pieces:
        tally.add(piece)
    return tally


@given(TEXT, st.integers(1, 4))
def test_characters(text: str, min_count: int) -> None:
    expected = tuple(sorted(char for char, count in Counter(text).items() if count >= min_count))
    for pieces in ([text], list(text)):
        tally = counted(pieces, min_count=min_count)
        assert tally.distinct == len(set(text))
        assert tally.vocabulary().symbols == expected
        assert tally.vocabulary().byte_values == (tuple(range(256)) if min_count > 1 else ())


@given(TEXT, st.integers(1, 4))
def test_words(text: str, min_count: int) -> None:
    counts = Counter(words(text))
    spelled: Counter[str] = Counter()
    for word, count in counts.items():
        if count < min_count:
            spelled.update(dict.fromkeys(word, 0))
            for char in word:
                spelled[char] += count
    kept = {unit for source in (counts, spelled) for unit, count in source.items() if count >= min_count}
    for blocks in ([text], list(text)):
        tally = counted(list(whole_words(blocks)), unit="word", min_count=min_count)
        assert tally.distinct == len(counts)
        assert tally.vocabulary().symbols == tuple(sorted(kept))


def test_the_letters_of_a_rare_word_count_as_often_as_the_word() -> None:
    assert counted(["xa xa xb"], unit="word", min_count=3).vocabulary().symbols == ("x",)


def test_bytes() -> None:
    tally = counted([b"ba", b"\xffa"], unit="byte")
    assert tally.distinct == 3
    assert (tally.vocabulary().byte_values, tally.vocabulary().symbols) == ((97, 98, 255), ())


def test_more_words_than_a_vocabulary_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "_MOST_WORDS", 3)
    with pytest.raises(DataError, match="more than 3 distinct words"):
        counted(["a b c d"], unit="word")
