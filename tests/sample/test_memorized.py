"""What of a text is copied, in characters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from charrnn.sample import memorized as module
from charrnn.sample.memorized import Memorized, Passage, memorized
from charrnn.text.vocabulary import Vocabulary

SPELLED = tuple(range(256))
VOCABULARIES = {
    "char": Vocabulary("char", (), tuple(sorted("\n abcdeéêĩ漢"))),
    "spelled": Vocabulary("char", SPELLED, tuple(sorted("\n abc"))),
    "byte": Vocabulary("byte", SPELLED, ()),
}
TRAINING = "abc abc\nbad cab dé漢\ncabc ab bé"


def told(text: str, training: str, least: int, unit: str = "char", **watch: Any) -> Memorized:
    vocabulary = VOCABULARIES[unit]
    return memorized([text], vocabulary, vocabulary.encode(training).astype(vocabulary.dtype), least, **watch)[0]


def by_hand(text: str, training: str, least: int) -> list[tuple[int, str]]:
    """All passages that stand in the training text and cannot be made longer, the longest first."""
    spans = []
    for start in range(len(text)):
        end = max([e for e in range(start, len(text) + 1) if text[start:e] in training])
        if end - start >= least and not any(s <= start and end <= e for s, e in spans):
            spans.append((start, end))
    return [(start, text[start:end]) for start, end in sorted(spans, key=lambda span: span[0] - span[1])]


def test_passages_are_told_with_their_places() -> None:
    found = told("a dé漢\nca cab bad", TRAINING, 3)
    assert found.passages == (
        Passage(1, " dé漢\nca", 15, 2),
        Passage(8, " cab ", 11, 2),
        Passage(10, "ab b", 25, 3),
        Passage(13, "bad", 8, 2),
    )
    assert (found.characters, found.copied, found.longest) == (16, 15, 7)


@pytest.mark.parametrize("unit", VOCABULARIES)
@settings(max_examples=150, deadline=None)
@example(text="éaê", training="aéa", least=1)  # the first byte of ê is one of é, too
@given(text=st.text("abéêĩ漢\n ", max_size=14), training=st.text("abéêĩ漢\n ", max_size=40), least=st.integers(1, 5))
def test_they_are_those_of_looking_everywhere_whatever_spells_the_text(
    unit: str, text: str, training: str, least: int
) -> None:
    found = told(text, training, least, unit)
    assert [(p.start, p.text) for p in found.passages] == by_hand(text, training, least)
    covered = {n for start, part in by_hand(text, training, least) for n in range(start, start + len(part))}
    assert (found.characters, found.copied) == (len(text), len(covered))
    for passage in found.passages:
        assert training[passage.offset :].startswith(passage.text)
        assert passage.line == 1 + training[: passage.offset].count("\n")


def test_texts_are_told_one_by_one_and_no_passage_spans_two() -> None:
    vocabulary = VOCABULARIES["char"]
    tokens = vocabulary.encode("abcabc").astype(vocabulary.dtype)
    found = memorized(["ab", "", "cab", "dd"], vocabulary, tokens, 2)
    assert [[p.text for p in one.passages] for one in found] == [["ab"], [], ["cab"], []]
    assert [(one.characters, one.copied, one.share, one.longest) for one in found] == [
        (2, 2, 1.0, 2),
        (0, 0, 0.0, 0),
        (3, 3, 1.0, 3),
        (2, 0, 0.0, 0),
    ]


def test_words_are_copied_whole() -> None:
    vocabulary = Vocabulary("word", SPELLED, tuple(sorted([" ", "abc", "abcde", "de", "x"])))
    tokens = vocabulary.encode("x abcde de").astype(vocabulary.dtype)
    found = memorized(["abc x abcde abc"], vocabulary, tokens, 3)[0]
    assert [p.text for p in found.passages] == ["x abcde "]
    assert found.passages[0].offset == 0


def test_bytes_that_form_no_character_are_no_copy() -> None:
    vocabulary = VOCABULARIES["byte"]
    tokens = np.array(vocabulary.encode(b"ab\xffcd\xef\xbf\xbdef"), np.uint8)
    found = memorized(["ab\ufffdcd\ufffdef"], vocabulary, tokens, 2)[0]
    assert [p.text for p in found.passages] == ["ab", "cd", "ef"]


def test_places_are_counted_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = told("cab dé\nab bé", TRAINING, 2, "byte")
    monkeypatch.setattr(module, "_BLOCK", 3)
    assert told("cab dé\nab bé", TRAINING, 2, "byte") == whole
