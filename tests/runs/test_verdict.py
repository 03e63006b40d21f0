"""A verdict that ends a run before its time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from lab import Lab, Stopper

from charrnn.config.load import load_config
from charrnn.errors import Interrupted
from charrnn.logs.console import Console
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt


class Judge:
    """Ends the run at its third validation, and remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def __call__(self, history: Sequence[dict[str, float]]) -> str | None:
        self.seen.append([record["step"] for record in history])
        return "enough" if len(history) >= 3 else None


def test_it_is_asked_once_after_each_validation_and_its_text_ends_the_run(lab: Lab) -> None:
    judge = Judge()
    with Console(quiet=True) as console:
        loaded = load_config(lab.path / "config.yaml")
        outcome = train_run(loaded, lab.path / "run", "new", lab.path / "corpora", console, Interrupt(), judge)
    assert (outcome["ended"], outcome["step"]) == ("enough", 33)
    assert judge.seen == [[11], [11, 22], [11, 22, 33]]
    assert lab.train("run")["ended"] == "enough"


def test_the_last_validation_is_shown_too_and_the_run_ends_as_ever(lab: Lab) -> None:
    judge = Judge()
    with Console(quiet=True) as console:
        loaded = load_config(lab.path / "config.yaml", ["train.epochs=null", "train.max_steps=33"])
        outcome = train_run(loaded, lab.path / "run", "new", lab.path / "corpora", console, Interrupt(), judge)
    assert outcome["ended"] == "all steps are done"
    assert judge.seen[-1] == [11, 22, 33]


def test_a_broken_run_ends_at_the_same_verdict(lab: Lab) -> None:
    loaded = load_config(lab.path / "config.yaml")
    with Console(quiet=True) as console:
        with pytest.raises(Interrupted):
            train_run(loaded, lab.path / "run", "new", lab.path / "corpora", console, Stopper(40), Judge())
        outcome = train_run(loaded, lab.path / "run", "resume", lab.path / "corpora", console, Interrupt(), Judge())
    assert (outcome["ended"], outcome["step"]) == ("enough", 33)
