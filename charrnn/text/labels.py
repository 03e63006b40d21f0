"""Symbols as people read them: short labels for lists, full names for errors."""

from __future__ import annotations

import unicodedata


def label(symbol: str) -> str:
    """A symbol as it appears in a table: on one line, and visible."""
    if symbol == " ":
        return "<space>"
    return "".join(char if char.isprintable() and char != " " else _escaped(char) for char in symbol)


def byte_label(value: int) -> str:
    """A byte as it appears in a table."""
    return f"<0x{value:02X}>"


def described(symbol: str) -> str:
    """A symbol with its code point and its Unicode name; a word as it is quoted."""
    if len(symbol) != 1:
        return repr(symbol)
    code = ord(symbol)
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte of a command line that is not UTF-8
        return f"byte 0x{code - 0xDC00:02X}"
    name = unicodedata.name(symbol, "")
    return f"{symbol!r} (U+{code:04X}{' ' if name else ''}{name})"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
