"""The lines of a text that comes in pieces: each as soon as it has ended, a very long one in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from charrnn.text.units import words
from charrnn.text.vocabulary import Unit

LONGEST = 1 << 14
"""A line of more characters is told in parts."""


@dataclass(frozen=True)
class TextLine:
    """A line of a text, or a part of a very long one.

    Attributes:
        number: of the line, from 1.
        column: where in the line the part begins, from 1, in characters (for unit `byte` in bytes).
        content: the text, with the line feed that ends it; bytes for unit `byte`.
    """

    number: int
    column: int
    content: str | bytes


def text_lines(pieces: Iterable[str | bytes], unit: Unit, longest: int = LONGEST) -> Iterator[TextLine]:
    """The lines of a text that comes in pieces of whole units; a line comes out as soon as it has ended.

    Args:
        pieces: the text, as `charrnn.text.reader` reads it.
        unit: no part of a long line is cut inside one.
        longest: the most characters of a part.
    """
    number, column = 1, 1
    held: str | bytes = b"" if unit == "byte" else ""
    for piece in pieces:
        *lines, held = (held + piece).split(b"\n" if unit == "byte" else "\n")  # type: ignore[operator, arg-type]
        for line in lines:
            ended = line + (b"\n" if unit == "byte" else "\n")  # type: ignore[operator]
            for part in _parts(ended, unit, longest):
                yield TextLine(number, column, part)
                column += len(part)
            number, column = number + 1, 1
        if len(held) > 2 * longest:
            *full, held = _parts(held, unit, longest)
            for part in full:
                yield TextLine(number, column, part)
                column += len(part)
    for part in _parts(held, unit, longest) if held else ():
        yield TextLine(number, column, part)
        column += len(part)


def _parts(line: str | bytes, unit: Unit, longest: int) -> Iterator[str | bytes]:
    """A line in parts of at most so many characters, or of one unit that is longer."""
    if len(line) <= longest:
        yield line
    elif unit == "word" and isinstance(line, str):
        part = ""
        for word in words(line):
            if part and len(part) + len(word) > longest:
                yield part
                part = ""
            part += word
        yield part
    else:
        yield from (line[start : start + longest] for start in range(0, len(line), longest))


def first_place(content: str | bytes, symbol: str, unit: Unit) -> int:
    """Where a symbol that `UnknownSymbols` names stands first in a text, counted from 0."""
    if isinstance(content, bytes):
        return content.find(symbol.encode("utf-8", "surrogateescape"))
    if unit != "word":
        return content.find(symbol)
    before = 0
    for word in words(content):
        if word == symbol:
            break
        before += len(word)
    return before
