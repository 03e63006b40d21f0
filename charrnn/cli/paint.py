"""A text in the colours of its surprise, for a terminal."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

LEVELS = (1.0, 2.0, 3.5, 5.0, 8.0)
"""Nats from which on a character is painted, and painted more strongly."""

_GROUNDS = ("", "230", "222", "215", "209", "203")
_RESET = "\x1b[0m"


def painted(pieces: Iterable[tuple[str, float]]) -> str:
    """Pieces of a text, each behind the colour of its nats. A surprising end of a line shows as a painted space.

    What could steer a terminal is left out of the text; all escape sequences are ours.
    """
    from charrnn.logs.console import printable

    done, now = [], ""
    for text, nats in pieces:
        safe = printable(text)
        ground = _GROUNDS[bisect_right(LEVELS, nats)] if safe else now
        if safe == "\n" and ground:
            done += [_change(now, ground), " "]
            now, ground = ground, ""
        elif safe.isspace() and "\n" in safe:
            ground = ""
        done += [_change(now, ground), safe]
        now = ground
    return "".join([*done, _change(now, "")])


def legend() -> str:
    """What the colours mean, on one line."""
    edges = [f"{level:g}" for level in LEVELS]
    names = [
        f"< {edges[0]}",
        *(f"{low} – {high}" for low, high in pairwise(edges)),
        f"≥ {edges[-1]}",
    ]
    shown = [
        f"{_change('', ground)} {name} {_change(ground, '')}" for ground, name in zip(_GROUNDS, names, strict=True)
    ]
    return f"nats: {' '.join(shown)}\n"


def _change(before: str, after: str) -> str:
    """The sequence from one ground to another; black letters on every one of ours."""
    if before == after:
        return ""
    return f"\x1b[30;48;5;{after}m" if after else _RESET
