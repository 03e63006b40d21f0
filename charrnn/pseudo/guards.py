"""When rounds end before their time, and which of them is handed back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from charrnn.config.schema.pseudo import Pseudo, Stop


def refusal(settings: Pseudo, counts: Mapping[str, Any]) -> str | None:
    """Why nobody should learn from these labels; None where a student may.

    Args:
        settings: the `pseudo:` section.
        counts: `candidates`, how many of them `passed` the selection, how many were `kept`, and `kept_labels`: how many
            of those each label has.
    """
    passed, kept = counts["passed"], counts["kept"]
    share = passed / counts["candidates"]
    if share < settings.stop.kept_below:
        return (
            f"{passed} of {counts['candidates']} items pass the selection: {share:.2%}, and less than "
            f"{settings.stop.kept_below:.2%} is too few (pseudo.stop.kept_below)"
        )
    if kept < settings.rows:
        return f"{kept} items were kept, fewer than the {settings.rows} that every batch needs (pseudo.rows)"
    label, most = max(counts["kept_labels"].items(), key=lambda pair: pair[1])
    if most / kept > settings.stop.one_label_above:
        return (
            f"{most} of {kept} kept items are called {label!r}: {most / kept:.2%}, and more than "
            f"{settings.stop.one_label_above:.2%} is too many (pseudo.stop.one_label_above)"
        )
    return None


def rank(stop: Stop, figures: Mapping[str, float]) -> tuple[float, ...]:
    """What is higher for better figures of validation."""
    fewer = -figures["nats"]
    return (fewer,) if stop.better == "nats" else (figures[stop.better], fewer)


def best_round(stop: Stop, rounds: Sequence[Mapping[str, Any]]) -> int:
    """The number of the round with the best validation, the first of equals; rounds without a student have none."""
    able = [number for number, one in enumerate(rounds) if one["valid"] is not None]
    return max(able, key=lambda number: (*rank(stop, rounds[number]["valid"]), -number))


def stalled(stop: Stop, rounds: Sequence[Mapping[str, Any]]) -> str | None:
    """Why there is no use in another round, by validation; None where there may be."""
    behind = len(rounds) - 1 - best_round(stop, rounds)
    if stop.patience is None or behind < stop.patience:
        return None
    which = f"round {len(rounds) - 1} is" if behind == 1 else f"the last {behind} rounds are"
    return f"{which} no better in validation than round {best_round(stop, rounds)} (pseudo.stop.patience)"
