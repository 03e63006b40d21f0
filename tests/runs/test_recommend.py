"""Recommendations: own ids, best first, nothing that was rated, and a plain word about strangers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lab import Lab
from ratinglab import MODELS, rating_lab

from charrnn.config.load import load_config
from charrnn.errors import UsageError
from charrnn.logs.console import Console
from charrnn.runs.folder import RunFolder
from charrnn.runs.recommend import recommend_run
from charrnn.train.interrupt import Interrupt


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = rating_lab(tmp_path_factory.mktemp("recommend"))
    for name, model in MODELS.items():
        lab.train(name, "new", None, f"model={model}", "train.epochs=8")
    return lab


def recommend(lab: Lab, name: str, user: str, count: int = 5) -> dict[str, Any]:
    checkpoint, _ = RunFolder(lab.path / name).preferred()
    loaded = load_config(lab.path / "config.yaml", [f"model={MODELS[name]}", "train.epochs=8"])
    with Console(environ={"TERM": "dumb"}) as console:
        return recommend_run(checkpoint, loaded, user, count, lab.path / "corpora", console, Interrupt())


def rated_by(lab: Lab, user: str) -> list[str]:
    lines = (lab.path / "ratings.csv").read_text().splitlines()
    return [line.split(",")[1] for line in lines if line.startswith(user + ",")]


@pytest.mark.parametrize("name", MODELS)
def test_what_was_not_rated_comes_best_first_under_its_own_id(lab: Lab, name: str) -> None:
    told = recommend(lab, name, "u003", 50)
    items, ratings = [item["item"] for item in told["items"]], [item["rating"] for item in told["items"]]
    assert told["known"]
    assert told["rated"] == len(rated_by(lab, "u003"))
    assert sorted([*items, *rated_by(lab, "u003")]) == sorted(f"0{film}" for film in range(15))
    assert ratings == sorted(ratings, reverse=True)


def test_items_have_their_names_and_one_without_a_name_its_id(lab: Lab) -> None:
    found = {
        item["item"]: item["name"]
        for user in ("u001", "u004", "u007", "u011")
        for item in recommend(lab, "histories", user, 50)["items"]
    }
    assert found["014"] == "014"
    assert found["01"] == "Film, number 1"


def test_the_pattern_is_recommended(lab: Lab) -> None:
    assert [int(item["item"]) % 2 for item in recommend(lab, "factors", "u000", 1)["items"]] == [1]


def test_a_stranger_is_told_what_is_best_by_the_items_alone(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    told = recommend(lab, "histories", "3", 3)
    assert not told["known"]
    assert told["rated"] == 0
    assert len(told["items"]) == 3
    assert "user 3 is not in the table: predicted from the items alone" in capsys.readouterr().err
    assert told["items"] == recommend(lab, "histories", "somebody else", 3)["items"]


def test_a_user_who_has_rated_everything_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = rating_lab(tmp_path)
    with (tmp_path / "ratings.csv").open("a") as file:
        file.writelines(f"all,0{film},4.0,0\n" for film in range(15))
    lab.train("factors", "new", None, f"model={MODELS['factors']}", "train.epochs=1")
    assert recommend(lab, "factors", "all")["items"] == []
    assert "user all has rated every item" in capsys.readouterr().err


def test_a_language_model_recommends_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 40)
    (tmp_path / "config.yaml").write_text(
        "corpus: {source: text.txt}\nmodel: {core: {hidden: 4}}\ntrain: {max_steps: 2}\nstream: {chunk: 8}\n"
    )
    lab = Lab(tmp_path)
    lab.train("run")
    checkpoint, _ = RunFolder(tmp_path / "run").preferred()
    loaded = load_config(tmp_path / "config.yaml")
    with Console(quiet=True) as console, pytest.raises(UsageError, match="for models of ratings only"):
        recommend_run(checkpoint, loaded, "1", 3, tmp_path / "corpora", console, Interrupt())
