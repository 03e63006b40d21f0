"""When rounds end before their time, and which of them is handed back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from charrnn.config.schema.pseudo import Pseudo, Stop
from charrnn.config.schema.pseudo_ratings import RatingStop
from charrnn.config.schema.pseudo_texts import TextStop

AnyStop = Stop | RatingStop | TextStop
_HIGHER = ("accuracy", "macro_f1")
"""The figures that are better the higher they are; all others are errors."""


def refusal(settings: Pseudo, counts: Mapping[str, Any]) -> str | None:
    """Why nobody should learn from these labels; None where a student may.

    Args:
        settings: the `pseudo:` section.
        counts: `candidates`, how many of them `passed` the selection, how many were `kept`, and `kept_labels`: how many
            of those each label has.
    """
    few = too_few(settings.stop.kept_below, settings.rows, counts, "items")
    if few is not None:
        return few
    kept = counts["kept"]
    label, most = max(counts["kept_labels"].items(), key=lambda pair: pair[1])
    if most / kept > settings.stop.one_label_above:
        return (
            f"{most} of {kept} kept items are called {label!r}: {most / kept:.2%}, and more than "
            f"{settings.stop.one_label_above:.2%} is too many (pseudo.stop.one_label_above)"
        )
    return None


def too_few(kept_below: float, rows: int, counts: Mapping[str, Any], things: str) -> str | None:
    """Why these are too few labels to learn from; None where they are enough.

    Args:
        kept_below: of the candidates a smaller share than this is too small.
        rows: how many labels every batch needs.
        counts: `candidates`, `passed` and `kept`, as for `refusal`.
        things: what labels are for, in the plural.
    """
    passed, kept = counts["passed"], counts["kept"]
    share = passed / counts["candidates"]
    if share < kept_below:
        return (
            f"{passed} of {counts['candidates']} {things} pass the selection: {share:.2%}, and less than "
            f"{kept_below:.2%} is too few (pseudo.stop.kept_below)"
        )
    if kept < rows:
        return f"{kept} {things} were kept, fewer than the {rows} that every batch needs (pseudo.rows)"
    return None


def rank(stop: AnyStop, figures: Mapping[str, float]) -> tuple[float, ...]:
    """What is higher for better figures of validation; of equally accurate ones that with fewer nats is better."""
    figure = figures[stop.better]
    return (figure, -figures["nats"]) if stop.better in _HIGHER else (-figure,)


def best_round(stop: AnyStop, rounds: Sequence[Mapping[str, Any]], since: int = 0) -> int:
    """The number of the round with the best validation, the first of equals.

    Args:
        stop: says by which figure.
        rounds: their manifests; rounds without a student have no figures.
        since: the first one that may be handed back; where no such round has a student, it is round 0.
    """
    able = [number for number, one in enumerate(rounds) if one["valid"] is not None and number >= since] or [0]
    return max(able, key=lambda number: (*rank(stop, rounds[number]["valid"]), -number))


def stalled(stop: AnyStop, rounds: Sequence[Mapping[str, Any]], since: int = 0) -> str | None:
    """Why there is no use in another round, by validation; None where there may be. See `best_round`."""
    best = best_round(stop, rounds, since)
    behind = len(rounds) - 1 - best
    if stop.patience is None or behind < stop.patience:
        return None
    which = f"round {len(rounds) - 1} is" if behind == 1 else f"the last {behind} rounds are"
    return f"{which} no better in validation than round {best} (pseudo.stop.patience)"
