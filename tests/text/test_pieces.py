"""Where a source can be cut so that each piece can be read on its own."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema.corpus import Corpus
from charrnn.text import pieces
from charrnn.text.blocks import SourceFile, read_passage
from charrnn.text.pieces import can_be_cut, why_whole, works
from charrnn.text.reader import Reader

TEXTS = st.text(st.sampled_from("ab \n\n\r\u0301é漢\ufeffΣ"), max_size=120)


def corpus(**keys: object) -> Corpus:
    return Corpus.model_validate({"source": "x", **keys})


def read(data: bytes, settings: Corpus) -> str | bytes:
    return joined(list(Reader(settings).pieces("x", [data])))


def joined(parts: list[str | bytes]) -> str | bytes:
    return b"".join(parts) if parts and isinstance(parts[0], bytes) else "".join(map(str, parts))


@given(
    TEXTS,
    st.integers(1, 30),
    st.sampled_from(["none", "NFC", "NFKD"]),
    st.sampled_from(["lf", "keep"]),
    st.sampled_from(["char", "word"]),
)
def test_pieces_read_on_their_own_are_the_text(text: str, size: int, form: str, newlines: str, unit: str) -> None:
    settings = corpus(normal_form=form, newlines=newlines, unit=unit)
    file, data = SourceFile("x", text.encode()), text.encode()
    found: list[str | bytes] = []
    at = 0
    for work in works((file,), settings, size):
        for piece in work:
            end = len(data) if piece.end is None else piece.end
            assert (piece.start, piece.size) == (at, end - piece.start)
            found += Reader(settings).pieces("x", read_passage(file, at, end, lambda done: None), at)
            at = end
    assert at == len(data)
    assert joined(found) == read(data, settings) or not text


def test_where_a_file_is_cut() -> None:
    file = SourceFile("x", "ab\ncdé\n\u0301f\ngh\n\nij".encode())
    cuts = [[piece.start for piece in work] for work in works((file,), corpus(), 1)]
    assert cuts == [[0], [3], [12], [15], [16]], "behind a line end, but not in front of what may join it"
    assert [[piece.end for piece in work] for work in works((file,), corpus(unit="byte"), 9)] == [[9], [18]]


def test_small_files_are_read_together() -> None:
    files = tuple(SourceFile(str(number), b"12345") for number in range(5))
    assert [[piece.number for piece in work] for work in works(files, corpus(), 12)] == [[0, 1], [2, 3], [4]]
    assert {piece.end for work in works(files, corpus(), 12) for piece in work} == {None}


def test_a_line_end_is_looked_for_far_ahead_but_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "LOOK_AHEAD", 4)
    file = SourceFile("x", b"a" * 30 + b"\n" + b"b" * 9)
    assert [piece.end for work in works((file,), corpus(), 5) for piece in work] == [31, 40]


@pytest.mark.parametrize(
    ("encoding", "cut"),
    [
        *((name, True) for name in ("utf-8", "utf-8-sig", "latin-1", "cp1252", "koi8-r", "ascii")),
        *((name, False) for name in ("utf-16", "utf-16-le", "utf-7", "shift_jis", "cp037")),
    ],
)
def test_encodings(encoding: str, cut: bool) -> None:
    assert can_be_cut(corpus(encoding=encoding)) is cut
    file = SourceFile("x", ("ab\n" * 9).encode(encoding))
    found = works((file,), corpus(encoding=encoding), 9)
    assert (len(found) > 1) is cut
    if not cut:
        assert why_whole(file, corpus(encoding=encoding)) == f"a text in {encoding} cannot be cut before it is read"


def test_what_stays_whole(tmp_path: Path) -> None:
    packed, line = SourceFile("x", gzip.compress(b"ab\n" * 9)), SourceFile("x", b"ab " * 9)
    for file, why in (
        (packed, "a gzip file can be read from its beginning only"),
        (line, "it has no line ends to be cut at"),
    ):
        ((piece,),) = works((file,), corpus(), 5)
        assert (piece.end, piece.size) == (None, file.size())
        assert why_whole(file, corpus()) == why
