"""What a classifier confuses, as a table.

Shapes: C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from charrnn.errors import CharRnnError
from charrnn.report.told import Told

_MOST_TOLD = 6


@dataclass(frozen=True)
class Cell:
    """How often a label was called another one, or itself.

    Attributes:
        count: so often.
        share: of its row, 0 to 1.
        right: whether it is on the diagonal.
    """

    count: int
    share: float
    right: bool


@dataclass(frozen=True)
class Confused:
    """The confusion of the best validation.

    Attributes:
        labels: what the classes are called.
        rows: a row for each true label, a cell for each that it was called; empty where there are too many.
        worst: the confusions that happened most: true label, what it was called, how often.
        items: how many there are in all.
        commonest: the share of the most frequent label: what always saying it would get right.
    """

    labels: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    worst: Sequence[tuple[str, str, int]]
    items: int
    commonest: float


def confused(told: Told, classes: int) -> Confused | None:
    """The confusion that a run's records hold, as a table of at most so many classes; None where they hold none."""
    counts = _square(told.history.details.get("confusion"))
    if not counts:
        return None
    labels = _labels(told, len(counts))
    totals = [max(1, sum(row)) for row in counts]
    rows = [
        [Cell(count, count / total, i == j) for j, count in enumerate(row)]
        for i, (row, total) in enumerate(zip(counts, totals, strict=True))
    ]
    wrong = [(labels[i], labels[j], count) for i, row in enumerate(counts) for j, count in enumerate(row) if i != j]
    worst = sorted((one for one in wrong if one[2]), key=lambda one: -one[2])[:_MOST_TOLD]
    items = sum(map(sum, counts))
    return Confused(labels, rows if len(rows) <= classes else [], worst, items, max(map(sum, counts)) / max(1, items))


def _square(counts: Any) -> list[list[int]]:
    """The counts of a record; empty where they are none."""
    if not isinstance(counts, list):
        return []
    rows = all(isinstance(row, list) and len(row) == len(counts) for row in counts)
    return counts if rows and all(type(count) is int and count >= 0 for row in counts for count in row) else []


def _labels(told: Told, classes: int) -> list[str]:
    """The names in the checkpoint; numbers where it has none, and the page says why."""
    try:
        named = [] if told.checkpoint is None else told.checkpoint.document("labels")
    except CharRnnError as error:
        told.missing["labels"] = str(error)
        named = []
    if isinstance(named, list) and len(named) == classes and all(isinstance(name, str) for name in named):
        return [name if len(name) <= 24 else name[:23] + "…" for name in named]
    return [str(number) for number in range(classes)]
