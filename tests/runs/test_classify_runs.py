"""Runs of classifiers: learned, resumed bit for bit, scored as they were validated, begun with a language model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lab import Lab, same_run

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.errors import CheckpointError, ConfigError, DataError
from charrnn.logs.console import Console
from charrnn.runs.check import dry_run
from charrnn.runs.folder import RunFolder
from charrnn.runs.score import score_run
from charrnn.runs.start import train_run
from charrnn.text.vocabulary import Vocabulary
from charrnn.train.interrupt import Interrupt

CONFIG = """\
task: classify
corpus: {source: words.csv, split: [0.6, 0.2, 0.2], min_count: 1}
stream: {batch: 16}
model:
  input: {size: 6, batchnorm: true, dropout: 0.1}
  core: {kind: lstm, hidden: 8, layers: 2, dropout: 0.2, recurrent_dropout: 0.2}
  bidirectional: true
  pool: max
  head: {hidden: [7], dropout: 0.2}
train:
  epochs: 4
  optimizer: {lr: 2e-2}
  schedule: {kind: plateau, patience: 0, factor: 0.5}
  label_smoothing: 0.1
  average: {kind: ema, decay: 0.9}
  early_stop: null
  log_every: 7
  save: {every: 9}
evaluate: {every: 11}
"""
MODELS = {
    "last": "{core: {kind: gru, hidden: 12}}",
    "mean": "{core: {kind: lstm, hidden: 16}, pool: mean}",
    "scan": "{core: {kind: mingru, hidden: 12, layers: 2}, pool: max, bidirectional: true}",
    "convolution": "{kind: convolution, widths: [2, 3], filters: 8, head: {dropout: 0.1}}",
}


def words() -> str:
    """Words of two kinds, told apart by the order of two letters; of different lengths."""
    lines = ["text,label"]
    for number in range(200):
        filler = "".join(chr(99 + (number // 7**i + i * i) % 7) for i in range(3 + number % 4))
        lines.append(f"{filler}{'ab' if number % 2 else 'ba'}{filler[: number % 3]},{'up' if number % 2 else 'down'}")
    assert len(set(lines)) == 201
    return "\n".join(lines) + "\n"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "words.csv").write_text(words(), encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return Lab(tmp_path)


def score(lab: Lab, name: str, split: str, *overrides: str) -> dict[str, object]:
    checkpoint, _ = RunFolder(lab.path / name).preferred()
    with Console(quiet=True) as console:
        loaded = load_config(lab.path / "config.yaml", overrides)
        return score_run(checkpoint, loaded, split, lab.path / "corpora", console, Interrupt())


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_model_learns_the_rule(lab: Lab, model: str) -> None:
    steady = ("train.epochs=40", "train.schedule={kind: constant}", "evaluate.every=60", "train.average=null")
    best = lab.train("run", "new", None, f"model={model}", *steady)["best"]
    assert best["accuracy"] > 0.9
    assert best["macro_f1"] > 0.9


@pytest.mark.parametrize(("after", "hard"), [(13, False), (13, True), (24, False)])
def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(lab: Lab, after: int, hard: bool) -> None:
    lab.train("whole")
    lab.stopped("broken", after, hard)
    lab.train("broken", "resume")
    same_run(lab, "whole", "broken")


def test_a_split_is_scored_as_it_was_validated(lab: Lab) -> None:
    lab.train("run")
    best = next(record for record in reversed(lab.records("run")) if record.get("best"))
    found = score(lab, "run", "valid")
    for name in ("nats", "accuracy", "macro_f1", "calibration_error", "confusion", "items"):
        assert found[name] == best[name], name
    confusion = score(lab, "run", "test")["confusion"]
    assert len(confusion) == 2  # type: ignore[arg-type]


def test_another_split_of_the_data_is_refused(lab: Lab) -> None:
    lab.train("run")
    with pytest.raises(ConfigError) as refused:
        score(lab, "run", "valid", "corpus.seed=2")
    assert "corpus.seed: 1 → 2" in str(refused.value.why)
    (lab.path / "words.csv").write_text(words() + "zzab,up\n", encoding="utf-8")
    with pytest.raises(DataError, match="data are not those"):
        score(lab, "run", "valid")


def test_an_empty_split_cannot_be_scored(lab: Lab) -> None:
    lab.train("run", "new", None, "corpus.split=[0.8,0.2,0.0]")
    with pytest.raises(DataError, match="test split is empty"):
        score(lab, "run", "test", "corpus.split=[0.8,0.2,0.0]")


def test_a_dry_run_tells_the_sizes(lab: Lab) -> None:
    with Console(quiet=True) as console:
        told = dry_run(load_config(lab.path / "config.yaml"), lab.path / "corpora", console, Interrupt())
    assert told["labels"] == 2
    assert told["items"] > 50
    assert told["first_loss_nats"] == pytest.approx(0.7, abs=0.3)


def test_pictures_and_texts_want_inputs_of_their_own(lab: Lab) -> None:
    with pytest.raises(ConfigError, match="values"):
        load_config(lab.path / "config.yaml", ["model.input={kind: values}"])
    with pytest.raises(ConfigError, match="kind: values"):
        load_config(lab.path / "config.yaml", ["corpus={kind: images, source: 'builtin:digits'}"])


def test_what_only_language_models_know_is_no_key_here(lab: Lab) -> None:
    for key in ("sample.length=3", "train.engine=scratch", "train.scheduled_sampling={kind: linear}", "stream.lanes=3"):
        with pytest.raises(ConfigError, match="no such key"):
            load_config(lab.path / "config.yaml", [key])


LANGUAGE = """\
corpus: {source: text.txt, split: [0.8, 0.2, 0.0]}
stream: {lanes: 4, chunk: 10}
model: {input: {size: 6}, core: {kind: lstm, hidden: 8, layers: 2}}
train: {epochs: 2}
sample: {length: 5}
"""


def test_a_language_model_is_the_encoder_to_begin_with(lab: Lab) -> None:
    (lab.path / "text.txt").write_text(words().replace("\n", " ") * 3, encoding="utf-8")
    (lab.path / "language.yaml").write_text(LANGUAGE, encoding="utf-8")
    with Console(quiet=True) as console:
        where = lab.path / "language", "new", lab.path / "corpora"
        train_run(load_config(lab.path / "language.yaml"), *where, console, Interrupt())
    source = Checkpoint.open(
        lab.path / "language" / "checkpoints" / (lab.path / "language" / "best").read_text().strip()
    )
    start = (
        f"train.start_from={lab.path / 'language'}",
        "model.input.batchnorm=false",
        "train.max_steps=1",
        "train.optimizer.lr=1e-30",
    )
    lab.train("tuned", "new", None, *start, "train.average=null")
    tuned = Checkpoint.open(checkpoints(lab.path / "tuned" / "checkpoints")[-1])
    mine, theirs = tuned.tensors("model"), source.tensors("model")
    for layer in ("0", "1"):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            np.testing.assert_array_equal(mine[f"reader.layers.{layer}.{name}"], theirs[f"layers.{layer}.{name}"])
    ours, former = (Vocabulary.from_json(c.document("vocabulary")) for c in (tuned, source))
    for symbol in "abcd":
        rows = (
            array[v.encode(symbol)[0]] for array, v in ((mine["input.table"], ours), (theirs["input.table"], former))
        )
        np.testing.assert_array_equal(*rows)
    assert tuned.document("config")["from"]["step"] == source.step


def test_a_run_of_another_task_or_kind_is_no_beginning(lab: Lab) -> None:
    lab.train("run", "new", None, "train.max_steps=1")
    with pytest.raises(CheckpointError, match="another model"):
        lab.train("next", "new", None, f"train.start_from={lab.path / 'run'}", "model.core.kind=gru")
    (lab.path / "text.txt").write_text(words(), encoding="utf-8")
    (lab.path / "language.yaml").write_text(LANGUAGE, encoding="utf-8")
    loaded = load_config(lab.path / "language.yaml", [f"train.start_from={lab.path / 'run'}"])
    with pytest.raises(CheckpointError, match="another task"), Console(quiet=True) as console:
        train_run(loaded, lab.path / "language", "new", lab.path / "corpora", console, Interrupt())
