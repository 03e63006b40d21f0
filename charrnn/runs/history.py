"""What the records of a run tell, as much of it as a page has room for; read one record at a time. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charrnn.logs.tail import Line, Tail
from charrnn.runs.folder import RunFolder

_HAPPENINGS = ("guard", "disk")
_MOST_HAPPENINGS = 50
_DETAILS = ("confusion", "calibration", "positions")
_WRONG = ("nan", "inf", "-inf")

Point = Mapping[str, float]


@dataclass
class Thinned:
    """At most `most` of the things that come along, equally far apart, and the last of them.

    Attributes:
        most: how many; at least 2.
        kept: those so far, but for the last.
    """

    most: int
    kept: list[Any] = field(default_factory=list)
    _seen: int = 0
    _each: int = 1
    _last: Any = None

    def add(self, thing: Any) -> None:
        """Take one in."""
        if self._seen % self._each == 0:
            self.kept.append(thing)
            if len(self.kept) == self.most:
                self.kept = self.kept[::2]
                self._each *= 2
        self._seen += 1
        self._last = thing

    def all(self) -> list[Any]:
        """What is kept, in its order."""
        fresh = self._seen > 0 and (self._seen - 1) % self._each != 0
        return [*self.kept, self._last] if fresh else list(self.kept)


@dataclass(frozen=True)
class History:
    """The records of a run.

    Attributes:
        train: figures of training, by step; thinned.
        valid: figures of validation, by step; thinned.
        best: the figures of the best validation; empty where there is none.
        details: what belongs to the best and is no single number: confusion, calibration, positions.
        happenings: what the guard did and what the disk refused: the step and the words.
        samples: the step and the text of samples, thinned; the last among them.
        first: the time of the first record, in seconds since 1970; None where there is none.
        last: that of the last.
        wrong: lines that could not be read.
    """

    train: list[Point]
    valid: list[Point]
    best: Point
    details: Mapping[str, Any]
    happenings: list[tuple[int, str]]
    samples: list[tuple[int, str]]
    first: float | None
    last: float | None
    wrong: int


def read_history(run: RunFolder, points: int, samples: int, characters: int) -> History:
    """Read `metrics.jsonl` and `samples.jsonl`.

    Args:
        run: the run; what is not there is empty.
        points: so many of each split.
        samples: so many texts.
        characters: so many of each text.

    Raises:
        OSError: the system refuses to read.
    """
    told: dict[str, Thinned] = {"train": Thinned(points), "valid": Thinned(points)}
    best: Point = {}
    details: dict[str, Any] = {}
    happenings: list[tuple[int, str]] = []
    times: list[float] = []
    wrong = 0
    for record in _records(run.metrics):
        if record is None:
            wrong += 1
            continue
        split, figures = record.get("split"), _figures(record)
        step = figures.get("step", math.nan)
        if math.isfinite(figures.get("time", math.nan)):
            times = [*times[:1], figures["time"]]
        if split in told and math.isfinite(step):
            told[split].add(figures)
        if split == "valid" and record.get("best") is True:
            best, details = figures, {name: record[name] for name in _DETAILS if name in record}
        if split in _HAPPENINGS and isinstance(record.get("what"), str) and len(happenings) < _MOST_HAPPENINGS:
            happenings.append((int(step) if math.isfinite(step) else 0, record["what"][:characters]))
    texts = Thinned(max(samples, 2))
    for record in _records(run.samples):
        if record is not None and type(record.get("step")) is int and isinstance(record.get("text"), str):
            texts.add((record["step"], record["text"][:characters]))
    first, last = (times[0], times[-1]) if times else (None, None)
    train, valid = (told[name].all() for name in ("train", "valid"))
    return History(train, valid, best, details, happenings, texts.all(), first, last, wrong)


def _records(path: Path) -> Iterator[dict[str, Any] | None]:
    for new in Tail(path).new():
        if isinstance(new, Line):
            yield new.record


def _figures(record: Mapping[str, Any]) -> dict[str, float]:
    """The single numbers of a record; what is not finite has a gap in the pictures."""
    return dict(_numbers(record.items()))


def _numbers(items: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, float]]:
    for name, value in items:
        if type(value) in (int, float) and abs(value) < 1e100:
            yield name, float(value)
        elif value in _WRONG and isinstance(value, str):
            yield name, math.nan
