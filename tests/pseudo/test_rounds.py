"""Whole rounds on a small corpus: what lies where, what it was made of, and that it is what it says."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from pseudolab import PseudoLab

from charrnn.checkpoint.layout import checkpoints
from charrnn.config.load import load_config
from charrnn.corpus.given_labels import read_labels
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.errors import DivergedError
from charrnn.files import digest
from charrnn.logs.console import Console
from charrnn.pseudo import training
from charrnn.runs.folder import RunFolder
from charrnn.runs.score import score_run
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt


def result_of(lab: PseudoLab, name: str = "out") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((lab.path / name / "result.json").read_text(encoding="utf-8"))
    return found


def weights(run: Path) -> bytes:
    return (checkpoints(run / "checkpoints")[-1] / "model.safetensors").read_bytes()


def corpus_of(lab: PseudoLab) -> LabelledCorpus:
    (folder,) = (lab.path / "corpora").iterdir()
    return LabelledCorpus.open(folder)


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plain(lab: PseudoLab, name: str, *overrides: str) -> Path:
    """A run of `charrnn train` with the same config."""
    loaded = load_config(lab.path / "config.yaml", ["train.early_stop=null", *overrides])
    with Console(quiet=True) as console:
        train_run(loaded, lab.path / name, "new", lab.path / "corpora", console, Interrupt())
    return lab.path / name


def test_every_stage_is_a_folder_and_nothing_is_left_beside_it(done: PseudoLab) -> None:
    top = done.path / "out"
    assert sorted(path.name for path in top.iterdir()) == sorted(
        [".lock", "config.yaml", "pseudolabel.json", "report.md", "result.json", "seed-1"]
    )
    inner = {
        path.name: sorted(one.name for one in path.iterdir()) for path in (top / "seed-1").iterdir() if path.is_dir()
    }
    assert inner == {
        "round-0": ["manifest.json", "run"],
        "round-1": ["labels.csv", "manifest.json", "run"],
        "round-2": ["labels.csv", "manifest.json", "run"],
        "control": ["manifest.json"],
    }


def test_the_labels_are_the_teachers_and_the_manifest_counts_them(done: PseudoLab) -> None:
    corpus = corpus_of(done)
    unlabelled = corpus.split("unlabelled")
    for number in (1, 2):
        folder = done.path / f"out/seed-1/round-{number}"
        manifest = json.loads((folder / "manifest.json").read_text())
        rows, counts = table_of(folder / "labels.csv"), manifest["labels"]
        assert manifest["labels_sha256"] == digest.of_file(folder / "labels.csv")
        assert [row["item"] for row in rows] == [f"unlabelled:{i}" for i in range(len(unlabelled))]
        assert [row["text"] for row in rows] == [unlabelled.text(i) for i in range(len(unlabelled))]
        for row in rows:
            shares = {name: float(row[f"p:{name}"]) for name in corpus.labels}
            assert row["label"] == max(shares, key=lambda name: shares[name])
            assert float(row["confidence"]) == shares[row["label"]]
            assert row["kept"] == str(int(float(row["confidence"]) > 0.5))
        assert counts["candidates"] == len(rows)
        kept = [row["label"] for row in rows if row["kept"] == "1"]
        assert counts["kept_labels"] == {name: kept.count(name) for name in corpus.labels}
        truths = [corpus.labels[truth] for truth in unlabelled.truths.tolist()]
        right = sum(row["label"] == truth for row, truth in zip(rows, truths, strict=True))
        assert counts["right"]["all"] == {"items": len(rows), "right": right}
        assert len(read_labels(folder / "labels.csv", corpus)) == len(rows)
        former = json.loads((done.path / f"out/seed-1/round-{number - 1}/manifest.json").read_text())
        assert manifest["teachers"] == [former["student"]]


def test_models_are_named_by_the_digest_of_their_tensors(done: PseudoLab) -> None:
    for one in result_of(done)["seeds"][0]["rounds"]:
        path = done.path / "out" / one["student"]["checkpoint"] / "model.safetensors"
        assert one["student"]["sha256"] == digest.of_file(path)


@pytest.mark.slow
def test_teacher_and_student_are_what_charrnn_train_makes_of_the_same_batches(done: PseudoLab) -> None:
    labels = done.path / "out/seed-1/round-1/labels.csv"
    mix = f"stream.mix={{pseudo: {{source: {labels}, rows: 4}}}}"
    teacher, student = plain(done, "teacher", "train.save.keep=1"), plain(done, "student", "train.save.keep=1", mix)
    assert weights(teacher) == weights(done.path / "out/seed-1/round-0/run")
    assert weights(student) == weights(done.path / "out/seed-1/round-1/run")
    assert weights(teacher) != weights(student)


def test_a_student_is_a_run_like_any_other(done: PseudoLab) -> None:
    """Its config names the labels where they lie now, and what it is scored at is what the report says."""
    run = RunFolder(done.path / "out/seed-1/round-1/run")
    loaded = load_config(run.config)
    assert loaded.config.stream.mix["pseudo"].source == str(run.path.parent / "labels.csv")  # type: ignore[attr-defined]
    assert (loaded.config.pseudo, loaded.config.train.early_stop) == (None, None)  # type: ignore[attr-defined]
    manifest = json.loads((run.path.parent / "manifest.json").read_text())
    with Console(quiet=True) as console:
        found = score_run(run.preferred()[0], loaded, "valid", done.path / "corpora", console, Interrupt())
    assert {name: found[name] for name in manifest["valid"]} == manifest["valid"]


def test_round_0_is_the_control_where_it_took_as_many_updates(done: PseudoLab) -> None:
    seed = result_of(done)["seeds"][0]
    assert seed["handed_back"] > 0
    assert seed["control"]["trained"] is False
    assert seed["control"]["student"] == seed["rounds"][0]["student"]
    assert "as many updates" in seed["control"]["why"]
    assert [one["student"]["updates"] for one in seed["rounds"]] == [24, 24, 24]


def test_the_report_tells_what_the_result_holds(done: PseudoLab) -> None:
    result, page = result_of(done), (done.path / "out/report.md").read_text(encoding="utf-8")
    seed = result["seeds"][0]
    assert result["headline"]
    assert result["data"]["left_out"] == {}
    assert f"| round {seed['handed_back']} | {seed['figures']['accuracy']:.4f} |" in page
    assert "Transductive" not in page
    assert page.count("where the truth is known") == 2
    error, control = (1.0 - seed[name]["accuracy"] for name in ("figures", "control_figures"))
    gained = seed["mcnemar"]["only_second"] - seed["mcnemar"]["only_first"]
    assert gained == round((control - error) * result["data"]["test"])


def test_the_same_command_does_nothing_again(done: PseudoLab) -> None:
    def state() -> list[tuple[str, int]]:
        return [(str(path), path.stat().st_mtime_ns) for path in sorted((done.path / "out/seed-1").rglob("*"))]

    before, result = state(), result_of(done)
    assert done.rounds("out") == result
    assert [one for one in state() if not one[0].endswith(".lock")] == [
        one for one in before if not one[0].endswith(".lock")
    ]


@pytest.mark.slow
def test_items_that_are_drawn_are_not_the_surest_and_are_drawn_anew_in_every_round(lab: PseudoLab) -> None:
    lab.rounds("out", "pseudo.keep=drawn", "pseudo.balance=equal", "pseudo.cap=12", "pseudo.select={kind: all}")
    kept = []
    for number in (1, 2):
        rows = table_of(lab.path / f"out/seed-1/round-{number}/labels.csv")
        kept.append([row["item"] for row in rows if row["kept"] == "1"])
        called = {name: [row for row in rows if row["label"] == name] for name in corpus_of(lab).labels}
        for own in called.values():
            surest = sorted(own, key=lambda row: -float(row["confidence"]))[:4]
            assert sum(row["kept"] == "1" for row in own) == 4
            assert any(row["kept"] == "0" for row in surest)
    assert kept[0] != kept[1]


def test_more_seeds_may_be_added(lab: PseudoLab) -> None:
    one = lab.rounds("out", "pseudo.rounds=1")
    two = lab.rounds("out", "pseudo.rounds=1", "pseudo.seeds=2")
    assert two["seeds"][0] == one["seeds"][0]
    assert [seed["seed"] for seed in two["seeds"]] == [1, 2]
    errors = [1.0 - seed["figures"]["accuracy"] for seed in two["seeds"]]
    assert two["over_seeds"]["error"]["mean"] == pytest.approx(sum(errors) / 2)
    assert "mean ± deviation" in (lab.path / "out/report.md").read_text()
    assert two["seeds"][1]["rounds"][0]["student"]["seed"] == 2


@pytest.mark.slow
def test_a_given_teacher_labels_and_the_control_is_trained(lab: PseudoLab) -> None:
    """The control is the very run that `charrnn train` makes: fresh weights, as many updates, no pseudo-labels."""
    teacher = plain(lab, "teacher", "train.max_steps=8", "model.core.hidden=10", "train.seed=5")
    settings = [f"pseudo.teacher={teacher}", "pseudo.rounds=1", "pseudo.max_steps=20", "pseudo.select={kind: all}"]
    seed = lab.rounds("out", *settings)["seeds"][0]
    assert sorted(path.name for path in (lab.path / "out/seed-1/round-0").iterdir()) == ["manifest.json"]
    assert seed["rounds"][0]["student"]["checkpoint"] == str(RunFolder(teacher).preferred()[0].folder)
    assert seed["rounds"][0]["trained_on_other_data"] is None
    assert seed["handed_back"] == 1
    assert (seed["control"]["trained"], seed["control"]["student"]["updates"]) == (True, 20)
    assert weights(lab.path / "out/seed-1/control/run") == weights(plain(lab, "plain", "train.max_steps=20"))


@pytest.mark.slow
def test_students_that_begin_with_their_teacher_have_a_control_of_all_their_updates(lab: PseudoLab) -> None:
    settings = ["pseudo.begin=teacher", "pseudo.max_steps=10", "pseudo.targets=soft", "pseudo.temperature=2.0"]
    seed = lab.rounds("out", *settings, "train.max_steps=12")["seeds"][0]
    assert [one["student"]["updates"] for one in seed["rounds"]] == [12, 10, 10]
    assert seed["handed_back"] > 0
    assert seed["control"]["student"]["updates"] == 12 + 10 * seed["handed_back"]
    config = load_config(lab.path / "out/seed-1/round-2/run/config.yaml").config
    assert config.train.start_from == str(  # type: ignore[attr-defined]
        lab.path / "out" / seed["rounds"][1]["student"]["checkpoint"]
    )


@pytest.mark.slow
def test_teachers_that_must_agree_are_trained_from_other_seeds_in_every_round(lab: PseudoLab) -> None:
    settings = ["pseudo.select={kind: agreement, teachers: 2, above: 0.2}", "train.max_steps=40"]
    seed = lab.rounds("out", *settings)["seeds"][0]
    for number in (1, 2):
        first, second = seed["rounds"][number]["teachers"]
        assert first == seed["rounds"][number - 1]["student"]
        assert second["checkpoint"].startswith(f"seed-1/round-{number}/teachers/2/checkpoints/")
        assert second["seed"] != 1
        assert (lab.path / "out" / second["checkpoint"] / "manifest.json").is_file()
        assert len(seed["rounds"][number]["labels"]["temperatures"]) == 2
    # The second teacher of round 2 has learned as round 1's student has, from the labels of round 1.
    config = load_config(lab.path / "out/seed-1/round-2/teachers/2/config.yaml").config
    assert config.stream.mix["pseudo"].source == str(lab.path / "out/seed-1/round-1/labels.csv")  # type: ignore[attr-defined]


@pytest.mark.slow
def test_transductive_rounds_and_the_last_stage_say_so_wherever_they_are_told(lab: PseudoLab) -> None:
    settings = ["pseudo.transductive=true", "pseudo.finetune={epochs: 2, rows: 3}", "pseudo.rounds=1"]
    result = lab.rounds("out", *settings)
    seed, test = result["seeds"][0], len(corpus_of(lab).split("test"))
    assert not result["headline"]
    manifests = [json.loads(path.read_text()) for path in sorted((lab.path / "out/seed-1").glob("*/manifest.json"))]
    assert [one["transductive"] for one in manifests] == [True] * 4
    rows = table_of(lab.path / "out/seed-1/round-1/labels.csv")
    assert [row["item"] for row in rows][-test:] == [f"test:{i}" for i in range(test)]
    assert seed["rounds"][1]["labels"]["right"]["all"]["items"] == len(rows) - test
    assert (seed["finetune"]["valid"], seed["rounds"][0]["student"]["step"] > 0) == (None, True)
    config = load_config(lab.path / "out/seed-1/finetune/run/config.yaml").config
    assert [config.stream.mix["checked"].split, config.stream.mix["checked"].rows] == ["valid", 3]  # type: ignore[attr-defined]
    assert seed["finetune"]["student"]["updates"] == 2 * 3  # 24 labelled items in batches of 8
    page = (lab.path / "out/report.md").read_text()
    assert "**Transductive: the test inputs were among the pseudo-labelled items" in page
    assert "which learned from the validation items" in page


def test_too_few_confident_items_hand_round_0_back_and_say_why(lab: PseudoLab) -> None:
    settings = ["pseudo.select={kind: confidence, above: 0.9999999}", "pseudo.calibrate=false", "train.max_steps=6"]
    seed = lab.rounds("out", *settings, "pseudo.stop.kept_below=0.0")["seeds"][0]
    assert seed["handed_back"] == 0
    assert "0 items were kept, fewer than the 4 that every batch needs" in seed["ended"]
    assert (seed["rounds"][1]["student"], seed["rounds"][1]["ended"]) == (None, seed["ended"])
    assert sorted(path.name for path in (lab.path / "out/seed-1/round-1").iterdir()) == ["labels.csv", "manifest.json"]
    assert (seed["relative_error_change"], seed["mcnemar"]) == (0.0, {"only_first": 0, "only_second": 0, "p": 1.0})
    assert "no student" in (lab.path / "out/report.md").read_text()


def test_a_student_that_diverges_hands_the_best_round_back(lab: PseudoLab, monkeypatch: pytest.MonkeyPatch) -> None:
    known = training.train_run

    def diverging(loaded: Any, folder: Path, *arguments: Any, **named: Any) -> Any:
        if "round-1" in str(folder):
            raise DivergedError("the loss is nan")
        return known(loaded, folder, *arguments, **named)

    monkeypatch.setattr(training, "train_run", diverging)
    seed = lab.rounds("out", "train.max_steps=6", "pseudo.select={kind: all}")["seeds"][0]
    assert (seed["handed_back"], seed["ended"]) == (0, "a training diverged: the loss is nan")
    assert "a training diverged" in (lab.path / "out/report.md").read_text()
