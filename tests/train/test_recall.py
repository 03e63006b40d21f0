from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from charrnn.train.recall import OfHistory


def test_it_is_computed_once_for_each_history() -> None:
    asked: list[int] = []

    def steps(history: Sequence[dict[str, Any]]) -> int:
        asked.append(len(history))
        return sum(record["step"] for record in history)

    known, history = OfHistory(steps), [{"step": 1}]
    assert (known(history), known(history)) == (1, 1)
    history.append({"step": 2})
    assert (known(history), known(history)) == (3, 3)
    assert known([{"step": 1}, {"step": 7}]) == 8, "a run that went back has another history of the same length"
    assert known(history) == 3
    assert asked == [1, 2, 2, 2]
