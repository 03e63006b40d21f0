"""Rounds that several processes do together come to what one process comes to."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from company import start, together
from lab import TEXT
from nursery import Nursery
from pseudolab import CONFIG, new_lab
from ratinglab import rating_lab

RATINGS = """\
task: rate
corpus: {source: ratings.csv, split: {shares: [0.6, 0.2, 0.2], seed: 3}}
stream: {batch: 12}
model: {kind: factors, size: 3, dropout: 0.2, scale: 0.3}
train: {max_steps: 8, tensorboard: false}
evaluate: {every: 4}
pseudo: {teacher: teacher, rows: 30, pairs: 29, stop: {patience: null}}
"""
DISTILLED = """\
corpus: {source: text.txt, split: [0.7, 0.15, 0.15]}
stream: {lanes: 4, chunk: 10}
model: {input: {size: 6, dropout: 0.1}, core: {kind: gru, hidden: 8}}
train: {max_steps: 8, precision: fp64, tensorboard: false}
evaluate: {lanes: 3, chunk: 16, every: 4}
sample: {seed: "abc", length: 5}
pseudo: {lanes: 2, temperature: 1.5, weight: 0.5}
"""
PSEUDOLABEL = ("pseudolabel", "config.yaml", "--quiet")
UNTAUGHT = ("--set=pseudo.teacher=teacher", "--set=pseudo.stop.kept_below=0.99")
"""A teacher that is there, and a selection that no labels pass: nothing is trained."""
TOGETHER = ("--set=stream.batch=12", "--set=pseudo.rows=6", "--set=train.precision=fp64")
SHORT = ("--set=train.max_steps=8", "--set=evaluate.every=4", "--set=pseudo.rounds=1")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    new_lab(tmp_path)
    return tmp_path


def rounds(processes: Nursery, place: Path, size: int, *more: str) -> Path:
    """A folder of rounds that so many processes have done."""
    folder = place / f"by-{size}"
    ends = together(processes, place, size, *PSEUDOLABEL, "--out", str(folder), *more)
    assert [end.code for end in ends] == [0] * size, [end.err for end in ends]
    assert [end.out + end.err for end in ends[1:]] == [""] * (size - 1)
    assert "report.md" in ends[0].out
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but the lock, by its place, in order."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def trained(processes: Nursery, place: Path, *more: str) -> None:
    end = processes.run("nursery:charrnn", place, "train", "config.yaml", "--out", "teacher", "--quiet", *more)
    assert end.code == 0, end.err


def test_labels_and_all_that_stands_beside_them_are_those_of_one_process(processes: Nursery, place: Path) -> None:
    """Byte for byte: the labels, the figures of the teacher, the manifests, the report."""
    trained(processes, place, *SHORT[:2])
    more = (*TOGETHER[:2], *UNTAUGHT, "--set=pseudo.transductive=true", "--seeds=2")
    whole = files(rounds(processes, place, 1, *more))
    labels = whole["seed-1/round-1/labels.csv"].decode().splitlines()
    assert len(labels) > 3 * 12  # every process has batches of its own
    assert "seed-2/round-1/labels.csv" in whole
    for size in (2, 3):
        shared = files(rounds(processes, place, size, *more))
        assert list(shared) == list(whole)
        assert shared == whole


def test_ratings_are_those_of_one_process(processes: Nursery, tmp_path: Path) -> None:
    rating_lab(tmp_path, RATINGS)
    trained(processes, tmp_path)
    whole = files(rounds(processes, tmp_path, 1))
    assert len(whole["seed-1/round-1/ratings.csv"].decode().splitlines()) == 30
    for size in (2, 3):
        shared = files(rounds(processes, tmp_path, size))
        assert list(shared) == list(whole)
        assert shared == whole


def close(one: Any, other: Any, digits: float = 1e-9) -> None:
    """The same JSON values, but for the last digits and what is made of all of them."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            if key not in ("sha256", "labels_sha256"):
                close(one[key], other[key], digits)
    elif isinstance(one, list):
        assert len(one) == len(other)
        for ours, theirs in zip(one, other, strict=True):
            close(ours, theirs, digits)
    elif isinstance(one, float):
        assert other == pytest.approx(one, rel=digits, abs=digits)
    else:
        assert one == other


def result(folder: Path) -> Any:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def called(folder: Path) -> list[list[str]]:
    """What the labels of the first round say of each item, without figures."""
    lines = (folder / "seed-1/round-1/labels.csv").read_text(encoding="utf-8").splitlines()
    return [line.split(",")[:4] for line in lines]


@pytest.mark.slow
def test_trainings_within_rounds_are_shared(processes: Nursery, place: Path) -> None:
    """Two teachers, students that go on from them, a control of its own, the last stage: but for the last digits."""
    more = (*TOGETHER, *SHORT, "--set=pseudo.select={kind: agreement, teachers: 2}", "--set=pseudo.begin=teacher")
    more += ("--set=pseudo.finetune={epochs: 1, rows: 6}",)
    whole, shared = (rounds(processes, place, size, *more) for size in (1, 3))
    close(result(whole), result(shared))
    assert result(whole)["seeds"][0]["control"]["trained"]
    assert called(whole) == called(shared)
    assert list(files(whole)) == list(files(shared))


def test_distillation_is_shared(processes: Nursery, tmp_path: Path) -> None:
    """By two processes, and the passages that Wilcoxon's test compares are those of one, lane by lane."""
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(DISTILLED, encoding="utf-8")
    whole, shared = (rounds(processes, tmp_path, size) for size in (1, 2))
    close(result(whole), result(shared))
    assert result(whole)["seeds"][0]["wilcoxon"]["passages"] > 6


@pytest.mark.slow
def test_stopped_and_killed_they_go_on_with_another_number_of_processes(processes: Nursery, place: Path) -> None:
    """A signal in a training and one in the labelling, to one process each; a kill; then one process does the rest."""
    more = (*TOGETHER, *SHORT)
    whole = rounds(processes, place, 1, *more)
    begun = [*PSEUDOLABEL, "--out", "broken", *more]
    children = start(processes, place, 3, "company:charrnn_stopping", *begun, "--json", CHARRNN_TEST_STOP="5")
    ends = [child.wait() for child in children]
    assert [end.code for end in ends] == [128 + signal.SIGTERM] * 3, [end.err for end in ends]
    assert json.loads(ends[0].out)["resumable"]
    assert [end.out + end.err for end in ends[1:]] == [""] * 2
    for size, number, codes in ((2, signal.SIGTERM, [143, 143]), (3, signal.SIGKILL, [8, 8, -signal.SIGKILL])):
        environ = {"CHARRNN_TEST_SIGNAL": str(int(number))}
        struck = start(processes, place, size, "company:charrnn_struck", *begun, **environ)
        ends = [child.wait() for child in struck]
        assert [end.code for end in ends] == codes, [end.err for end in ends]
        assert not (place / "broken/seed-1/round-1").exists()
    end = processes.run("nursery:charrnn", place, *begun)
    assert end.code == 0, end.err
    close(result(whole), result(place / "broken"))
    assert called(whole) == called(place / "broken")


def test_batches_that_cannot_be_shared_are_refused_before_anything_is_trained(processes: Nursery, place: Path) -> None:
    assert "batch: 8" in CONFIG
    ends = together(processes, place, 4, *PSEUDOLABEL, "--out", "out", "--set=pseudo.rows=6")
    assert [end.code for end in ends] == [2] * 4
    assert "14 rows of a batch of a student cannot be shared equally by 4 processes" in ends[0].err
    assert "all of these: 1, 2\n" in ends[0].err
    assert [end.out + end.err for end in ends[1:]] == [""] * 3
    assert not (place / "out").exists()
