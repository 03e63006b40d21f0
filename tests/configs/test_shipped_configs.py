"""Every shipped config trains for a few steps, on a generated text of the same kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from charrnn.config.load import load_config
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


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_trains(path: Path, text: Path, tmp_path: Path) -> None:
    overrides = [f"corpus.source={text}", "train.max_steps=2", "evaluate.every=1000"]
    loaded = load_config(path, overrides)
    if loaded.config.sample is not None:
        loaded = loaded.varied([*overrides, "sample.length=5"])
    with Console(quiet=True) as console:
        outcome = train_run(loaded, tmp_path / "run", "new", text.parent / "corpora", console, Interrupt())
    assert outcome["step"] == 2
    assert outcome["best"]["nats"] < 15.0  # ReLUs from the identity add up, and begin far above the logarithm of V


def test_there_are_configs() -> None:
    assert len(CONFIGS) >= 5
