"""All that a page needs to know of a run, read once; what cannot be had is a sentence in its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from charrnn.checkpoint.read import Checkpoint
from charrnn.errors import CharRnnError
from charrnn.runs.folder import RunFolder
from charrnn.runs.history import History, read_history
from charrnn.runs.overview import Overview, overview

_CONFIG_CHARACTERS = 100_000
_MOST_SAMPLES = 6
T = TypeVar("T")


@dataclass(frozen=True)
class Budget:
    """How much of each run a page has room for; the more runs, the less of each.

    Attributes:
        points: of each line.
        samples: texts.
        characters: of each text, and of the config.
        passage: symbols that are coloured by surprise.
        names: of a map.
        classes: rows and columns of a confusion matrix.
    """

    points: int
    samples: int
    characters: int
    passage: int
    names: int
    classes: int

    @classmethod
    def of(cls, runs: int) -> Budget:
        """What each of so many runs may take: a page of any number of runs stays below 2 MB."""
        return cls(
            points=max(60, 400 // runs),
            samples=max(2, _MOST_SAMPLES // runs),
            characters=max(300, 1500 // runs),
            passage=max(300, 4000 // runs),
            names=max(40, 150 // runs),
            classes=max(8, 40 // runs),
        )


@dataclass
class Told:
    """A run as a page tells of it.

    Attributes:
        number: its place among the runs of the page, from 0; its colour.
        name: what it is called there.
        run: its folder.
        overview: what it has come to.
        history: its records.
        checkpoint: the one to use; None where there is none.
        which: `best` or `last`.
        about: the checkpoint's document `config`; empty without one.
        config_text: the resolved config with the origin of each value; empty where it cannot be read.
        missing: what could not be had: a word for it, and why.
    """

    number: int
    name: str
    run: RunFolder
    overview: Overview
    history: History
    checkpoint: Checkpoint | None = None
    which: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    config_text: str = ""
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, Any]:
        """The config as nested values; empty where no checkpoint says."""
        config = self.about.get("config")
        return config if isinstance(config, Mapping) else {}

    @property
    def task(self) -> str:
        """`language`, `classify`, `rate`, `vectors`; empty where nothing says."""
        return self.overview.task or ""

    def attempt(self, what: str, make: Callable[[], T]) -> T | None:
        """What `make` makes; where it cannot, None, and the page says why."""
        try:
            return make()
        except CharRnnError as error:
            hint = f" – {error.hint}" if error.hint else ""
            self.missing[what] = f"{error.what}{f' ({error.where})' if error.where else ''}{hint}"
            return None


def tell(run: RunFolder, number: int, name: str, budget: Budget) -> Told:
    """Read a run; nothing of it that is damaged or missing is an error."""
    try:
        history = read_history(run, budget.points, budget.samples, budget.characters)
        unread = {}
    except OSError as error:
        history = History([], [], {}, {}, [], [], None, None, 0)
        unread = {"records": f"the records cannot be read: {error.strerror}"}
    told = Told(number, name, run, overview(run), history, missing=unread)
    found = told.attempt("checkpoint", run.preferred)
    if found is not None:
        checkpoint, told.which = found
        told.about = told.attempt("checkpoint", lambda: checkpoint.document("config")) or {}
        told.checkpoint = checkpoint if told.about else None
    try:
        with run.config.open(encoding="utf-8", errors="replace") as file:
            told.config_text = file.read(_CONFIG_CHARACTERS) if run.config.is_file() else ""
    except OSError:
        pass
    if not told.config_text:
        told.missing["config"] = f"there is no readable {run.config}"
    return told


def names_of(paths: Sequence[Path]) -> list[str]:
    """What runs are called: their folder's name, with so much of the path as tells them apart."""
    whole = [path.absolute().parts for path in paths]
    for depth in range(1, max(map(len, whole)) + 1):
        names = ["/".join(parts[-depth:]) for parts in whole]
        if len(set(names)) == len(names):
            return names
    return [f"{'/'.join(parts[-1:])} ({number})" for number, parts in enumerate(whole, start=1)]


def seconds_of(told: Told) -> float | None:
    """From the first record to the last, pauses included."""
    first, last = told.history.first, told.history.last
    return None if first is None or last is None or not math.isfinite(last - first) else max(0.0, last - first)
