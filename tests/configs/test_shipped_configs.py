"""Every shipped config trains for a few steps, on generated data of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from charrnn.config.load import load_config
from charrnn.config.schema import RateConfig
from charrnn.logs.console import Console
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").rglob("*.yaml"))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough for the split of the course, with the letters that the configs' samples begin with."""
    words = "ethics is a basic foundation of all that The ROMEO: what is done is done,\n\n"
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text((words * 8000)[:500_000], encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with the columns of every shipped config."""
    rows = [f"{i % 17},{i % 23},{1 + i % 9 / 2},{i % 17},{i % 23},{1 + i % 5}\n" for i in range(400)]
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    path.write_text("userId,movieId,rating,user,item,stars\n" + "".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def stand_in(text: Path, ratings: Path) -> Callable[[Path], list[str]]:
    """The settings that give the config at a path small data of its kind."""

    def settings(path: Path) -> list[str]:
        match load_config(path).config:
            case RateConfig():
                return [f"corpus.source={ratings}", 'corpus.delimiter=","', "corpus.names=null"]
            case _:
                return [f"corpus.source={text}", "sample.length=5"]

    return settings


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_trains(path: Path, stand_in: Callable[[Path], list[str]], text: Path, tmp_path: Path) -> None:
    loaded = load_config(path, [*stand_in(path), "train.max_steps=2", "evaluate.every=1000"])
    with Console(quiet=True) as console:
        outcome = train_run(loaded, tmp_path / "run", "new", text.parent / "corpora", console, Interrupt())
    assert outcome["step"] == 2
    assert outcome["best"]["loss"] < 15.0  # ReLUs from the identity add up, and begin far above the logarithm of V


def test_there_are_configs() -> None:
    assert len(CONFIGS) >= 5
