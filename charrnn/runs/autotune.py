"""Which of several ways to compute an update is the fastest here: timed on throw-away copies, and kept per machine.

A way that does not give the losses of the first one, which is the plain one, is refused whatever its speed. What was
found lies in the user's cache: a file for each machine, model and stream. One that is damaged, or about something else,
is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from charrnn.errors import StorageError
from charrnn.files.atomic import make_folder, write_json

_WARM, _ROUNDS, _UPDATES = 5, 4, 5
_SECONDS = 10.0
TOLERANCE = 0.01
"""Every loss lies so close to that of the first way, relative to it."""


@dataclass(frozen=True)
class Seen:
    """What some updates have seen.

    Attributes:
        losses: the mean loss of each.
        targets: how many targets they had in all.
    """

    losses: Sequence[float]
    targets: int


Runner = Callable[[int], Seen]
"""Does so many more updates, and is back when the device is done with them."""


@dataclass(frozen=True)
class Trial:
    """What came of one way.

    Attributes:
        per_second: targets per second, the median of some rounds; None where it did not run.
        refused: why it is not to be taken, if so.
    """

    per_second: float | None
    refused: str | None = None


@dataclass(frozen=True)
class Choice:
    """The way that is taken.

    Attributes:
        way: its name.
        trials: of all ways, by name.
        kept: whether it was found at an earlier time.
    """

    way: str
    trials: Mapping[str, Trial]
    kept: bool = False

    def told(self) -> str:
        """What was measured, in words."""
        return "; ".join(f"{name} {_told(trial)}" for name, trial in self.trials.items())


def fastest(ways: Mapping[str, Callable[[], Runner]], clock: Callable[[], float] = time.perf_counter) -> Choice:
    """Try all ways one after the other, and take the fastest of those that give the losses of the first.

    Args:
        ways: by name, how to begin each: all with the same weights and the same batches. The first is always sound.
        clock: tells seconds.
    """
    trials: dict[str, Trial] = {}
    plain: Sequence[float] | None = None
    for name, begin in ways.items():
        try:
            per_second, losses = _tried(begin, clock)
        except RuntimeError as error:  # out of memory, or a kernel that does not take these sizes
            if plain is None:
                raise
            trials[name] = Trial(None, (str(error).strip() or type(error).__name__).splitlines()[0])
            continue
        plain = losses if plain is None else plain
        trials[name] = Trial(per_second, _strays(losses, plain))
    sound = {name: trial.per_second for name, trial in trials.items() if trial.refused is None}
    return Choice(max(sound, key=lambda name: sound[name] or 0.0), trials)


def _tried(begin: Callable[[], Runner], clock: Callable[[], float]) -> tuple[float, Sequence[float]]:
    """Targets per second, and the losses of all updates; nothing of the run is left when this returns."""
    run, rates = begin(), list[float]()
    losses = list(run(_WARM).losses)
    began = clock()
    for _ in range(_ROUNDS):
        before = clock()
        seen = run(_UPDATES)
        after = clock()
        losses += seen.losses
        rates.append(seen.targets / max(after - before, 1e-9))
        if after - began > _SECONDS:
            break
    return median(rates), losses


def _strays(losses: Sequence[float], plain: Sequence[float]) -> str | None:
    """Where losses leave those of the first way, in words."""
    for number, (loss, expected) in enumerate(zip(losses, plain, strict=False), 1):
        if not (loss == expected or abs(loss - expected) <= TOLERANCE * abs(expected)):
            return f"update {number} had a loss of {loss:.4g} in place of {expected:.4g}"
    return None


def remembered(
    folder: Path,
    key: Mapping[str, Any],
    ways: Sequence[str],
    find: Callable[[], Choice],
    say: Callable[[str], None],
) -> Choice:
    """What was found for `key` before; else what `find` finds, which is kept.

    Args:
        folder: the cache.
        key: all that the answer depends on, as a JSON value.
        ways: the names that an answer may have.
        find: measures.
        say: told where the answer cannot be kept.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode("utf-8")).hexdigest()
    place = folder / f"way-{digest[:16]}.json"
    kept = _read(place, key, ways)
    if kept is not None:
        return kept
    choice = find()
    document = {"key": dict(key), "way": choice.way, "trials": {n: asdict(t) for n, t in choice.trials.items()}}
    try:
        make_folder(folder)
        write_json(place, document)
    except StorageError as error:
        say(f"what was measured is not kept, and will be measured again: {error.where}: {error.why}")
    return choice


def _read(place: Path, key: Mapping[str, Any], ways: Sequence[str]) -> Choice | None:
    try:
        document = json.loads(place.read_text(encoding="utf-8"))
        trials = {str(name): Trial(**trial) for name, trial in document["trials"].items()}
        choice = Choice(document["way"], trials, kept=True)
        choice.told()
        return choice if document["key"] == key and choice.way in ways else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _told(trial: Trial) -> str:
    rate = "" if trial.per_second is None else f"{trial.per_second:,.0f}"
    return rate if trial.refused is None else f"{rate} refused ({trial.refused})".strip()
