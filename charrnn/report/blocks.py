"""A page of Markdown that we wrote, as blocks for a page of HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_CELL = re.compile(r"(?<!\\)\|")


@dataclass
class Block:
    """A heading, a paragraph or a table.

    Attributes:
        kind: `heading`, `strong`, `text` or `table`.
        text: its words; empty of a table.
        level: of a heading: 1, 2, ….
        rows: of a table; the first is the head.
    """

    kind: str
    text: str = ""
    level: int = 0
    rows: list[Sequence[str]] = field(default_factory=list)


def blocks(markdown: str) -> Iterator[Block]:
    """Headings, paragraphs of a line, and tables; nothing else stands in the reports of rounds."""
    table: Block | None = None
    for line in markdown.splitlines():
        if line.startswith("| "):
            if table is None:
                table = Block("table")
            table.rows.append([cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]])
            continue
        if table is not None and line.startswith("|--"):
            continue
        if table is not None:
            yield table
            table = None
        if line.startswith("#"):
            marks, _, words = line.partition(" ")
            yield Block("heading", words, len(marks))
        elif line.startswith("**") and line.endswith("**"):
            yield Block("strong", line.strip("*"))
        elif line.strip():
            yield Block("text", line)
    if table is not None:
        yield table
