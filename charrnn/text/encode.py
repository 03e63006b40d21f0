"""From text to ids: whole blocks at once where every symbol is known, symbol by symbol where one is not."""

from __future__ import annotations

import unicodedata
from functools import cached_property
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import DataError
from charrnn.text.labels import described
from charrnn.text.units import words

Unknown = Literal["error", "skip", "replace"]
Ids = NDArray[np.unsignedinteger]

_NAMED = 10
_NONE = 0
"""Stands in tables for what has no id: no text has the token `<start>`."""
_TYPOGRAPHY = str.maketrans("‘’‚‛“”„‟‐‑‒–—―−\u00a0", "''''\"\"\"\"------- ")


class UnknownSymbols(DataError):
    """A text has symbols that the vocabulary lacks.

    Attributes:
        symbols: those symbols, each once, in the order in which they are met. A byte that is not UTF-8 is
            written as Python does, as the surrogate U+DC00 + byte.
    """

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = tuple(symbols)
        named = ", ".join(map(described, symbols[:_NAMED]))
        more = f" and {len(symbols) - _NAMED} more" if len(symbols) > _NAMED else ""
        plural = "s" if len(symbols) > 1 else ""
        super().__init__(
            f"the vocabulary lacks {len(symbols)} symbol{plural} of the text: {named}{more}",
            hint="write the text without them, or pass over them (--unknown skip), or put the most similar"
            " symbols in their place (--unknown replace)",
        )


class Encoder:
    """The tables that turn text into ids.

    Args:
        unit: `char`, `byte` or `word`.
        byte_values: the bytes that are symbols; their ids begin at 1.
        symbols: the other symbols; their ids follow.

    Attributes:
        dtype: the narrowest unsigned type that holds every id.
    """

    def __init__(self, unit: str, byte_values: tuple[int, ...], symbols: tuple[str, ...]) -> None:
        self._unit = unit
        self._spells = unit != "byte" and bool(byte_values)
        first = 1 + len(byte_values)
        self.dtype = np.dtype(np.min_scalar_type(first + len(symbols) - 1))
        self._byte_ids = np.full(256, -1, np.int32)
        self._byte_ids[list(byte_values)] = np.arange(1, first)
        self._index = {symbol: id_ for id_, symbol in enumerate(symbols, first)}

    def bulk(self, piece: str | bytes) -> Ids | None:
        """The ids of a piece of whole units; None if the vocabulary lacks any of its symbols."""
        if self._unit == "byte":
            data = _utf8(piece, "surrogateescape") if isinstance(piece, str) else piece
            return None if data is None else self._byte_table.ids(data)
        text = _text(piece)
        return self._bulk_words(text) if self._unit == "word" else self._bulk_characters(text)

    def careful(self, piece: str | bytes, unknown: Unknown) -> NDArray[np.int64]:
        """The ids of `piece`, symbol by symbol; `unknown` says what becomes of what the vocabulary lacks.

        Raises:
            UnknownSymbols: under `error`.
        """
        if self._unit == "byte" and isinstance(piece, bytes):
            text = piece.decode("utf-8", "surrogateescape")
        else:
            text = _text(piece)
        units = words(text) if self._unit == "word" else list(text)
        known: dict[str, list[int]] = {}
        missing: list[str] = []
        for unit in units:
            if unit not in known:
                ids = self._ids(unit)
                if ids is None:
                    missing.append(unit)
                known[unit] = (self._similar(unit) if unknown == "replace" else []) if ids is None else ids
        if missing and unknown == "error":
            raise UnknownSymbols(missing)
        return np.fromiter(chain.from_iterable(known[unit] for unit in units), np.int64)

    def _ids(self, unit: str) -> list[int] | None:
        """The ids of one unit, spelled if need be; None if it cannot be written."""
        if unit in self._index:
            return [self._index[unit]]
        if self._unit == "byte" or (self._spells and len(unit) == 1):
            data = _utf8(unit, "surrogateescape" if self._unit == "byte" else "strict")
            ids = [-1] if data is None else self._byte_ids[list(data)].tolist()
            return None if -1 in ids else ids
        if self._spells:
            parts = [self._ids(character) for character in unit]
            return [id_ for part in parts for id_ in part or ()]
        return None

    def _similar(self, unit: str) -> list[int]:
        """The ids of what is most like `unit`, of these the first that can be written; none if there is none.

        Tried in turn: the other case; no marks and no printers' signs; those in the other case; a space.
        """
        plain = "".join(
            char
            for char in unicodedata.normalize("NFKD", unit.translate(_TYPOGRAPHY))
            if not unicodedata.combining(char)
        )
        for candidate in (unit.lower(), unit.upper(), plain, plain.lower(), plain.upper(), " "):
            parts = [self._ids(part) for part in (words(candidate) if self._unit == "word" else candidate)]
            if parts and None not in parts:
                return [id_ for part in parts for id_ in part or ()]
        return []

    @cached_property
    def _byte_table(self) -> _ByteTable:
        return _ByteTable(self._byte_ids, self.dtype)

    @cached_property
    def _ascii_table(self) -> _ByteTable:
        ids = np.full(256, _NONE, np.int32)
        ascii_codes = self._codes[:128]
        ids[: len(ascii_codes)] = ascii_codes
        return _ByteTable(ids, self.dtype)

    @cached_property
    def _codes(self) -> Ids:
        """The id of each code point up to the highest that is a symbol, `_NONE` for those that are none and for the one
        above, which stands for all that follow."""
        single = {ord(symbol): id_ for symbol, id_ in self._index.items() if len(symbol) == 1}
        codes = np.full(max(single, default=0) + 2, _NONE, self.dtype)
        codes[list(single)] = list(single.values())
        return codes

    def _bulk_characters(self, text: str) -> Ids | None:
        if text.isascii():
            known = self._ascii_table.ids(text.encode("ascii"))
            if known is not None or not self._spells:
                return known
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
        ids = self._codes.take(points, mode="clip")
        return ids if ids.all() else self._spelled(points, ids)

    def _spelled(self, points: NDArray[np.uint32], ids: Ids) -> Ids | None:
        """`ids` with the bytes of a character wherever one is missing; None if that cannot be."""
        rare = ids == _NONE
        characters = points[rare].tobytes().decode("utf-32-le", "surrogatepass")
        data = _utf8(characters, "strict") if self._spells else None
        if data is None:
            return None
        lengths = np.where(rare, _utf8_lengths(points), 1)
        spelled = np.repeat(rare, lengths)
        result = np.empty(len(spelled), self.dtype)
        result[spelled] = self._byte_ids[np.frombuffer(data, np.uint8)]
        result[~spelled] = ids[~rare]
        return result

    def _bulk_words(self, text: str) -> Ids | None:
        units = words(text)
        found = list(map(self._index.get, units))
        if None not in found:
            return np.array(found, self.dtype)
        spelled = {unit: self._ids(unit) for unit, id_ in zip(units, found, strict=True) if id_ is None}
        if None in spelled.values():
            return None
        parts = (spelled[unit] or () if id_ is None else (id_,) for unit, id_ in zip(units, found, strict=True))
        return np.fromiter(chain.from_iterable(parts), self.dtype)


class _ByteTable:
    """Looks up the ids of bytes, a block at a time."""

    def __init__(self, ids: NDArray[np.int32], dtype: np.dtype[np.unsignedinteger]) -> None:
        self._table = np.maximum(ids, _NONE).astype(dtype)
        self._narrow = self._table.tobytes() if dtype == np.uint8 else None

    def ids(self, data: bytes) -> Ids | None:
        """The ids of `data`; None if a byte has none."""
        if self._narrow is not None:  # twice as fast as an index
            translated = data.translate(self._narrow)
            return None if _NONE in translated else np.frombuffer(translated, np.uint8)
        ids = self._table.take(np.frombuffer(data, np.uint8))
        return ids if ids.all() else None


def _text(piece: str | bytes) -> str:
    if isinstance(piece, str):
        return piece
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError("the text is not UTF-8", why=f"at byte offset {error.start}, {error.reason}") from error


def _utf8(text: str, errors: Literal["strict", "surrogateescape"]) -> bytes | None:
    """The bytes of `text`; None if it holds a lone surrogate, unless that is escaped and stands for a byte."""
    try:
        return text.encode("utf-8", errors)
    except UnicodeEncodeError:
        return None


def _utf8_lengths(points: NDArray[np.uint32]) -> NDArray[np.int64]:
    """How many bytes each code point takes in UTF-8."""
    return 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
