"""Bytes to characters: nothing depends on the blocks, and a wrong byte is reported by its place."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError
from charrnn.text.decode import Decoding

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis", "gb18030", "big5")


def two_blocks(data: bytes) -> Iterator[list[bytes]]:
    """Every way to cut `data` once, then into single bytes."""
    for at in range(len(data) + 1):
        yield [data[:at], data[at:]]
    yield [data[at : at + 1] for at in range(len(data))]


def decoded(blocks: list[bytes], encoding: str = "utf-8", errors: str = "strict") -> tuple[str, int]:
    decoding = Decoding("book.txt", encoding, errors)
    return "".join(decoding.run(blocks)), decoding.replaced


def failure(blocks: list[bytes], encoding: str = "utf-8") -> DataError:
    with pytest.raises(DataError) as caught:
        decoded(blocks, encoding)
    return caught.value


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12))
def test_every_cut_gives_the_same_text(text: str) -> None:
    for encoding in ("utf-8", "utf-16", "utf-32-be"):
        for blocks in two_blocks(text.encode(encoding)):
            assert decoded(blocks, encoding) == (text, 0)


@given(st.binary(max_size=10))
def test_every_cut_replaces_the_same_bytes(data: bytes) -> None:
    expected = data.decode("utf-8", "replace")
    counts = {decoded(blocks, errors="replace")[1] for blocks in two_blocks(data)}
    assert [decoded(blocks, errors="replace")[0] for blocks in two_blocks(data)] == [expected] * (len(data) + 2)
    assert len(counts) == 1


@given(st.binary(max_size=10), st.sampled_from(ENCODINGS))
def test_what_strict_takes_needs_no_replacement(data: bytes, encoding: str) -> None:
    try:
        strict = decoded([data], encoding)
    except DataError:
        return
    assert decoded([data], encoding, "replace") == strict


@given(st.binary(max_size=10))
def test_every_cut_reports_the_same_place(data: bytes) -> None:
    found = set()
    for blocks in two_blocks(data):
        try:
            decoded(blocks)
        except DataError as error:
            found.add((error.what, error.where))
        else:
            found.add(("", ""))
    assert len(found) == 1


def test_replacements_are_counted_and_genuine_ones_are_not() -> None:
    data = "\ufffd ok \ufffd".encode() + b" \xff \xe2\x82 \xff"
    for blocks in two_blocks(data):
        assert decoded(blocks, errors="replace") == ("\ufffd ok \ufffd \ufffd \ufffd \ufffd", 3)


def test_a_wrong_byte_is_reported_with_file_line_column_offset_hex_and_guess() -> None:
    data = "erste Zeile\nzweite, schön".encode() + b"er Stra\xdfe\n" + b"mehr"
    for blocks in two_blocks(data):
        error = failure(blocks)
        assert error.exit_code == 3
        assert error.what == "wrong byte 0xDF: the text is not utf-8"
        assert error.where == "book.txt:2:21"
        assert error.why is not None
        assert error.why.startswith(f"at byte offset {data.index(0xDF)}, invalid continuation byte")
    whole = failure([data])
    assert whole.why is not None
    assert whole.why.endswith("the bytes around it: 6e 65 72 20 53 74 72 61 [df] 65 0a 6d 65 68 72")


def test_the_bytes_before_and_after_come_from_the_neighbouring_blocks() -> None:
    error = failure([b"abcd", b"efgh", b"\xffijk", b"lmnopq"])
    assert error.why is not None
    assert error.why.endswith("61 62 63 64 65 66 67 68 [ff] 69 6a 6b 6c 6d 6e 6f 70")


@pytest.mark.parametrize(
    ("data", "guess"),
    [
        ("Straße “quoted”".encode("cp1252"), "looks like cp1252: set corpus.encoding: cp1252"),
        ("Straße".encode("utf-16"), "looks like utf-16: set corpus.encoding: utf-16"),
        ("plain".encode("utf-16-le"), "looks like utf-16-le: set corpus.encoding: utf-16-le"),
        ("plain".encode("utf-16-be"), "looks like utf-16-be: set corpus.encoding: utf-16-be"),
        ("plain".encode("utf-32"), "looks like utf-32: set corpus.encoding: utf-32"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "looks like a binary file: set corpus.unit: byte"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", "looks like a binary file: set corpus.unit: byte"),
        ("日本".encode("shift_jis") + b"\x81\x8d", "set corpus.encoding to the encoding of the file"),
    ],
)
def test_the_guess(data: bytes, guess: str) -> None:
    hint = failure([data]).hint
    assert hint is not None
    assert hint.startswith(guess)


def test_an_encoding_is_not_offered_against_itself() -> None:
    hint = failure([b"caf\xe9 \x81"], "cp1252").hint
    assert hint is not None
    assert hint.startswith("set corpus.encoding to")


def test_a_file_that_ends_in_a_character() -> None:
    error = failure(["gut für".encode()[:-2]])
    assert error.where == "book.txt:1:6"
    assert error.why is not None
    assert "unexpected end of data" in error.why


def test_nul_is_refused_near_the_beginning_only_and_never_under_replace() -> None:
    error = failure([b"ab\ncd\0ef"])
    assert (error.what, error.where) == ("NUL character: this is not plain text", "book.txt:2:3")
    late = b"a" * (1 << 20) + b"\0"
    assert decoded([late[: 1 << 19], late[1 << 19 :]])[0] == late.decode()
    assert failure([late[1:]]).where == f"book.txt:1:{1 << 20}"
    assert decoded([b"ab\0"], errors="replace") == ("ab\0", 0)


def test_lone_surrogates_never_pass() -> None:
    data = "ab\ncd".encode("utf-7") + b"+2AA-e"  # the only wide-spread codec that lets one through
    assert codecs.decode(data, "utf-7") == "ab\ncd\ud800e"
    error = failure([data], "utf-7")
    assert (error.what, error.where) == ("lone surrogate U+D800: it stands for no character", "book.txt:2:3")
    assert decoded([data], "utf-7", "replace") == ("ab\ncd\ufffde", 1)
    assert failure(["ok".encode("utf-16-le") + b"\x00\xd8x\0"], "utf-16-le").where == "book.txt:1:3"


def test_utf16_without_a_mark() -> None:
    with pytest.raises(DataError, match="cannot be read as utf-16") as caught:
        decoded(["plain".encode("utf-16-le")], "utf-16")
    assert caught.value.hint is not None
    assert "utf-16-le" in caught.value.hint


@pytest.mark.parametrize("encoding", ["hex", "rot13", "no-such", "undefined"])
def test_encodings_that_are_not_of_text(encoding: str) -> None:
    with pytest.raises(DataError, match="is not an encoding of text"):
        Decoding("book.txt", encoding, "strict")


@pytest.mark.parametrize("cut", range(6))
def test_a_mark_counts_for_the_place_of_a_wrong_byte_behind_it(cut: int) -> None:
    data = codecs.BOM_UTF8 + b"ab\xff"
    with pytest.raises(DataError) as caught:
        list(Decoding("file", "utf-8-sig", "strict").run([data[:cut], data[cut:]]))
    assert caught.value.where == "file:1:3"
    assert str(caught.value.why).startswith("at byte offset 5,")
    assert str(caught.value.why).endswith("the bytes around it: ef bb bf 61 62 [ff]")
