"""The values of a config with their places, and the problems that are reported about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Scalar = None | bool | int | float | str


@dataclass(frozen=True, order=True)
class Place:
    """Where a value was given; places sort in the order in which they are reported.

    Args:
        rank: 0 for the config, 1 for the file that it extends, from 2 for what was typed.
        line: counted from 1; 0 where there are no lines.
        column: counted from 1.
        source: the path of the file as the user knows it, or the option.
        typed: what stood after the option.
    """

    rank: int
    line: int
    column: int
    source: str
    typed: str = ""

    @property
    def origin(self) -> str:
        """The place without its column: `demo.yaml:3`, or `--set`."""
        return f"{self.source}:{self.line}" if self.line else self.source

    def __str__(self) -> str:
        if self.line:
            return one_line(f"{self.source}:{self.line}:{self.column}")
        return one_line(f"{self.source} {shorten(self.typed)}".strip())


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a config."""

    place: Place
    key: str
    text: str

    def __str__(self) -> str:
        parts = (str(self.place), self.key, self.text)
        return one_line(": ".join(part for part in parts if part))


@dataclass(frozen=True)
class Tree:
    """A value and its place: that of the key that names it."""

    value: Scalar | list[Tree] | dict[str, Tree]
    place: Place

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def children(self) -> dict[str, Tree]:
        """The values of a mapping; of anything else, none."""
        return self.value if isinstance(self.value, dict) else {}

    def at(self, path: tuple[str, ...]) -> Tree:
        """The value at `path`, or the nearest one above it that was given."""
        tree = self
        for key in path:
            if key not in tree.children():
                break
            tree = tree.children()[key]
        return tree

    def replaced(self, path: tuple[str, ...], value: Tree) -> Tree:
        """A copy with `value` at `path`; what stands in the way gives way to a mapping."""
        if not path:
            return value
        child = self.children().get(path[0], Tree({}, value.place))
        return Tree({**self.children(), path[0]: child.replaced(path[1:], value)}, self.place)


def shorten(text: str) -> str:
    """The beginning of `text`, as much as a message can hold."""
    return text if len(text) <= 60 else text[:60] + "…"


def is_text(text: str) -> bool:
    """Whether UTF-8 can hold `text`; halves of surrogate pairs it cannot."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def one_line(text: str) -> str:
    """`text` with everything that could break a line or steer a terminal spelled as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
