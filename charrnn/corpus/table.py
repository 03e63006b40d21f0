"""Rows of a delimited table, as CSV and TSV files hold them, each field with its place; in bounded memory."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from charrnn.errors import DataError
from charrnn.text.decode import holds_surrogates

_MOST_LINE = 1 << 20


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        fields: its fields, without their quotes.
        line: the line as it stands there.
        number: the line's, from 1.
        label: the file.
        delimiter: what stands between fields.
    """

    fields: Sequence[str]
    line: str
    number: int
    label: str
    delimiter: str

    def place(self, index: int) -> str:
        """Where the field with this index, from 0, begins: `file:line:column`."""
        at, column, quoted = 0, 1, False
        for position, character in enumerate(self.line):
            if at == index:
                break
            quoted ^= character == '"'
            if character == self.delimiter and not quoted:
                at, column = at + 1, position + 2
        return f"{self.label}:{self.number}:{column}"


def rows(blocks: Iterable[bytes], label: str, encoding: str, delimiter: str) -> Iterator[Row]:
    """The rows of a table; empty lines are passed over.

    Args:
        blocks: the bytes of the table, in pieces of any size.
        label: what errors call the file.
        encoding: that of the bytes; a byte order mark in front is left out.
        delimiter: what stands between fields; a field that holds it stands in double quotes.

    Raises:
        DataError: a byte is wrong in the encoding, a quote has no end in its line, or a line is longer than 1 MiB.
    """
    for number, line in enumerate(_lines(blocks, label, encoding), start=1):
        if not line:
            continue
        try:
            fields = line.split(delimiter) if '"' not in line else _parsed(line, delimiter)
        except csv.Error as error:
            raise DataError("this line is not one of a table", where=f"{label}:{number}:1", why=str(error)) from error
        yield Row(fields, line, number, label, delimiter)


def column(header: Row, name: str, key: str) -> int:
    """The index of the column that the header calls `name`; `key` is the key of the config that asks for it.

    Raises:
        DataError: there is none of this name, or there are two.
    """
    names = [field.strip() for field in header.fields]
    if names.count(name) == 1:
        return names.index(name)
    twice = name in names
    raise DataError(
        f"two columns are named {name!r}" if twice else f"there is no column named {name!r}",
        where=f"{header.label}:{header.number}:1",
        why=f"the columns are {', '.join(names)}",
        hint=f"give one of them another name in this line, or set {key} to another column"
        if twice
        else f"set {key} (and corpus.delimiter, if these are not the columns)",
    )


def _parsed(line: str, delimiter: str) -> list[str]:
    found = list(csv.reader([line], delimiter=delimiter, strict=True))
    return found[0]


def _lines(blocks: Iterable[bytes], label: str, encoding: str) -> Iterator[str]:
    decoder, held, number = codecs.getincrementaldecoder(encoding)("strict"), "", 1
    first = True
    for block, final in _with_last(blocks):
        try:
            text = held + decoder.decode(block, final)
        except UnicodeDecodeError as error:
            wrong = f"0x{error.object[error.start]:02x}"
            raise DataError(
                f"the byte {wrong} is not {encoding}",
                where=f"{label}:{number + held.count(chr(10)) + _newlines(error)}",
                hint="set corpus.encoding",
            ) from error
        except UnicodeError as error:
            place = f"{label}:{number + held.count(chr(10))}"
            raise DataError(
                f"this is not {encoding}", where=place, why=str(error), hint="set corpus.encoding"
            ) from error
        if holds_surrogates(text):
            place = f"{label}:{number + text[: _surrogate(text)].count(chr(10))}"
            raise DataError("half of a surrogate pair is not a character", where=place, hint="mend the table")
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        *whole, held = text.split("\n")
        number += len(whole)
        if len(held) > _MOST_LINE:
            raise DataError("a line of a table has no more than 1 MiB", where=f"{label}:{number}:1")
        yield from (line.removesuffix("\r") for line in whole)
    if held:
        yield held.removesuffix("\r")


def _surrogate(text: str) -> int:
    return next(at for at, character in enumerate(text) if holds_surrogates(character))


def _newlines(error: UnicodeDecodeError) -> int:
    return error.object[: error.start].count(b"\n")


def _with_last(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for block in blocks:
        yield block, False
    yield b"", True
