"""Which tokens of a text are words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema import Corpus
from charrnn.corpus.prepare import prepare
from charrnn.corpus.words import Words, words_of


def read(folder: Path, text: str, **settings: object) -> tuple[list[str], list[int]]:
    (folder / "text.txt").write_text(text, encoding="utf-8")
    config = Corpus.model_validate({"source": "text.txt", "unit": "word", "split": [1.0, 0.0, 0.0], **settings})
    corpus = prepare(config, base=folder, corpora=folder / "corpora").corpus
    words = words_of(corpus.split("train"), corpus.vocabulary)
    return [corpus.vocabulary.symbol(int(id_)) for id_ in words.ids_N], words.documents.tolist()


def test_spaces_and_punctuation_are_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, "It's a dog – isn't it? 42_x!")[0] == ["It", "s", "a", "dog", "isn", "t", "it", "42_x"]


def test_a_word_that_is_spelled_is_no_word(tmp_path: Path) -> None:
    """`rare` and `Ünik` are spelled by characters or bytes, and their letters are not learned as words."""
    text = "a cat a cat a cat rare a Ünik cat " * 1
    assert read(tmp_path, text, min_count=2)[0] == ["a", "cat"] * 3 + ["a", "cat"]


def test_of_other_units_everything_is_learned(tmp_path: Path) -> None:
    assert read(tmp_path, "ab a\n", unit="char")[0] == ["a", "b", "<space>", "a", "\\n"]


def test_documents_are_counted_in_words(tmp_path: Path) -> None:
    documents = {"kind": "separator", "text": "\n"}
    words, starts = read(tmp_path, "one two\n.\nthree\nfour five\n", documents=documents)
    assert words == ["one", "two", "three", "four", "five"]
    assert starts == [0, 2, 2, 3]


@given(st.lists(st.integers(0, 3), min_size=1), st.lists(st.booleans(), min_size=4, max_size=4))
def test_what_has_no_count_is_left_out_and_documents_stay(ids: list[int], there: list[bool]) -> None:
    starts = np.arange(0, len(ids), 3)
    words = Words(np.array(ids), starts).known(np.array(there, int))
    assert words.ids_N.tolist() == [id_ for id_ in ids if there[id_]]
    assert words.documents.tolist() == [sum(there[id_] for id_ in ids[:start]) for start in starts.tolist()]


@pytest.mark.parametrize("text", ["cat" * 60, "x" * 65])
def test_a_run_that_is_too_long_for_a_word_is_none(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"one {text} two")[0] == ["one", "two"]
