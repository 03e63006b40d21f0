"""The symbols of a corpus and their ids, both ways.

Ids count from 0: the special symbol `<start>`, then the bytes that are symbols, ascending, then the other
symbols in the order of their code points. The order is part of the format: weights mean nothing under another.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.text.encode import Encoder, Ids, Unknown
from charrnn.text.labels import byte_label, label
from charrnn.text.units import words

Unit = Literal["char", "byte", "word"]

_FORMAT = 1
_MOST_SYMBOLS = 1 << 30


@dataclass(frozen=True)
class Vocabulary:
    """What a token can be.

    Args:
        unit: what text is taken apart into.
        byte_values: the bytes that are symbols. Unit `byte`: those of the text. Other units: none, or all
            256, which spell the characters that are no symbols of their own.
        symbols: characters (unit `char`) or words and characters (unit `word`), in code-point order.

    Raises:
        DataError: these cannot be a vocabulary.
    """

    START: ClassVar[int] = 0
    """The id of the input in front of the first token; it is never a target and stands for no text."""

    unit: Unit
    byte_values: tuple[int, ...]
    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        problem = _problem(self.unit, self.byte_values, self.symbols)
        if problem:
            raise DataError("the vocabulary is damaged", why=problem, hint="prepare the corpus again")

    @property
    def size(self) -> int:
        """How many ids there are; the largest is one less."""
        return 1 + len(self.byte_values) + len(self.symbols)

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The narrowest unsigned type that holds every id."""
        return self._encoder.dtype

    def encode(self, text: str | bytes, unknown: Unknown = "error") -> NDArray[np.int64]:
        """The ids of `text` as a row of int64.

        Args:
            text: in the normal form of the corpus. Bytes are text in UTF-8, but for unit `byte`.
            unknown: what becomes of a symbol that the vocabulary lacks: `error` raises, `skip` leaves it out,
                `replace` puts what is most like it (the other case, the letter without its marks, plain quotes
                and dashes) or else a space.

        Raises:
            UnknownSymbols: under `error`; it names them all.
        """
        ids = self._encoder.bulk(text)
        return self._encoder.careful(text, unknown) if ids is None else ids.astype(np.int64)

    def encode_block(self, piece: str | bytes) -> Ids:
        """The ids of a piece of whole units in the narrow `dtype`, for corpora.

        Raises:
            UnknownSymbols: the vocabulary lacks a symbol.
        """
        ids = self._encoder.bulk(piece)
        return self._encoder.careful(piece, "error").astype(self.dtype) if ids is None else ids

    def decode(self, ids: Iterable[int] | NDArray[np.integer[Any]]) -> str:
        """The text that `ids` stand for; bytes that form no character become U+FFFD.

        Raises:
            IndexError: an id is not of this vocabulary.
        """
        decoder = Decoder(self)
        return decoder.feed(*(ids.tolist() if isinstance(ids, np.ndarray) else ids)) + decoder.finish()

    def symbol(self, id_: int) -> str:
        """A label for an id, on one line: `a`, `\\n`, `<space>`, `<0xE2>`, `<start>`."""
        position = id_ - 1
        if position < 0:
            return "<start>"
        if position < len(self.byte_values):
            value = self.byte_values[position]
            return label(chr(value)) if self.unit == "byte" and value < 0x80 else byte_label(value)
        return label(self.symbols[position - len(self.byte_values)])

    @cached_property
    def utf8(self) -> tuple[bytes, ...]:
        """The bytes that each id stands for."""
        return (
            b"",
            *(bytes([value]) for value in self.byte_values),
            *(symbol.encode("utf-8") for symbol in self.symbols),
        )

    @cached_property
    def bytes_per_id(self) -> NDArray[np.int64]:
        """How many bytes of UTF-8 each id stands for."""
        return np.fromiter(map(len, self.utf8), np.int64, self.size)

    @cached_property
    def characters_per_id(self) -> NDArray[np.int64]:
        """How many characters each id stands for; a byte counts if it can begin one."""
        begins = [int(value & 0xC0 != 0x80) for value in self.byte_values]
        return np.array([0, *begins, *map(len, self.symbols)], np.int64)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the vocabulary as JSON."""
        return digest.of_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as a JSON object."""
        return {
            "format": _FORMAT,
            "unit": self.unit,
            "bytes": list(self.byte_values),
            "symbols": list(self.symbols),
        }

    @classmethod
    def from_json(cls, value: object) -> Vocabulary:
        """The vocabulary that `to_json` wrote.

        Raises:
            DataError: `value` is something else.
        """
        if not isinstance(value, dict) or set(value) != {"format", "unit", "bytes", "symbols"}:
            raise DataError("this is not a vocabulary", why="it is not an object with a vocabulary's keys")
        if value["format"] != _FORMAT:
            raise DataError(
                "the vocabulary was written by another version of charrnn",
                why=f"its format is {value['format']!r}, this version reads {_FORMAT}",
            )
        if not isinstance(value["bytes"], list) or not isinstance(value["symbols"], list):
            raise DataError("this is not a vocabulary", why="`bytes` and `symbols` are not lists")
        return cls(value["unit"], tuple(value["bytes"]), tuple(value["symbols"]))

    def difference(self, other: Vocabulary, limit: int = 10) -> list[str]:
        """A line for each of the first `limit` ids that mean something else in `other`; none if all agree."""
        lines = [] if self.unit == other.unit else [f"unit: {self.unit} here, {other.unit} there"]
        for id_ in range(max(self.size, other.size)):
            if len(lines) >= limit:
                break
            here = self.symbol(id_) if id_ < self.size else "nothing"
            there = other.symbol(id_) if id_ < other.size else "nothing"
            if here != there:
                lines.append(f"id {id_}: {here} here, {there} there")
        return lines

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder(self.unit, self.byte_values, self.symbols)


class Decoder:
    """Turns ids into text as they come: a character appears with the last of its bytes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._utf8 = vocabulary.utf8
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, *ids: int) -> str:
        """The text that is certain after these further `ids`.

        Raises:
            IndexError: an id is not of this vocabulary.
        """
        if any(id_ < 0 for id_ in ids):
            raise IndexError("an id is never negative")
        return self._decoder.decode(b"".join(self._utf8[id_] for id_ in ids))

    def finish(self) -> str:
        """What is left: U+FFFD if the last character is not complete."""
        return self._decoder.decode(b"", True)


def _problem(unit: object, byte_values: tuple[object, ...], symbols: tuple[object, ...]) -> str | None:
    """Why these are no vocabulary; None if they are one."""
    if unit not in ("char", "byte", "word"):
        return f"{unit!r} is not a unit"
    if len(symbols) > _MOST_SYMBOLS:
        return "it has too many symbols"
    if not all(type(value) is int and 0 <= value < 256 for value in byte_values) or not _ascend(byte_values):
        return "its bytes are not ascending values from 0 to 255"
    if not all(type(symbol) is str and _is_unit(symbol, unit) for symbol in symbols):
        return f"one of its symbols is not a {unit}"
    if not _ascend(symbols):
        return "its symbols are not in the order of their code points, each once"
    if unit == "byte":
        return "bytes are its only symbols, but it has others" if symbols else None
    return None if len(byte_values) in (0, 256) else "it has some of the 256 bytes, but not all"


def _is_unit(symbol: str, unit: object) -> bool:
    try:
        symbol.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return len(symbol) == 1 if unit == "char" else words(symbol) == [symbol]


def _ascend(values: tuple[Any, ...]) -> bool:
    return all(a < b for a, b in pairwise(values))
