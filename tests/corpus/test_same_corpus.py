"""However a text is read, the corpus is the same to the byte: that of a reader who sees all of it at once."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.counting import counted
from charrnn.corpus.prepare import prepare
from charrnn.corpus.tokens import TokenCorpus
from charrnn.text import blocks
from charrnn.text.normal import normalised_text
from charrnn.text.units import words

ALPHABET = "ab Zz.\n\n\r\té\u0301\u0308ßΣ́漢\U0001f600\ufeffﬁ"
TEXTS = st.lists(
    st.text(st.sampled_from(ALPHABET), max_size=60) | st.text("abc \n", max_size=90), min_size=1, max_size=3
)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "unit": st.sampled_from(["char", "word"]),
        "normal_form": st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
        "case": st.just("lower"),
        "newlines": st.just("keep"),
        "bom": st.just("keep"),
        "min_count": st.integers(1, 4),
        "documents": st.sampled_from([{"kind": "files"}, {"kind": "separator", "text": "\n"}]),
    },
)


def by_hand(texts: list[str], keys: Corpus) -> tuple[list[int], tuple[str, ...], list[int]]:
    """The tokens, the symbols, and where documents begin, worked out from whole texts."""
    raw = [text if keys.bom == "keep" else text.removeprefix("\ufeff") for text in texts]
    formed = [normalised_text(text, keys.model_copy(update={"bom": "keep"})) for text in raw]
    rows = [words(text) if keys.unit == "word" else list(text) for text in formed]
    counts = Counter(unit for row in rows for unit in row)
    kept = {unit for unit, count in counts.items() if count >= keys.min_count}
    if keys.unit == "word":
        letters = Counter(letter for row in rows for unit in row if unit not in kept for letter in unit)
        kept |= {letter for letter, count in letters.items() if count >= keys.min_count}
    symbols = tuple(sorted(kept))
    first = 1 + 256 * (keys.min_count > 1)
    ids = {symbol: first + number for number, symbol in enumerate(symbols)}

    def spelled(unit: str) -> list[int]:
        if unit in ids:
            return [ids[unit]]
        if len(unit) > 1:
            return [id_ for letter in unit for id_ in spelled(letter)]
        return [1 + value for value in unit.encode()]

    tokens: list[int] = []
    starts: list[int] = []
    for row in rows:
        if keys.documents is not None and keys.documents.kind == "files":
            starts.append(len(tokens))
        for unit in row:
            tokens += spelled(unit)
    if keys.documents is not None and keys.documents.kind == "separator":
        separator = spelled("\n")
        starts = [0]
        at = 0
        while at < len(tokens):
            at += len(separator) if (ends := tokens[at : at + len(separator)] == separator) else 1
            if ends:
                starts.append(at)
    return tokens, symbols, sorted({start for start in starts if start < len(tokens)} | {0})


def corpus_of(folder: Path, texts: list[str], keys: dict[str, Any], block: int, **more: Any) -> TokenCorpus:
    """The corpus of these files, read in blocks of so many bytes."""
    (folder / "texts").mkdir()
    for number, text in enumerate(texts):
        (folder / "texts" / f"{number}.txt").write_bytes(text.encode())
    chosen = Corpus.model_validate({"source": "texts", **keys})
    with patch.object(blocks, "BLOCK", block):
        return prepare(chosen, base=folder, corpora=folder / "corpora", **more).corpus


@given(texts=TEXTS, keys=KEYS, block=st.sampled_from([1, 2, 3, 7, 50, 1 << 20]))
@settings(deadline=None, max_examples=60)
def test_the_corpus_is_that_of_whole_texts(texts: list[str], keys: dict[str, Any], block: int) -> None:
    texts = [*texts, "two\nlines\n" * 3]
    with tempfile.TemporaryDirectory() as folder:
        corpus = corpus_of(Path(folder), texts, {**keys, "split": [1, 0, 0]}, block)
        tokens, symbols, documents = by_hand(texts, corpus.manifest.settings)
        assert corpus.vocabulary.symbols == symbols
        assert corpus.tokens.tolist() == tokens
        if corpus.manifest.settings.documents is not None:
            assert corpus.split("train").documents.tolist() == documents
        text = corpus.vocabulary.decode(tokens)
        record = corpus.manifest.splits["train"]
        assert (record.characters, record.bytes) == (len(text), len(text.encode()))


@given(ids=st.lists(st.integers(0, 255), max_size=70), size=st.integers(1, 256))
def test_ids_are_counted_in_pairs(ids: list[int], size: int) -> None:
    row = np.array([id_ % size for id_ in ids], np.uint8)
    assert counted(row, size).tolist() == [row.tolist().count(id_) for id_ in range(size)]
