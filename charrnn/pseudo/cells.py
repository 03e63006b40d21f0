"""Cells and tables of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from charrnn.config.tree import one_line


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table, line by line."""
    line = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [line[0], "|---" * len(head) + "|", *line[1:]]


def share(part: int, whole: int) -> str:
    """A share in per cent; nothing has none."""
    return f"{part / whole:.1%}" if whole else "–"


def change(value: float | None) -> str:
    """A relative change in per cent."""
    return "–" if value is None else f"{value:+.1%}"


def spread(found: Mapping[str, Any], form: str, flip: bool = False) -> str:
    """A mean and its deviation; `flip` turns an error into the accuracy that it leaves."""
    if found["mean"] is None:
        return "–"
    mean = form.format(1.0 - found["mean"] if flip else found["mean"])
    return mean if found["deviation"] is None else f"{mean} ± {form.replace('+', '').format(found['deviation'])}"


def cell(text: str) -> str:
    """A text that may hold anything, in one cell."""
    return one_line(text).replace("|", "\\|")
