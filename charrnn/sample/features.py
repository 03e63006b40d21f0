"""What can be said of each character of a text by rule: is it inside quotes, where in its line does it stand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from charrnn.text.vocabulary import Vocabulary

_TAB = 8
_OPENING, _CLOSING = "([{", ")]}"


def features(text: str) -> dict[str, np.ndarray]:
    """Features of every character of a text, as of the moment when it has been read.

    Truth values: `inside quotes` (straight double quotes, in turns, and curly ones) and `inside brackets` (round,
    square and curly; any closes any). Both end at an empty line at the latest, so that one that was never closed does
    not turn all that follows around. Numbers: `position in the line`, the characters since the last line break, and
    `indentation`, the columns of white space at the beginning of the line as far as it was read, a tab going on to the
    next multiple of eight.
    """
    quotes, depth, position, indent, indenting = False, 0, 0, 0, True
    found: list[tuple[bool, bool, int, int]] = []
    for character in text:
        if character == "\n":
            if indenting:  # nothing but white space
                quotes, depth = False, 0
            position, indent, indenting = 0, 0, True
        else:
            position += 1
            if indenting and character in " \t":
                indent += 1 if character == " " else _TAB - indent % _TAB
            else:
                indenting = False
        if character == '"':
            quotes = not quotes
        elif character in "“”":
            quotes = character == "“"
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth = max(depth - 1, 0)
        found.append((quotes, depth > 0, position, indent))
    columns = list(zip(*found, strict=True)) if found else [()] * 4
    return {
        "inside quotes": np.array(columns[0], dtype=bool),
        "inside brackets": np.array(columns[1], dtype=bool),
        "position in the line": np.array(columns[2], dtype=np.float64),
        "indentation": np.array(columns[3], dtype=np.float64),
    }


def features_of(ids: Iterable[int], vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """The features of every symbol: those of its last character; of a byte, those of the character that it is part
    of."""
    ids_N = np.fromiter(ids, np.int64)
    text = vocabulary.decode(ids_N)
    last_N = np.clip(np.cumsum(vocabulary.characters_per_id[ids_N]) - 1, 0, max(len(text) - 1, 0))
    return {name: values[last_N] if len(text) else values for name, values in features(text).items()}
