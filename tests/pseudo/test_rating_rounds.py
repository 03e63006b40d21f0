"""Whole rounds over a small table of ratings."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import Stopper
from pseudolab import PseudoLab, all_that_came
from ratinglab import rating_lab

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.corpus.given_ratings import read_ratings
from charrnn.corpus.manifest import SPLITS
from charrnn.corpus.ratings import RatingsCorpus
from charrnn.errors import CharRnnError, CheckpointError, ConfigError, DataError
from charrnn.files import digest
from charrnn.logs.console import Console
from charrnn.runs.folder import RunFolder
from charrnn.runs.score import open_trained, score_run
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt

CONFIG = """\
task: rate
corpus: {source: ratings.csv, split: {shares: [0.6, 0.2, 0.2], seed: 3}}
stream: {batch: 16}
model: {kind: factors, size: 3, dropout: 0.2, scale: 0.3}
train:
  max_steps: 30
  optimizer: {kind: adam, lr: 2e-2}
  log_every: 50
  save: {every: 7}
  tensorboard: false
evaluate: {every: 10}
pseudo:
  rounds: 2
  rows: 8
  pairs: 30
  stop: {patience: null}
"""


def new_lab(path: Path) -> PseudoLab:
    rating_lab(path, CONFIG)
    return PseudoLab(path)


@pytest.fixture
def rated(tmp_path: Path) -> PseudoLab:
    return new_lab(tmp_path)


@pytest.fixture(scope="module")
def rated_done(tmp_path_factory: pytest.TempPathFactory) -> PseudoLab:
    """Finished rounds in `out`, with two teachers that must agree; tests must not change them."""
    lab = new_lab(tmp_path_factory.mktemp("rated"))
    longer = "pseudo.max_steps=60"  # so that the students are better than round 0
    lab.rounds("out", "pseudo.select={kind: agreement, teachers: 2, below: 0.3}", "pseudo.cap=25", longer)
    return lab


def corpus_of(lab: PseudoLab) -> RatingsCorpus:
    (folder,) = (lab.path / "corpora").iterdir()
    return RatingsCorpus.open(folder)


def manifest_of(lab: PseudoLab, stage: str, name: str = "out") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((lab.path / name / "seed-1" / stage / "manifest.json").read_text())
    return found


def predictions(lab: PseudoLab, checkpoint: str, pairs: list[tuple[int, int]]) -> np.ndarray:
    """What a model of the rounds says of pairs, opened as `charrnn evaluate` opens it."""
    import torch

    place = lab.path / "out" / checkpoint
    loaded = load_config(RunFolder(place.parents[1]).config)
    with Console(quiet=True) as console:
        _, model, _ = open_trained(Checkpoint.open(place), loaded, lab.path / "corpora", console, Interrupt())
    users, items = (torch.tensor(column) for column in zip(*pairs, strict=True))
    with torch.no_grad():
        return np.asarray(model(users, items).double())


def test_the_table_holds_pairs_that_no_split_has_under_their_own_ids(rated_done: PseudoLab) -> None:
    corpus = corpus_of(rated_done)
    train = corpus.split("train")
    asked = {
        (corpus.users[user], corpus.items[item])
        for part in map(corpus.split, SPLITS)
        for user, item in zip(part.users.tolist(), part.items.tolist(), strict=True)
    }
    for number in (1, 2):
        path = rated_done.path / f"out/seed-1/round-{number}/ratings.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        counts = manifest_of(rated_done, f"round-{number}")["labels"]
        assert list(rows[0]) == ["userId", "movieId", "rating", "spread"]
        pairs = [(row["userId"], row["movieId"]) for row in rows]
        assert not asked & set(pairs)
        assert len(set(pairs)) == len(pairs) == counts["kept"] <= 25
        assert {corpus.users.index(user) for user, _ in pairs} <= set(train.users.tolist())
        assert {corpus.items.index(item) for _, item in pairs} <= set(train.items.tolist())
        assert all(float(row["spread"]) < 0.3 for row in rows)
        assert (counts["candidates"], counts["passed"] >= counts["kept"]) == (30, True)
        assert counts["mean"] == pytest.approx(np.mean([float(row["rating"]) for row in rows]), abs=1e-6)
        found, _ = read_ratings(path, corpus)
        assert found.ratings.tolist() == [np.float32(row["rating"]) for row in rows]


def test_the_ratings_are_the_means_of_the_teachers_and_the_manifest_names_those(rated_done: PseudoLab) -> None:
    corpus = corpus_of(rated_done)
    for number in (1, 2):
        folder, manifest = rated_done.path / f"out/seed-1/round-{number}", manifest_of(rated_done, f"round-{number}")
        assert manifest["labels_sha256"] == digest.of_file(folder / "ratings.csv")
        assert manifest["teachers"][0] == manifest_of(rated_done, f"round-{number - 1}")["student"]
        assert [teacher["seed"] == 1 for teacher in manifest["teachers"]] == [True, False]
        assert manifest["selection"]["select"] == {"kind": "agreement", "teachers": 2, "below": 0.3}
        found, _ = read_ratings(folder / "ratings.csv", corpus)
        pairs = list(zip(found.users.tolist(), found.items.tolist(), strict=True))
        said = np.stack([predictions(rated_done, one["checkpoint"], pairs) for one in manifest["teachers"]])
        np.testing.assert_allclose(found.ratings, said.mean(0), atol=1e-6)
        with (folder / "ratings.csv").open(encoding="utf-8", newline="") as file:
            spreads = [float(row["spread"]) for row in csv.DictReader(file)]
        np.testing.assert_allclose(spreads, said.std(0, ddof=1), atol=1e-6)


def test_a_student_is_a_run_like_any_other_and_the_report_tells_its_figures(rated_done: PseudoLab) -> None:
    result = json.loads((rated_done.path / "out/result.json").read_text())
    (seed,) = result["seeds"]
    assert (result["task"], result["report"], result["headline"]) == ("rate", "test", True)
    best = min(range(3), key=lambda number: (seed["rounds"][number]["valid"]["mse"], number))
    assert seed["handed_back"] == best > 0
    assert (seed["control"]["trained"], seed["control"]["student"]["updates"]) == (True, 60)
    student = rated_done.path / "out" / seed["rounds"][best]["student"]["checkpoint"]
    control = rated_done.path / "out" / seed["control"]["student"]["checkpoint"]
    for figures, place in ((seed["figures"], student), (seed["control_figures"], control)):
        with Console(quiet=True) as console:
            loaded = load_config(RunFolder(place.parents[1]).config)
            corpora = rated_done.path / "corpora"
            found = score_run(Checkpoint.open(place), loaded, "test", corpora, console, Interrupt())
        assert {name: found[name] for name in figures} == figures
    own, without = (seed[name]["mse"] for name in ("figures", "control_figures"))
    assert seed["relative_error_change"] == (own - without) / without
    page = (rated_done.path / "out/report.md").read_text(encoding="utf-8")
    assert f"| round {best} | {seed['figures']['rmse']:.4f} |" in page
    assert "Wilcoxon's signed-rank test" in page
    assert "30 to be rated" in page


def test_the_paired_test_is_of_the_squared_errors_of_the_same_ratings(rated_done: PseudoLab) -> None:
    (seed,) = json.loads((rated_done.path / "out/result.json").read_text())["seeds"]
    users, items, ratings = corpus_of(rated_done).split("test")
    pairs = list(zip(users.tolist(), items.tolist(), strict=True))
    places = [one["student"]["checkpoint"] for one in (seed["control"], seed["rounds"][seed["handed_back"]])]
    control, back = ((predictions(rated_done, place, pairs) - ratings) ** 2 for place in places)
    test = seed["wilcoxon"]
    assert (test["first_lower"], test["second_lower"]) == (int((control < back).sum()), int((back < control).sum()))


def test_the_same_command_does_nothing_again(rated: PseudoLab) -> None:
    short = ("train.max_steps=4", "pseudo.rounds=1")
    result = rated.rounds("out", *short)
    before = [(str(path), path.stat().st_mtime_ns) for path in sorted((rated.path / "out/seed-1").rglob("*"))]
    assert rated.rounds("out", *short) == result
    after = [(str(path), path.stat().st_mtime_ns) for path in sorted((rated.path / "out/seed-1").rglob("*"))]
    assert [one for one in after if ".lock" not in one[0]] == [one for one in before if ".lock" not in one[0]]


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("hard", [True, False], ids=["killed", "stopped"])
def test_killed_anywhere_and_gone_on_with_it_comes_to_the_same(tmp_path: Path, hard: bool) -> None:
    settings = (
        "pseudo.select={kind: agreement, teachers: 2, below: 9.0}",
        *("train.max_steps=12", "pseudo.max_steps=15"),
    )
    lab = new_lab(tmp_path)
    lab.rounds("whole", *settings)
    assert lab.lives("broken", *settings, hard=hard, after=(2, 9, 14, 30, 21, 17, 26, 13, 33, 8, 19)) >= 5
    whole, broken = (all_that_came(tmp_path / name) for name in ("whole", "broken"))
    assert len(whole) == len(broken) > 15
    assert whole == broken
    assert len(list((tmp_path / "broken").rglob("ratings.csv"))) == 2
    assert (tmp_path / "broken/seed-1/control").is_dir()
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
def test_seeds_rate_the_same_pairs_and_their_spread_is_told(rated: PseudoLab) -> None:
    result = rated.rounds("out", "pseudo.seeds=2", "pseudo.rounds=1")
    pairs = []
    for seed in (1, 2):
        with (rated.path / f"out/seed-{seed}/round-1/ratings.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["userId", "movieId", "rating"]
        pairs.append([(row["userId"], row["movieId"]) for row in rows])
    assert pairs[0] == pairs[1]
    errors = [seed["figures"]["mse"] for seed in result["seeds"]]
    assert result["over_seeds"]["error"]["mean"] == pytest.approx(sum(errors) / 2)
    assert "mean ± deviation" in (rated.path / "out/report.md").read_text()


def test_a_table_whose_columns_go_by_number_is_written_as_one(rated: PseudoLab) -> None:
    lines = (rated.path / "ratings.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    table = "".join(f"{film};x;{rating};{user}\n" for user, film, rating, _ in rows)
    (rated.path / "numbered.csv").write_text(table.replace("u003", '"u;3"'), encoding="utf-16")
    keys = (
        *("corpus.source=" + str(rated.path / "numbered.csv"), "corpus.encoding=utf-16", "corpus.delimiter=;"),
        "corpus.columns={user: 4, item: 1, rating: 3}",
    )
    rated.rounds("out", *keys, "train.max_steps=4", "pseudo.rounds=1")
    text = (rated.path / "out/seed-1/round-1/ratings.csv").read_text(encoding="utf-16")
    assert '"u;3"' in text
    assert all(len(line.replace('"u;3"', "u3").split(";")) == 4 for line in text.splitlines())
    assert len(text.splitlines()) == 30


@pytest.mark.parametrize(
    ("overrides", "kind", "what"),
    [
        (["pseudo=null"], CharRnnError, "does not say how to label"),
        (["corpus.split={shares: [0.8, 0.0, 0.2]}"], DataError, "the valid split is empty"),
        (["corpus.split={shares: [0.8, 0.2, 0.0]}"], DataError, "the test split is empty"),
        (["stream.mix={pseudo: {source: more.csv}}"], ConfigError, "pseudo: the rounds call a part of their own so"),
        (["pseudo.teacher=nowhere"], CharRnnError, "there is no such run"),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value)[:40],
)
def test_what_could_not_end_well_does_not_begin(
    rated: PseudoLab, overrides: list[str], kind: type[CharRnnError], what: str
) -> None:
    with pytest.raises(kind) as caught:
        rated.rounds("out", *overrides)
    assert what in caught.value.what
    assert not list(rated.path.glob("out/seed-*/*/run"))


def test_pairs_that_validation_or_test_ask_about_are_refused(rated: PseudoLab) -> None:
    rated.rounds("first", "train.max_steps=2", "pseudo.rounds=1")
    corpus = corpus_of(rated)
    train, test = corpus.split("train"), corpus.split("test")
    own = list(zip(train.users.tolist(), train.items.tolist(), strict=True))
    user, item = next(pair for pair in zip(test.users.tolist(), test.items.tolist(), strict=True) if pair not in own)
    (rated.path / "own.csv").write_text(f"userId,movieId,rating\n{corpus.users[user]},{corpus.items[item]},3\n")
    with pytest.raises(ConfigError, match="it holds 1 pairs that validation or test ask about"):
        rated.rounds("out", f"stream.mix={{own: {{source: {rated.path / 'own.csv'}, rows: 1}}}}")


def test_where_all_is_rated_there_is_nothing_to_rate(rated: PseudoLab) -> None:
    lines = [f"u{user},f{film},{1 + (user + film) % 5}\n" for user in range(10) for film in range(10)]
    (rated.path / "ratings.csv").write_text("userId,movieId,rating\n" + "".join(lines))
    with pytest.raises(DataError, match="nothing to rate"):
        rated.rounds("out")


def test_teachers_that_never_agree_hand_round_0_back(rated: PseudoLab) -> None:
    settings = ["pseudo.select={kind: agreement, teachers: 2, below: 1e-9}", "train.max_steps=6"]
    seed = rated.rounds("out", *settings)["seeds"][0]
    assert seed["handed_back"] == 0
    assert "0 of 30 pairs pass the selection" in seed["ended"]
    assert seed["wilcoxon"] == {"first_lower": 0, "second_lower": 0, "z": 0.0, "p": 1.0}
    assert "no student" in (rated.path / "out/report.md").read_text()


def train(lab: PseudoLab, name: str, config: str) -> Path:
    (lab.path / f"{name}.yaml").write_text(config, encoding="utf-8")
    loaded = load_config(lab.path / f"{name}.yaml", ["train.max_steps=2"])
    with Console(quiet=True) as console:
        train_run(loaded, lab.path / name, "new", lab.path / "corpora", console, Interrupt())
    return lab.path / name


def test_a_larger_teacher_is_taken_and_one_of_other_ids_is_refused(rated: PseudoLab) -> None:
    larger = train(rated, "larger", CONFIG.replace("kind: factors, size: 3", "kind: histories, size: 5"))
    short = ("pseudo.rounds=1", "train.max_steps=4")
    seed = rated.rounds("out", f"pseudo.teacher={larger}", *short)["seeds"][0]
    assert seed["rounds"][0]["student"]["checkpoint"].startswith(str(larger))
    assert seed["rounds"][0]["trained_on_other_data"] is None
    other = (rated.path / "ratings.csv").read_text().replace("u004", "someone")
    (rated.path / "other.csv").write_text(other, encoding="utf-8")
    foreign = train(rated, "foreign", CONFIG.replace("ratings.csv", "other.csv"))
    with pytest.raises(DataError, match="the teacher knows other users") as caught:
        rated.rounds("second", f"pseudo.teacher={foreign}", *short)
    assert "is 'someone' in the teacher and 'u004' here, of 12 and 12" in str(caught.value.why)
    split = train(rated, "split", CONFIG.replace("seed: 3", "seed: 4"))
    found = rated.rounds("third", f"pseudo.teacher={split}", *short)["seeds"][0]
    assert "if ratings of this validation or test were among them" in found["rounds"][0]["trained_on_other_data"]
    (rated.path / "text.txt").write_text("abc " * 300)
    text = train(rated, "text", "corpus: {source: text.txt}\nstream: {chunk: 8}\nmodel: {core: {hidden: 4}}\n")
    with pytest.raises(CheckpointError, match="of another task"):
        rated.rounds("fourth", f"pseudo.teacher={text}", *short)


def test_ratings_that_were_changed_by_hand_are_noticed(rated: PseudoLab) -> None:
    lab, short = rated, ("train.max_steps=4", "pseudo.rounds=1")

    class AtTheStudent(Interrupt):
        def check(self) -> None:
            if (lab.path / "out/seed-1/round-1.part/run/metrics.jsonl").exists():
                raise Stopper.Killed

    with pytest.raises(Stopper.Killed):
        lab.rounds("out", *short, interrupt=AtTheStudent())
    path = lab.path / "out/seed-1/round-1.part/ratings.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(DataError, match="the labels are not those"):
        lab.rounds("out", *short)
    assert not checkpoints(lab.path / "out/seed-1/round-1/run/checkpoints")
