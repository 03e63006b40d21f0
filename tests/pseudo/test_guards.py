from __future__ import annotations

from typing import Any

import pytest

from charrnn.config.schema.pseudo import Pseudo, Stop
from charrnn.pseudo.guards import best_round, refusal, stalled

LABELS = {"candidates": 1000, "passed": 400, "kept": 400, "kept_labels": {"ham": 300, "spam": 100}}


@pytest.mark.parametrize(
    ("counts", "stop", "why"),
    [
        ({}, {}, None),
        ({"passed": 20}, {}, None),
        ({"passed": 19}, {}, "19 of 1000 items pass"),
        ({"passed": 19}, {"kept_below": 0.0}, None),
        ({"passed": 0, "kept": 0, "kept_labels": {"ham": 0, "spam": 0}}, {"kept_below": 0.0}, "0 items were kept"),
        ({"kept": 15, "kept_labels": {"ham": 8, "spam": 7}}, {}, "fewer than the 16 that every batch needs"),
        ({"kept": 16, "kept_labels": {"ham": 8, "spam": 8}}, {}, None),
        ({"kept_labels": {"ham": 380, "spam": 20}}, {}, None),
        ({"kept_labels": {"ham": 381, "spam": 19}}, {}, "381 of 400 kept items are called 'ham'"),
        ({"kept_labels": {"ham": 0, "spam": 400}}, {"one_label_above": 1.0}, None),
    ],
)
def test_when_nobody_should_learn_from_the_labels(
    counts: dict[str, Any], stop: dict[str, Any], why: str | None
) -> None:
    found = refusal(Pseudo(stop=Stop(**stop)), LABELS | counts)
    assert (found is None) == (why is None)
    assert why is None or why in str(found)


def validated(*accuracies: float | None, nats: tuple[float, ...] = ()) -> list[dict[str, Any]]:
    own = nats or (1.0,) * len(accuracies)
    return [
        {"valid": None if accuracy is None else {"accuracy": accuracy, "macro_f1": 1.0 - accuracy, "nats": loss}}
        for accuracy, loss in zip(accuracies, own, strict=True)
    ]


@pytest.mark.parametrize(
    ("rounds", "better", "best"),
    [
        (validated(0.8), "accuracy", 0),
        (validated(0.8, 0.9, 0.85), "accuracy", 1),
        (validated(0.9, 0.8, 0.9), "accuracy", 0),
        (validated(0.9, 0.8, 0.9, nats=(1.0, 1.0, 0.9)), "accuracy", 2),
        (validated(0.9, 0.8, 0.7), "macro_f1", 2),
        (validated(0.9, 0.8, 0.7, nats=(3.0, 1.0, 2.0)), "nats", 1),
        (validated(0.8, None), "accuracy", 0),
    ],
)
def test_the_best_round_is_handed_back(rounds: list[dict[str, Any]], better: Any, best: int) -> None:
    assert best_round(Stop(better=better), rounds) == best


@pytest.mark.parametrize(
    ("accuracies", "patience", "why"),
    [
        ((0.8, 0.9), 1, None),
        ((0.8, 0.8), 1, "round 1 is no better in validation than round 0"),
        ((0.8, 0.7), 2, None),
        ((0.8, 0.9, 0.7, 0.9), 2, "the last 2 rounds are no better in validation than round 1"),
        ((0.8, 0.7, 0.6, 0.5), None, None),
    ],
)
def test_rounds_end_when_validation_no_longer_improves(
    accuracies: tuple[float, ...], patience: int | None, why: str | None
) -> None:
    found = stalled(Stop(patience=patience), validated(*accuracies))
    assert (found is None) == (why is None)
    assert why is None or str(found).startswith(why)
