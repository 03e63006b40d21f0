"""Runs whose batches hold several sources: resumed bit for bit, recorded part by part, refused with another file."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from lab import Lab, same_run
from ratinglab import rating_lab

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.corpus.given_labels import GivenLabels, write_labels
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.errors import CharRnnError, ConfigError, DataError
from charrnn.files import digest
from charrnn.logs.console import Console
from charrnn.runs.corpus import prepared
from charrnn.runs.folder import RunFolder
from charrnn.runs.score import score_run
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt

ITEMS = """\
task: classify
corpus: {source: words.csv, split: [0.6, 0.2, 0.2], min_count: 1, labelled: 40}
stream:
  batch: 16
  mix:
    pseudo: {source: labels.csv, rows: 5, weight: 0.5, ramp: 2.5, targets: soft, temperature: 2.0}
    other: {source: labels.csv, rows: 2}
model:
  input: {size: 6, batchnorm: true, dropout: 0.1}
  core: {kind: lstm, hidden: 8, dropout: 0.2}
train:
  epochs: 8
  optimizer: {lr: 2e-2}
  schedule: {kind: plateau, patience: 0, factor: 0.5}
  label_smoothing: 0.1
  early_stop: null
  log_every: 7
  save: {every: 9}
evaluate: {every: 11}
"""
RATINGS = "stream: {batch: 16, mix: {pseudo: {source: more.csv, rows: 6, weight: 0.5, ramp: 1.5}}}"


def words() -> str:
    lines = ["text,label"]
    for number in range(200):
        filler = "".join(chr(99 + (number // 7**i + i * i) % 7) for i in range(3 + number % 4))
        lines.append(f"{filler}{'ab' if number % 2 else 'ba'}{filler[: number % 3]},{'up' if number % 2 else 'down'}")
    return "\n".join(lines) + "\n"


def give(lab: Lab, part: str = "unlabelled", count: int = 30, file: str = "labels.csv") -> LabelledCorpus:
    """Write labels of some teacher for the first items of a part; the last one is not kept."""
    with Console(quiet=True) as console:
        loaded = load_config(lab.path / "config.yaml")
        corpus: LabelledCorpus = prepared(loaded, lab.path / "corpora", console, lambda: None).corpus
    p = np.random.default_rng(3).dirichlet([1.0, 1.0], count).astype(np.float32)
    labels = p.argmax(1).astype(np.int32)
    kept = np.arange(count) < count - 1
    parts = np.zeros(count, np.uint8)
    write_labels(lab.path / file, corpus, GivenLabels((part,), parts, np.arange(count), labels, p.max(1), kept, p))
    return corpus


def mixed_items(path: Path) -> Lab:
    (path / "words.csv").write_text(words(), encoding="utf-8")
    (path / "config.yaml").write_text(ITEMS, encoding="utf-8")
    lab = Lab(path)
    give(lab)
    return lab


def mixed_ratings(path: Path) -> Lab:
    lab = rating_lab(path)
    config = (path / "config.yaml").read_text().replace("stream: {batch: 16}", RATINGS)
    (path / "config.yaml").write_text(config, encoding="utf-8")
    # Pairs that nobody has rated: see `ratinglab.table`.
    rows = [f"u{user:03},0{film},3.25" for user in range(6) for film in range(15) if (user * 7 + film * 3) % 5 == 0]
    (path / "more.csv").write_text("\n".join(["userId,movieId,rating", *rows]) + "\n", encoding="utf-8")
    return lab


LABS = {"classify": mixed_items, "rate": mixed_ratings}


@pytest.fixture(params=LABS)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    return LABS[request.param](tmp_path)


@pytest.fixture
def items(tmp_path: Path) -> Lab:
    return mixed_items(tmp_path)


def told(lab: Lab, name: str, *overrides: str, mode: str = "new") -> str:
    """What a user is told while a run trains."""
    out = io.StringIO()
    loaded = load_config(lab.path / "config.yaml", overrides)
    with Console(stream=out, environ={}) as console:
        train_run(loaded, lab.path / name, mode, lab.path / "corpora", console, Interrupt())
    return out.getvalue()


def newest(lab: Lab, name: str) -> Checkpoint:
    return Checkpoint.open(checkpoints(lab.path / name / "checkpoints")[-1])


@pytest.mark.parametrize(("after", "hard"), [(13, False), (13, True), (24, True)])
def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(lab: Lab, after: int, hard: bool) -> None:
    lab.train("whole")
    lab.stopped("broken", after, hard)
    lab.train("broken", "resume")
    same_run(lab, "whole", "broken")


def test_each_part_has_its_loss_in_the_records_and_the_weight_rises(items: Lab) -> None:
    items.train("run")
    records = [record for record in items.records("run") if record["split"] == "train"]
    assert all(0.0 < record[name] < 5.0 for record in records for name in ("nats", "pseudo", "other"))
    assert all(record["pseudo"] != record["other"] for record in records)
    assert not any("pseudo" in record for record in items.records("run") if record["split"] == "valid")


def test_what_is_mixed_in_steers_the_weights_and_is_no_part_of_the_training_loss(lab: Lab) -> None:
    once = "train.max_steps=1", "train.log_every=1", "evaluate.every=1", "stream.mix.pseudo.ramp=0"
    steady = "model.input={size: 6}" if "words.csv" in (lab.path / "config.yaml").read_text() else "train.seed=1"
    for name, weight in (("light", 1e-30), ("heavy", 10.0)):
        lab.train(name, "new", None, *once, steady, f"stream.mix.pseudo.weight={weight}")
    light, heavy = (next(r for r in lab.records(name) if r["split"] == "train") for name in ("light", "heavy"))
    figure = "nats" if "nats" in light else "mse"
    assert light[figure] == heavy[figure]
    assert light["pseudo"] == heavy["pseudo"]
    assert light["grad_norm"] != heavy["grad_norm"]


def test_a_ramp_begins_with_no_weight_at_all(items: Lab) -> None:
    once = "train.max_steps=1", "evaluate.every=1", "stream.mix.other=null"
    items.train("ramped", "new", None, *once[:2], "stream.mix.other.ramp=3")
    items.train("light", "new", None, *once[:2], "stream.mix.other.weight=1e-35", "stream.mix.pseudo.weight=1e-35")
    one, two = (newest(items, name).tensors("model") for name in ("ramped", "light"))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_a_file_may_move_and_another_one_is_refused_with_both_digests(lab: Lab) -> None:
    lab.train("whole")
    name = "labels.csv" if (lab.path / "labels.csv").exists() else "more.csv"
    lab.stopped("broken", 13)
    shutil.copytree(lab.path / "broken", lab.path / "other")
    former = digest.of_file(lab.path / name)
    text = (lab.path / name).read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    (lab.path / name).write_text("".join(lines[:-2]), encoding="utf-8")
    with pytest.raises(ConfigError, match="other rows than those") as refused:
        lab.train("broken", "resume")
    assert "stream.mix.pseudo.source" in str(refused.value.why)
    assert former[:16] in str(refused.value.why)
    assert digest.of_file(lab.path / name)[:16] in str(refused.value.why)
    (lab.path / name).unlink()
    with pytest.raises(DataError, match="cannot read"):
        lab.train("broken", "resume")
    (lab.path / "moved.csv").write_text(text, encoding="utf-8")
    places = [f"stream.mix.{part}.source={lab.path / 'moved.csv'}" for part in ("pseudo", "other")]
    lab.train("broken", "resume", None, *(places if name == "labels.csv" else places[:1]))
    assert lab.records("broken") == lab.records("whole")


def test_a_part_that_is_added_or_changed_is_refused(lab: Lab) -> None:
    lab.stopped("broken", 13)
    for change in ("stream.mix.pseudo.rows=7", "stream.mix.more={source: labels.csv}", "stream.mix=null"):
        with pytest.raises(ConfigError, match="no longer describes the run"):
            lab.train("broken", "resume", None, change)


def test_a_model_is_scored_and_a_finished_run_declined_without_the_file(lab: Lab) -> None:
    lab.train("run")
    for name in ("labels.csv", "more.csv"):
        (lab.path / name).unlink(missing_ok=True)
    checkpoint, _ = RunFolder(lab.path / "run").preferred()
    for split in ("train", "valid", "test"):
        with Console(quiet=True) as console:
            loaded = load_config(lab.path / "config.yaml")
            found = score_run(checkpoint, loaded, split, lab.path / "corpora", console, Interrupt())
        assert found["split"] == split
    if "items" in found:
        assert found["items"] == sum(map(sum, found["confusion"]))
    assert "nothing to do" in told(lab, "run", mode="resume")


def test_the_checkpoint_knows_what_was_mixed_in(items: Lab) -> None:
    items.train("run", "new", None, "train.max_steps=1")
    path = items.path / "labels.csv"
    document = newest(items, "run").document("config")["mix"]
    assert list(document) == ["pseudo", "other"]
    assert document["pseudo"] == {
        "file": str(path),
        "sha256": digest.of_file(path),
        "items": 29,
        "transductive": 0,
        "validation": False,
    }


def test_test_inputs_are_said_aloud_and_in_the_checkpoint(items: Lab) -> None:
    give(items, "test", 9, "test.csv")
    said = told(items, "run", "train.max_steps=1", f"stream.mix.other.source={items.path / 'test.csv'}")
    assert "transductive: stream.mix.other trains on 8 inputs of the test split" in said
    assert newest(items, "run").document("config")["mix"]["other"]["transductive"] == 8
    out = io.StringIO()
    with Console(stream=out, environ={}) as console:
        loaded = load_config(items.path / "config.yaml")
        score_run(newest(items, "run"), loaded, "test", items.path / "corpora", console, Interrupt())
    assert "transductive: this model was trained on 8 inputs of the test split" in out.getvalue()
    assert "transductive" not in told(items, "plain", "train.max_steps=1")


CHECKED = "stream.mix={checked: {kind: split, split: valid, rows: 4}}"


def test_validation_items_may_be_trained_on_and_then_there_is_no_validation(items: Lab) -> None:
    constant = "train.schedule={kind: constant}"
    said = told(items, "run", CHECKED, constant)
    assert "stream.mix.checked: the 44 validation items are trained on, so there is no validation in this run" in said
    assert {record["split"] for record in items.records("run")} == {"train"}
    assert newest(items, "run").document("config")["mix"]["checked"]["validation"] is True
    with pytest.raises(DataError, match="the valid split is trained on") as refused:
        items.train("other", "new", None, CHECKED)
    assert "plateau" in str(refused.value.why)
    loaded = load_config(items.path / "config.yaml", [CHECKED, constant])
    with pytest.raises(DataError, match="the valid split was trained on"), Console(quiet=True) as console:
        score_run(newest(items, "run"), loaded, "valid", items.path / "corpora", console, Interrupt())


def test_fewer_items_than_rows_come_several_times_and_that_is_said(items: Lab) -> None:
    give(items, count=5)
    said = told(items, "run", "train.max_steps=2", "stream.mix.pseudo.rows=10")
    assert "stream.mix.pseudo: 4 for 10 rows, so each comes 2.5 times in every batch" in said
    assert "stream.mix.other" not in said


def failure(lab: Lab, *overrides: str) -> CharRnnError:
    with pytest.raises(DataError) as caught:
        lab.train("run", "new", None, *overrides)
    assert not (lab.path / "run" / "checkpoints").exists()
    assert caught.value.hint
    return caught.value


def test_files_that_do_not_go_with_the_config_are_refused(items: Lab) -> None:
    give(items, count=1)
    assert failure(items).what == "the labels file keeps no item"
    (items.path / "labels.csv").write_text("item,label\nunlabelled:3,up\n", encoding="utf-8")
    assert failure(items).what == "the labels file has no probabilities"
    assert "the valid split is empty" in failure(items, CHECKED, "corpus.split=[0.8, 0.0, 0.2]").what
