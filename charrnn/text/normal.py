"""The normal form of text, streamed: the result does not depend on where the blocks are cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Literal

from charrnn.config.schema.corpus import Corpus
from charrnn.errors import DataError

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

_LONGEST_SEGMENT = 1 << 16
_BYTE_ORDER_MARK = "\ufeff"


def normalised(blocks: Iterable[str], settings: Corpus, name: str) -> Iterator[str]:
    """The blocks of one file in the form that `settings` ask for.

    Byte order mark, newlines, normal form and case are dealt with in this order.

    Raises:
        DataError: a normal form is asked for and the text has a run of combining marks without end.
    """
    if settings.bom == "strip":
        blocks = _without_mark(blocks)
    if settings.newlines == "lf":
        blocks = _line_feeds(blocks)
    if settings.normal_form != "none":
        blocks = _in_form(blocks, settings.normal_form, name, settings.case == "lower")
    elif settings.case == "lower":
        blocks = map(lower, blocks)
    return (block for block in blocks if block)


def normalised_text(text: str, settings: Corpus) -> str:
    """A whole text, such as the seed of a sample, in the form of the corpus; unit `byte` leaves it alone."""
    if settings.unit == "byte":
        return text
    return "".join(normalised([text], settings, "text"))


def lower(text: str) -> str:
    """Lower-case each character on its own; `str.lower` alone looks around a capital sigma."""
    return text.replace("Σ", "σ").lower()


def _without_mark(blocks: Iterable[str]) -> Iterator[str]:
    rest = filter(None, blocks)
    first = next(rest, "")
    return chain([first.removeprefix(_BYTE_ORDER_MARK)], rest)


def _line_feeds(blocks: Iterable[str]) -> Iterator[str]:
    held = ""
    for block in blocks:
        text = held + block
        held = "\r" if text.endswith("\r") else ""  # a line feed may follow in the next block
        text = text.removesuffix("\r")
        yield text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    if held:
        yield "\n"


def _in_form(blocks: Iterable[str], form: Form, name: str, lower_case: bool) -> Iterator[str]:
    for segment in _segments(blocks, form, name):
        text = unicodedata.normalize(form, segment)
        # Lower-casing can leave the form (of iota with two marks, only the small one is a single character).
        yield unicodedata.normalize(form, lower(text)) if lower_case else text


def _segments(blocks: Iterable[str], form: Form, name: str) -> Iterator[str]:
    """The same text, cut only where both sides can be normalised on their own."""
    held = ""
    for block in blocks:
        text = held + block
        cut = _last_start(text, form)
        if len(text) - cut > _LONGEST_SEGMENT:
            raise DataError(
                f"more than {_LONGEST_SEGMENT:,} combining marks in a row",
                where=name,
                why=f"the normal form {form} has to see them all at once",
                hint="mend the text, or set corpus.normal_form: none",
            )
        if cut:
            yield text[:cut]
        held = text[cut:]
    if held:
        yield held


def _last_start(text: str, form: Form) -> int:
    """Where the last segment of `text` starts; 0 when all of it is one."""
    for position in range(len(text) - 1, 0, -1):
        if starts_segment(text[position], form):
            return position
    return 0


def starts_segment(character: str, form: Form) -> bool:
    """Whether nothing before `character` can change it, or be changed by it, in the normal form."""
    if character.isascii():
        return True
    first = unicodedata.normalize("NFKD" if form in ("NFKC", "NFKD") else "NFD", character)[0]
    return unicodedata.combining(first) == 0 and first not in _joining()


@lru_cache(maxsize=1)
def _joining() -> frozenset[str]:
    """Characters that a composition attaches to the one before them."""
    # Hangul vowels and finals compose by a rule, all others by a table
    second_halves = set(map(chr, [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]))
    for code in range(0x40000):  # no character of the planes above is decomposed
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            second_halves.add(chr(int(parts[1], 16)))
    return frozenset(second_halves)
