"""Text as a row of units: characters, or words with all else character by character.

A word is a run of at most 64 letters, digits and underscores; a longer run is several words. Joined again,
the units of a text are the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_LONGEST_WORD = 64
_UNIT = re.compile(rf"\w{{1,{_LONGEST_WORD}}}|\W")
_RUN = re.compile(r"\w*")


def words(text: str) -> list[str]:
    """The words of `text` and the characters between them."""
    return _UNIT.findall(text)


def whole_words(blocks: Iterable[str]) -> Iterator[str]:
    """The same text, cut only between units, so that the blocks can be taken apart one by one."""
    held = ""
    for block in blocks:
        text = held + block
        cut = len(text) - unfinished_word(text)
        if cut:
            yield text[:cut]
        held = text[cut:]
    if held:
        yield held


def unfinished_word(text: str) -> int:
    """The length of a word at the end of `text` that further letters would still belong to.

    `text` begins where a unit begins, so the words of a run are counted from the first character of the run.
    """
    run = _RUN.match(text[::-1])
    return run.end() % _LONGEST_WORD if run else 0
