"""Every shipped config trains for a few steps, on generated data of the same kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelling import idx

from charrnn.config.load import load_config
from charrnn.config.schema import ClassifyConfig, LanguageConfig, RateConfig, VectorsConfig
from charrnn.config.schema.labelled import Folder, Images, Table
from charrnn.config.schema.labelled_source import LabelledSource
from charrnn.config.schema.mixed_text import MixedText
from charrnn.logs.console import Console
from charrnn.runs.mixed_texts import parts_of
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").rglob("*.yaml"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small data of every kind: a text, long enough for the split of the course and with the letters that the configs'
    samples begin with; ratings; labelled rows; a file for each label; pictures."""
    folder = tmp_path_factory.mktemp("data")
    words = "ethics is a basic foundation of all that The ROMEO: what is done is done,\n\n"
    (folder / "text.txt").write_text((words * 8000)[:500_000], encoding="utf-8")
    rows = [f"{i % 17},{i % 23},{1 + i % 9 / 2},{i % 17},{i % 23},{1 + i % 5}\n" for i in range(400)]
    header = "userId,movieId,rating,user,item,stars\n"  # the columns of every shipped config
    (folder / "ratings.csv").write_text(header + "".join(rows), encoding="utf-8")
    lines = [f"{'ham' if i % 3 else 'spam'}\tmessage {i} of {i * i}" for i in range(90)]
    (folder / "table").write_text("\n".join(lines), encoding="utf-8")
    (folder / "lines").mkdir()
    for label in ("neg", "pos"):
        text = "\n".join(f"{label} {i}" for i in range(60))
        (folder / "lines" / f"{label}.{label}").write_text(text, encoding="utf-8")
    (folder / "pictures").write_bytes(idx(np.arange(90 * 28 * 28).reshape(90, 28, 28) % 251))
    (folder / "numbers").write_bytes(idx(np.arange(90) % 10))
    return folder


def stand_ins(path: Path, data: Path) -> list[str]:
    """What is set in a config so that it needs no download."""
    match load_config(path).config:
        case LanguageConfig() as config:
            text = [f"corpus.source={data / 'text.txt'}", "sample.length=5"]
            return text + [found for name, part in parts_of(config).items() for found in beside(path, data, name, part)]
        case VectorsConfig():
            return [f"corpus.source={data / 'text.txt'}"]
        case RateConfig():
            return [f"corpus.source={data / 'ratings.csv'}", 'corpus.delimiter=","', "corpus.names=null"]
        case ClassifyConfig(corpus=Table() as table):
            return [f"corpus.source={data / 'table'}", *few_labels(table)]
        case ClassifyConfig(corpus=Folder()):
            return [f"corpus.source={data / 'lines'}"]
        case ClassifyConfig(corpus=Images(source="named:mnist") as pictures):
            places = {"source": "pictures", "labels": "numbers", "test_source": "pictures", "test_labels": "numbers"}
            return [*(f"corpus.{key}={data / name}" for key, name in places.items()), *few_labels(pictures)]
    return []


def few_labels(corpus: LabelledSource) -> list[str]:
    """Where labels are hidden, more of them."""
    return [] if corpus.labelled is None else ["corpus.labelled=20"]


def beside(path: Path, data: Path, name: str, part: MixedText) -> list[str]:
    """What is set in an entry of `stream.mix`: the same text, and a teacher that has hardly begun."""
    teacher = data / f"teacher-of-{path.stem}"
    if part.teacher is not None and not teacher.exists():
        settings = [f"corpus.source={data / 'text.txt'}", "stream.mix=null", "train.max_steps=1", "sample.length=5"]
        with Console(quiet=True) as console:
            train_run(load_config(path, settings), teacher, "new", data / "corpora", console, Interrupt())
    own = [] if part.corpus is None else [f"stream.mix.{name}.corpus.source={data / 'text.txt'}"]
    return own + ([] if part.teacher is None else [f"stream.mix.{name}.teacher={teacher}"])


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_trains(path: Path, data: Path, tmp_path: Path) -> None:
    loaded = load_config(path, [*stand_ins(path, data), "train.max_steps=2", "evaluate.every=1000"])
    with Console(quiet=True) as console:
        outcome = train_run(loaded, tmp_path / "run", "new", data / "corpora", console, Interrupt())
    assert outcome["step"] == 2
    if outcome["best"] is None:
        assert loaded.config.stream.mix["checked"].kind == "split"  # type: ignore[attr-defined]  # nothing validates
        return
    assert outcome["best"]["loss"] < 15.0  # ReLUs from the identity add up, and begin far above the logarithm of V


def test_there_are_configs() -> None:
    assert len(CONFIGS) >= 5
