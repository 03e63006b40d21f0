"""Rows of tables: CSV, TSV and the like, and one JSON object per line."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import chain
from typing import Any

from charrnn.config.schema.labelled import Table
from charrnn.corpus.item_lines import LONGEST_LINE, ItemTexts, OnBlock, Row, without_end
from charrnn.errors import DataError
from charrnn.text.blocks import SourceFile

_DELIMITERS = "\t,;|"
_UNQUOTED = "if quotes in this file are characters like any other, set corpus.quoting: none"


def table_rows(
    texts: ItemTexts, settings: Table, file: SourceFile, sha256: str, labelled: bool, on_block: OnBlock
) -> Iterator[Row]:
    """The rows of a table; a row with an empty text has no content, and an empty line is no row.

    Args:
        texts: reads its lines.
        settings: the columns, and how they are written.
        file: the table.
        sha256: the digest that the file had when it was looked at first.
        labelled: whether it has a column for labels; if not, such a column is passed over.
        on_block: hears of the bytes read so far.

    Raises:
        DataError: a column is missing, or a row is not like the others, or the file is not text.
    """
    lines = texts.lines(file, sha256, on_block)
    first = next(lines, "")
    lines = chain([first], lines)
    if settings.format == "jsonl" or (settings.format == "auto" and _is_object(first)):
        yield from _json_rows(texts, settings, lines, file.label, labelled)
        return
    delimiter = settings.delimiter if settings.delimiter != "auto" else _delimiter(settings, first, labelled)
    records = _records(lines, settings, delimiter, file.label)
    opening = next(records, None)
    if opening is None:
        return
    columns = _Columns(settings, opening[1], labelled, f"{file.label}:{opening[0]}")
    for line, record in records if settings.header else chain([opening], records):
        place = f"{file.label}:{line}"
        text, label = columns.of(record, place)
        yield Row(texts.content(text, place), None if label is None else texts.label(label, place), line)


class _Columns:
    """Finds text and label in the rows of a table whose first row is given.

    Raises:
        DataError: there is no such column, or there are two.
    """

    def __init__(self, settings: Table, first: list[str], labelled: bool, place: str) -> None:
        self._count = len(first)
        self._first = place
        self._text = _column(settings, "text", first, place)
        self._label = _column(settings, "label", first, place) if labelled else None

    def of(self, record: list[str], place: str) -> tuple[str, str | None]:
        """The text and the label of a row."""
        if len(record) != self._count:
            few = len(record) < self._count
            raise DataError(
                f"the row has {len(record)} fields, and the first one has {self._count}",
                where=place,
                why=f"the first row: {self._first}",
                hint="a quoted field may reach over lines; " + _UNQUOTED
                if few
                else "quote the field that holds the delimiter, or set corpus.delimiter",
            )
        return record[self._text], None if self._label is None else record[self._label]


def _column(settings: Table, key: str, first: list[str], place: str) -> int:
    """Where the column of `key` stands in a row, from 0."""
    wanted: str | int = getattr(settings, key)
    if isinstance(wanted, int):
        if wanted <= len(first):
            return wanted - 1
        raise DataError(
            f"there is no column {wanted} for corpus.{key}", where=place, why=f"the first row has {len(first)} fields"
        )
    if first.count(wanted) == 1:
        return first.index(wanted)
    if wanted in first:
        raise DataError(f"two columns are named {wanted!r}", where=place, hint=f"give corpus.{key} as a number from 1")
    raise _no_column(key, wanted, first, place, "; or corpus.header: false if the first row is no header")


def _no_column(key: str, wanted: str, there: list[str], place: str, or_else: str = "") -> DataError:
    close = get_close_matches(wanted, there, n=1, cutoff=0.5)
    return DataError(
        f"there is no column {wanted!r} for corpus.{key}",
        where=place,
        why=f"the columns are {', '.join(map(repr, there[:20]))}"[:400] if there else "there are no columns",
        hint=f"did you mean {close[0]!r}?" if close else f"set corpus.{key}{or_else}",
    )


def _delimiter(settings: Table, first: str, labelled: bool) -> str:
    """The first delimiter by which the first row has the columns."""
    wanted = [settings.text, settings.label] if labelled else [settings.text]
    for delimiter in _DELIMITERS:
        if settings.quoting == "none":
            fields = without_end(first).split(delimiter)
        else:
            fields = next(csv.reader([first], delimiter=delimiter), [])
        if all(column <= len(fields) if isinstance(column, int) else column in fields for column in wanted):
            return delimiter
    # None fits. The error shows the columns as the most frequent one has them.
    return max(_DELIMITERS, key=first.count)


def _records(lines: Iterator[str], settings: Table, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty lines, each with the line in which it begins."""
    if settings.quoting == "none":
        for number, line in enumerate(lines, 1):
            if text := without_end(line):
                yield number, text.split(delimiter)
        return
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    before = csv.field_size_limit(LONGEST_LINE)
    try:
        while True:
            start = reader.line_num + 1
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DataError(
                    "the quotes of this row are wrong",
                    where=f"{name}:{start}",
                    why=f"read up to line {reader.line_num}: {error}",
                    hint=_UNQUOTED,
                ) from error
            if record:
                yield start, record
    finally:
        csv.field_size_limit(before)


def _is_object(line: str) -> bool:
    """Whether a line is a JSON object."""
    if not line.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _json_rows(texts: ItemTexts, settings: Table, lines: Iterator[str], name: str, labelled: bool) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        place = f"{name}:{number}"
        if not line.strip():
            continue
        value = _object(without_end(line), place)
        text = _value(value, "text", settings.text, place)
        if not isinstance(text, str):
            raise DataError(f"the text is not a string but {_short(text)}", where=place)
        label = _as_label(_value(value, "label", settings.label, place), place) if labelled else None
        content = texts.content(text, place)
        yield Row(content, None if label is None else texts.label(label, place), number)


def _object(line: str, place: str) -> dict[str, Any]:
    outermost: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        outermost[:] = pairs  # objects end from the inside to the outside
        return dict(pairs)

    try:
        value = json.loads(line, object_pairs_hook=keep)
    except (ValueError, RecursionError) as error:
        column = f":{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataError("the line is not JSON", where=place + column, why=why) from error
    if not isinstance(value, dict):
        raise DataError(f"the line is not a JSON object but {_short(value)}", where=place)
    if len(value) < len(outermost):  # JSON itself would keep the last of two and say nothing
        twice, _ = Counter(key for key, _ in outermost).most_common(1)[0]
        raise DataError(f"two columns are named {twice!r}", where=place, hint="give one of them another name")
    return value


def _value(value: dict[str, Any], key: str, column: str | int, place: str) -> Any:
    if column not in value:
        raise _no_column(key, str(column), [*value], place)
    return value[str(column)]


def _as_label(value: Any, place: str) -> str:
    """A label as text: a string as it is, a whole number or a truth value as JSON writes it; None is empty."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool | int):
        return json.dumps(value)
    raise DataError(f"the label is not a string or a whole number but {_short(value)}", where=place)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
