"""The commands over ratings as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ratinglab import CONFIG, rating_lab

if TYPE_CHECKING:
    from conftest import Shell

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run over ratings; tests must not change it."""
    path = tmp_path_factory.mktemp("rated")
    rating_lab(path).train("runs/config")
    return path


@pytest.fixture
def rated(shell: Shell, folder: Path) -> Shell:
    shell.path = folder
    return shell


def test_evaluate_prints_the_figures_of_a_split(rated: Shell) -> None:
    told = json.loads(rated("evaluate", "--split", "test", "--json").stdout)
    assert told["rmse"] == pytest.approx(told["mse"] ** 0.5)
    assert f"rmse: {told['rmse']:.4f}\n" in rated("evaluate", "--split", "test").stdout


@pytest.mark.parametrize("option", [["--dynamic"], ["--positions", "3"]])
def test_what_looks_at_texts_is_refused(rated: Shell, option: list[str]) -> None:
    done = rated("evaluate", *option, code=2)
    assert f"{option[0]}: for language models only" in done.stderr


def test_recommend_prints_ids_and_names(rated: Shell) -> None:
    told = json.loads(rated("recommend", "--user", "u003", "-k", "2", "--json").stdout)
    lines = rated("recommend", "runs/config", "--user", "u003", "-k", "2").stdout.splitlines()
    expected = [f"{item['rating']:7.3f}  {item['item']}  {item['name']}" for item in told["items"]]
    assert lines == expected
    assert len(lines) == 2


def test_neighbours_of_items_and_users_go_by_their_ids(rated: Shell) -> None:
    told = json.loads(rated("neighbours", "runs/config", "film, number 3", "-k", "4", "--json").stdout)
    assert (told["item"], told["name"]) == ("03", "Film, number 3")
    lines = rated("neighbours", "runs/config", "03", "-k", "4").stdout.splitlines()
    expected = [f"{near['item']:<3}  {near['cosine']:7.4f}  {near['name']}" for near in told["neighbours"]]
    assert [" ".join(line.split()) for line in lines] == [" ".join(line.split()) for line in expected]
    assert len(lines) == 4
    users = json.loads(rated("neighbours", "runs/config", "u003", "--of", "users", "-k", "2", "--json").stdout)
    assert users["user"] == "u003"
    assert [sorted(near) for near in users["neighbours"]] == [["cosine", "user"]] * 2
    assert (
        "did you mean one of these: u003" in rated("neighbours", "runs/config", "u03", "--of", "users", code=2).stderr
    )


def test_items_are_mapped_under_their_names(rated: Shell, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    options = ("embeddings", "--top", "8", "--method", "pca", "--picture", str(tmp_path / "map.svg"))
    done = rated(*options, "--json")
    told = json.loads(done.stdout)
    assert "8 of the 15 items, the most rated first" in done.stderr
    assert told["names"] == [f"Film, number {int(item)}" if item != "014" else item for item in told["items"]]
    assert len(told["items"]) == len(told["maps"][0]["points"]) == 8
    picture = (tmp_path / "map.svg").read_text()
    assert told["names"][0] in picture, "the most rated has room whatever else has"
    assert "8 of the 15 items, the most rated first; names where there is room" in picture
    lines = rated("embeddings", "--top", "8", "--method", "pca").stdout.splitlines()[2:]
    assert lines[0].split() == ["item", "pca", "x", "pca", "y"]
    assert [line.split()[0] for line in lines[1:]] == told["items"]
    assert [line.partition("  Film")[2] for line in lines[1:]] == [name[4:] for name in told["names"]]
    users = json.loads(rated("embeddings", "--of", "users", "--method", "pca", "--json").stdout)
    assert len(users["users"]) == 12
    assert "names" not in users


def test_the_vectors_of_items_are_written_under_their_ids(rated: Shell, tmp_path: Path) -> None:
    rated("embeddings", "runs/config", "--write", str(tmp_path / "v.txt"))
    lines = (tmp_path / "v.txt").read_text().splitlines()
    assert lines[0] == "15 3"
    assert sorted(line.split()[0] for line in lines[1:]) == sorted(f"0{film}" for film in range(15))


def test_prepare_says_what_is_in_a_table(rated: Shell) -> None:
    done = rated("prepare", "config.yaml", "--json")
    told = json.loads(done.stdout)
    assert (told["users"], told["items"], told["fresh"]) == (12, 15, False)
    assert sum(told["ratings"].values()) == (rated.path / "ratings.csv").read_text().count("\n") - 1
    assert "nothing to do" in done.stderr


@pytest.mark.parametrize("command", [["sample"], ["baseline", "config.yaml"]])
def test_language_models_alone_write_texts(rated: Shell, command: list[str]) -> None:
    assert "for language models only" in rated(*command, code=2).stderr


def test_find_lr_and_tune_speak_of_the_loss_by_its_name(shell: Shell) -> None:
    pytest.importorskip("optuna")
    space = "tune: {trials: 2, max_steps: 12, space: {model.l2: {kind: log, low: 1e-5, high: 1e-2}}}\n"
    rating_lab(shell.path, CONFIG + space)
    assert "       mse\n" in shell("find-lr", "config.yaml", "--steps", "30").stdout
    curve = json.loads(shell("find-lr", "config.yaml", "--steps", "30", "--json").stdout)
    assert len(curve["mse"]) == len(curve["rates"])
    assert not {"nats", "losses"} & curve.keys()
    picture = (shell.path / "config-find-lr.svg").read_text()
    assert "mse" in picture
    assert "nats" not in picture
    told = shell("tune", "config.yaml").stdout
    assert "RMSE" in told
    assert "mse in validation" in (shell.path / "studies" / "config" / "report.md").read_text()
    report = json.loads((shell.path / "studies" / "config" / "report.json").read_text())
    assert report["gain_mse"] >= 0.0
    assert "nats" not in json.dumps(report)
