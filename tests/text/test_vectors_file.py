"""Files of vectors: what is written is read back, in either form, and what is wrong is named with its line."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError, UsageError
from charrnn.text.vectors_file import Form, read_vectors, write_vectors

DATA = Path(os.environ.get("CHARRNN_DATA", Path(__file__).parents[2] / "../shared/data"))
GLOVE = DATA / "word-vectors/glove.6B.100d.top100.txt.gz"

words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], np.ndarray]:
    names = draw(st.lists(words, min_size=1, max_size=6, unique=True))
    size = draw(st.integers(2, 5))
    rows = draw(st.lists(st.lists(floats, min_size=size, max_size=size), min_size=len(names), max_size=len(names)))
    return names, np.array(rows, np.float32)


@given(table=tables(), form=st.sampled_from(["word2vec", "glove"]), packed=st.booleans(), data=st.data())
def test_what_is_written_is_read_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, table: Any, form: Form, packed: bool, data: st.DataObject
) -> None:
    names, table_MD = table
    path = tmp_path_factory.mktemp("vectors") / ("v.txt.gz" if packed else "v.txt")
    write_vectors(path, names, table_MD, form)
    wanted = data.draw(st.lists(st.sampled_from(names), unique=True))
    found = read_vectors(path, [*wanted, "no such word"])
    assert found.words == [name for name in names if name in wanted]
    expected = table_MD[[names.index(word) for word in found.words]]
    np.testing.assert_array_equal(found.table_MD, expected)
    assert found.table_MD.dtype == np.float32
    assert (found.unused, found.repeated) == (len(names) - len(wanted), 0)


def test_both_forms_are_what_other_programs_write(tmp_path: Path) -> None:
    table = np.array([[0.5, -1.0], [2.0, 0.25]])
    write_vectors(tmp_path / "w", ["a", "b"], table)
    assert (tmp_path / "w").read_text() == "2 2\na 0.5 -1.0\nb 2.0 0.25\n"
    write_vectors(tmp_path / "g", ["a", "b"], table, "glove")
    assert (tmp_path / "g").read_text() == "a 0.5 -1.0\nb 2.0 0.25\n"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["g", "w"]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"2 3\nthe 1 2 3 \nof 4 5 6 \n", ["the", "of"]),  # word2vec's program leaves a blank at the end
        (b"the 1 2 3\r\nof 4 5 6\r\n\r\n", ["the", "of"]),
        (b"the\t1\t2\t3\nof\t4\t5\t6", ["the", "of"]),
        (b"the 1 2 3\n. . 7 8 9\nof 4 5 6\n", ["the", "of"]),  # a word with a blank
        (b"the 1 2 3\n\xff\xfe 7 8 9\nof 4 5 6\nthe 9 9 9\n", ["the", "of"]),
        (b"12 1 2 3\nthe 1 2 3\nof 4 5 6\n", ["the", "of"]),
    ],
)
def test_what_files_of_others_look_like(tmp_path: Path, content: bytes, names: list[str]) -> None:
    (tmp_path / "v").write_bytes(content)
    found = read_vectors(tmp_path / "v", {"the", "of"})
    assert found.words == names
    assert found.table_MD.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.repeated == (1 if content.endswith(b"9 9 9\n") else 0)


@pytest.mark.parametrize(
    ("content", "where", "why"),
    [
        (b"the 1 2 3\nof 4 5\n", "v:2", "a word and 3 numbers are expected, and the line has 3 parts"),
        (b"2 3\nthe 1 2 3\nof 4 5\n", "v:3", "3 parts"),
        (b"the 1 2 3\nof 4 5 x\n", "v:2", "could not convert"),
        (b"the 1 2 3\nof 4 nan 1\n", "v:2", "not finite"),
        (b"the 1 2 3\nof 4 1e39 1\n", "v:2", "too large"),
        (b"3 3\nthe 1 2 3\nof 4 5 6\n", "v", "cut off"),
        (b"the\nof\n", "v:1", "neither a vector nor a line of counts"),
        (b"", "v", None),
        (gzip.compress(b"the 1 2 3\n" * 9, mtime=0)[:-9], "v", "end-of-stream"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, where: str, why: str | None) -> None:
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_vectors(tmp_path / "v", {"the", "of"})
    assert caught.value.where == str(tmp_path / where)
    assert why is None or why in str(caught.value.why)


def test_a_file_that_is_not_there_and_a_line_without_end(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_vectors(tmp_path / "none", {"the"})
    (tmp_path / "v").write_bytes(b"the " + b"1 " * (1 << 20))
    with pytest.raises(DataError) as caught:
        read_vectors(tmp_path / "v", {"the"})
    assert caught.value.where == f"{tmp_path / 'v'}:1"


@pytest.mark.skipif(not GLOVE.exists(), reason="the shared data are not here")
def test_the_first_words_of_glove_itself() -> None:
    found = read_vectors(GLOVE, ["of", "the", "charrnn"])
    assert found.words == ["the", "of"]
    assert found.table_MD.shape == (2, 100)
    assert found.table_MD[0, :3].tolist() == np.array([-0.038194, -0.24487, 0.72812], np.float32).tolist()
    assert found.unused == 98


@pytest.mark.parametrize("word", ["", "two words", "line\n"])
def test_a_word_that_no_such_file_can_hold_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError):
        write_vectors(tmp_path / "v", ["a", word], np.zeros((2, 2)))
    assert list(tmp_path.iterdir()) == []
