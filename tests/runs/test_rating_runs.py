"""Runs over ratings: learned, resumed bit for bit, scored as they were validated."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from lab import Lab
from ratinglab import MODELS, rating_lab

from charrnn.checkpoint.layout import TENSORS, checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.errors import ConfigError, DataError
from charrnn.logs.console import Console
from charrnn.runs.check import dry_run
from charrnn.runs.folder import RunFolder
from charrnn.runs.score import score_run
from charrnn.train.interrupt import Interrupt


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return rating_lab(tmp_path)


def records(lab: Lab, name: str) -> list[dict[str, object]]:
    return [{k: v for k, v in record.items() if k != "ratings_per_second"} for record in lab.records(name)]


def score(lab: Lab, name: str, split: str, console: Console | None = None, *overrides: str) -> dict[str, object]:
    checkpoint, _ = RunFolder(lab.path / name).preferred()
    loaded = load_config(lab.path / "config.yaml", overrides)
    with console or Console(quiet=True) as told:
        return score_run(checkpoint, loaded, split, lab.path / "corpora", told, Interrupt())


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_model_learns_the_pattern(lab: Lab, model: str) -> None:
    constant = "train.schedule={kind: constant}"
    lab.train("run", "new", None, f"model={model}", "train.epochs=30", constant, "evaluate.every=60")
    valid = [record for record in records(lab, "run") if record["split"] == "valid"]
    assert valid[-1]["rmse"] < 0.85 * valid[0]["rmse"]
    assert valid[-1]["mse"] == pytest.approx(valid[-1]["rmse"] ** 2)
    assert valid[-1]["mae"] <= valid[-1]["rmse"]


@pytest.mark.parametrize(("after", "hard"), [(13, False), (13, True), (24, False)])
def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(lab: Lab, after: int, hard: bool) -> None:
    lab.train("whole")
    lab.stopped("broken", after, hard)
    lab.train("broken", "resume")
    assert records(lab, "whole") == records(lab, "broken")
    one, two = (Checkpoint.open(checkpoints(lab.path / name / "checkpoints")[-1]) for name in ("whole", "broken"))
    assert one.document("train") == two.document("train")
    for group in (name.removesuffix(TENSORS) for name in one.files if name.endswith(TENSORS)):
        left, right = one.tensors(group), two.tensors(group)
        assert list(left) == list(right)
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def test_the_score_of_validation_is_what_training_recorded(lab: Lab) -> None:
    best = lab.train("run")["best"]
    scored = score(lab, "run", "valid")
    assert scored["mse"] == best["loss"]
    assert scored["mae"] == best["mae"]
    assert score(lab, "run", "train")["ratings"] > score(lab, "run", "test")["ratings"]


def test_users_and_items_that_training_never_saw_are_counted_and_said_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = rating_lab(tmp_path)
    lines = (lab.path / "ratings.csv").read_text().splitlines()
    (lab.path / "ratings.csv").write_text("\n".join([*lines, *(f"new{i},n{i},5.0,0" for i in range(60))]) + "\n")
    lab.train("run")
    told = Console(environ={"TERM": "dumb"})
    scored = score(lab, "run", "test", told)
    corpus = next((lab.path / "corpora").glob("*"))
    assert corpus.is_dir()
    said = capsys.readouterr().err
    counts = re.search(r"test: (\d+) users and (\d+) items have no ratings in the training split; (\d+) of", said)
    assert counts is not None
    unseen = [scored["unseen_users"], scored["unseen_items"], scored["unseen_ratings"]]
    assert [int(count) for count in counts.groups()] == unseen
    assert unseen[0] > 0
    assert "biases" in said
    # both sides unknown: the mean of training is all there is
    assert 1.0 < scored["unseen_rmse"] < 3.0


def test_check_tells_what_it_would_cost(lab: Lab) -> None:
    with Console(quiet=True) as console:
        told = dry_run(load_config(lab.path / "config.yaml"), lab.path / "corpora", console, Interrupt())
    assert (told["users"], told["items"]) == (12, 15)
    assert "first_loss_mse" in told


def test_another_model_is_refused(lab: Lab) -> None:
    lab.train("run")
    with pytest.raises(ConfigError, match="not the one that this model was trained with"):
        score(lab, "run", "valid", None, "model.size=4")


def test_other_ratings_are_refused(lab: Lab) -> None:
    lab.train("run")
    with (lab.path / "ratings.csv").open("a") as file:
        file.write("u001,zzz,1.0,0\n")
    with pytest.raises(DataError, match="not those that the run was trained on"):
        score(lab, "run", "valid")
    with pytest.raises(DataError, match="not those that the run was trained on"):
        lab.train("run", "resume")


def test_an_empty_split_cannot_be_scored(tmp_path: Path) -> None:
    lab = rating_lab(tmp_path)
    config = (lab.path / "config.yaml").read_text().replace("[0.7, 0.2, 0.1]", "[0.8, 0.2, 0.0]")
    (lab.path / "config.yaml").write_text(config)
    lab.train("run")
    with pytest.raises(DataError, match="the test split is empty"):
        score(lab, "run", "test")
