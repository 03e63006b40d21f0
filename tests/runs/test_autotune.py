from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from charrnn.runs.autotune import Choice, Runner, Seen, Trial, fastest, remembered


class Clock:
    """Seconds that pass only where something is said to take them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def way(
    clock: Clock, seconds: Sequence[float], loss: Callable[[int], float] = lambda step: 3.0
) -> Callable[[], Runner]:
    """Updates of 100 targets that take so long in one round after the other, the last for ever."""

    def begin() -> Runner:
        rounds, step = list(seconds), [0]

        def run(updates: int) -> Seen:
            clock.now += updates * (rounds.pop(0) if len(rounds) > 1 else rounds[0])
            step[0] += updates
            return Seen([loss(i) for i in range(step[0] - updates, step[0])], 100 * updates)

        return run

    return begin


def test_the_fastest_is_taken_by_the_median_of_rounds_after_a_warm_up() -> None:
    clock = Clock()
    choice = fastest(
        {
            "plain": way(clock, [0.1]),
            "slow to start": way(clock, [90.0, 0.05, 0.05, 3.0]),
            "one good round": way(clock, [0.2, 0.001, 0.2]),
        },
        clock,
    )
    rates = {name: trial.per_second for name, trial in choice.trials.items()}
    assert rates == pytest.approx({"plain": 1000.0, "slow to start": 2000.0, "one good round": 500.0})
    assert (choice.way, choice.kept) == ("slow to start", False)


@pytest.mark.parametrize(
    ("loss", "refused"),
    [
        (lambda step: 3.0 + 0.029, None),
        (lambda step: 3.0 + 0.031 * (step == 17), "update 18 had a loss of 3.031 in place of 3"),
        (lambda step: math.nan if step == 2 else 3.0, "update 3 had a loss of nan in place of 3"),
    ],
)
def test_a_way_to_other_losses_is_refused_whatever_its_speed(loss: Callable[[int], float], refused: str | None) -> None:
    clock = Clock()
    choice = fastest({"plain": way(clock, [0.1]), "fast": way(clock, [0.01], loss)}, clock)
    assert choice.trials["fast"] == Trial(pytest.approx(10_000.0), refused)
    assert choice.way == ("plain" if refused else "fast")


def test_a_way_that_does_not_run_is_told_and_the_plain_one_is_an_error() -> None:
    clock = Clock()

    def broken() -> Runner:
        raise RuntimeError("CUDNN_STATUS_NOT_SUPPORTED\nmore")

    choice = fastest({"plain": way(clock, [0.1]), "broken": broken}, clock)
    assert choice.way == "plain"
    assert choice.told() == "plain 1,000; broken refused (CUDNN_STATUS_NOT_SUPPORTED)"
    with pytest.raises(RuntimeError, match="NOT_SUPPORTED"):
        fastest({"broken": broken, "plain": way(clock, [0.1])}, clock)


def test_slow_updates_are_not_timed_for_ever() -> None:
    clock = Clock()
    fastest({"plain": way(clock, [3.0])}, clock)
    assert clock.now == 30.0  # the warm-up and one round


FOUND = Choice("b", {"a": Trial(1.5), "b": Trial(2.5), "c": Trial(None, "no memory")})
KEY = {"machine": ["x", 1], "model": {"hidden": 7}}


def ask(
    folder: Path, key: dict[str, Any] = KEY, ways: Sequence[str] = ("a", "b", "c")
) -> tuple[Choice, bool, list[str]]:
    """What is remembered, whether it was measured, and what was said."""
    measured, said = [], list[str]()
    choice = remembered(folder, key, ways, lambda: measured.append(1) or FOUND, said.append)
    return choice, bool(measured), said


def test_what_was_found_is_kept_for_the_same_question(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "charrnn"
    assert ask(folder) == (FOUND, True, [])
    again, measured, _ = ask(folder)
    assert (again.way, again.trials, again.kept, measured) == ("b", FOUND.trials, True, False)
    assert ask(folder, {"machine": ["x", 2]})[1]
    assert ask(folder, ways=("a", "c"))[1]
    assert ask(folder)[1] is False
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"hidden": 7', '"hidden": 8'),
        lambda text: text.replace('"way": "b"', '"way": "z"'),
        lambda text: text.replace("per_second", "seconds_per"),
        lambda text: text.replace("2.5", '"fast"'),
        lambda text: json.dumps({"key": KEY}),
    ],
)
def test_a_damaged_or_foreign_file_is_measured_anew_and_replaced(tmp_path: Path, damage: Callable[[str], str]) -> None:
    ask(tmp_path)
    (place,) = tmp_path.iterdir()
    text = place.read_text(encoding="utf-8")
    place.write_text(damage(text), encoding="utf-8")
    assert ask(tmp_path) == (FOUND, True, [])
    assert place.read_text(encoding="utf-8") == text


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    choice, _, said = ask(tmp_path / "file" / "charrnn")
    assert choice == FOUND
    assert len(said) == 1
    assert "measured again" in said[0]
