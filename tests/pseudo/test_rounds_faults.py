"""Rounds that are killed, changed, damaged, or that could not begin."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import Stopper
from pseudolab import PseudoLab, all_that_came, new_lab, words

from charrnn.config.load import load_config
from charrnn.errors import CharRnnError, CheckpointError, ConfigError, DataError, LockedError, UsageError
from charrnn.files.lock import folder_lock
from charrnn.logs.console import Console
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt

SHORT = ("train.max_steps=4", "pseudo.rounds=1", "pseudo.select={kind: all}")


def train(lab: PseudoLab, name: str, config: str, *overrides: str) -> Path:
    """A run of another config."""
    (lab.path / f"{name}.yaml").write_text(config, encoding="utf-8")
    loaded = load_config(lab.path / f"{name}.yaml", ["train.max_steps=2", "train.tensorboard=false", *overrides])
    with Console(quiet=True) as console:
        train_run(loaded, lab.path / name, "new", lab.path / "corpora", console, Interrupt())
    return lab.path / name


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("hard", [True, False], ids=["killed", "stopped"])
def test_killed_anywhere_and_gone_on_with_it_comes_to_the_same(tmp_path: Path, hard: bool) -> None:
    settings = ("pseudo.max_steps=9", "pseudo.begin=teacher", "train.max_steps=12", "pseudo.finetune={epochs: 1}")
    lab = new_lab(tmp_path)
    lab.rounds("whole", *settings)
    assert lab.lives("broken", *settings, hard=hard, after=(2, 9, 14, 30, 21, 17, 26, 13, 33, 8, 19)) >= 5
    whole, broken = (all_that_came(tmp_path / name) for name in ("whole", "broken"))
    assert len(whole) == len(broken) > 15
    assert whole == broken
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("moment", ["labelled", "trained"])
def test_killed_between_two_steps_of_a_round_it_goes_on(
    lab: PseudoLab, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """After the labels and before the student; after the student and before the folder has its name."""
    from charrnn.pseudo import classify, stage

    lab.rounds("whole", *SHORT)

    def kill(*arguments: Any) -> None:
        raise Stopper.Killed

    module, name = {"labelled": (classify, "refusal"), "trained": (stage, "move_folder")}[moment]
    known = getattr(module, name)
    with monkeypatch.context() as patch:
        patch.setattr(
            module, name, lambda *given: kill() if "round-1" in str(given) or moment != "trained" else known(*given)
        )
        with pytest.raises(Stopper.Killed):
            lab.rounds("broken", *SHORT)
    assert (lab.path / "broken/seed-1/round-1.part").is_dir()
    assert not (lab.path / "broken/seed-1/round-1").exists()
    lab.rounds("broken", *SHORT)
    assert all_that_came(lab.path / "broken") == all_that_came(lab.path / "whole")


def test_a_config_that_makes_other_rounds_is_refused_and_force_begins_anew(lab: PseudoLab) -> None:
    lab.rounds("out", *SHORT)
    before = (lab.path / "out/seed-1/round-1/labels.csv").read_bytes()
    for change in ("train.optimizer.lr=1e-2", "pseudo.rows=5", "model.core.hidden=9", "pseudo.rounds=2"):
        with pytest.raises(ConfigError, match="no longer describes the rounds") as caught:
            lab.rounds("out", *SHORT, change)
        assert change.split("=")[0] in str(caught.value.why)
    lab.rounds("out", *SHORT, "train.log_every=3", "pseudo.report=valid")
    page = (lab.path / "out/report.md").read_text()
    assert "so its figures flatter" in page
    (lab.path / "out/own-notes.txt").write_text("keep me")
    lab.rounds("out", *SHORT, "train.optimizer.lr=1e-3", force=True)
    assert (lab.path / "out/seed-1/round-1/labels.csv").read_bytes() != before
    assert (lab.path / "out/own-notes.txt").read_text() == "keep me"


def test_other_data_are_refused(lab: PseudoLab) -> None:
    lab.rounds("out", *SHORT)
    (lab.path / "words.csv").write_text(words(280), encoding="utf-8")
    with pytest.raises(DataError, match="not those that the rounds were begun on"):
        lab.rounds("out", *SHORT)


def test_what_was_changed_by_hand_is_noticed(lab: PseudoLab) -> None:
    lab.rounds("out", *SHORT)
    shutil.copytree(lab.path / "out", lab.path / "copy")
    seed = lab.path / "out/seed-1"
    (seed / "result.json").unlink()
    (checkpoint,) = (seed / "round-0/run/checkpoints").iterdir()
    (checkpoint / "manifest.json").write_text(
        (checkpoint / "manifest.json").read_text().replace('"sha256": "', '"sha256": "0')
    )
    with pytest.raises((DataError, CheckpointError)):
        lab.rounds("out", *SHORT)
    (lab.path / "copy/seed-1/round-1/manifest.json").write_text("{")
    with pytest.raises(DataError, match="the manifest is damaged"):
        lab.rounds("copy", *SHORT)


def test_labels_that_were_changed_under_way_are_refused(lab: PseudoLab) -> None:
    class AtTheStudent(Interrupt):
        def check(self) -> None:
            if (lab.path / "out/seed-1/round-1.part/run/metrics.jsonl").exists():
                raise Stopper.Killed

    with pytest.raises(Stopper.Killed):
        lab.rounds("out", *SHORT, interrupt=AtTheStudent())
    path = lab.path / "out/seed-1/round-1.part/labels.csv"
    path.write_text(path.read_text().replace(",1,up,", ",0,up,", 1))
    with pytest.raises(DataError, match="the labels are not those"):
        lab.rounds("out", *SHORT)


def test_one_process_at_a_time(lab: PseudoLab) -> None:
    (lab.path / "out").mkdir()
    with folder_lock(lab.path / "out"), pytest.raises(LockedError):
        lab.rounds("out", *SHORT)


def refused(lab: PseudoLab, kind: type[CharRnnError], *overrides: str, name: str = "out") -> CharRnnError:
    """The error of rounds that cannot begin: nothing may have been trained."""
    with pytest.raises(kind) as caught:
        lab.rounds(name, *overrides)
    assert not list((lab.path / name).glob("seed-*/*/run"))
    return caught.value


@pytest.mark.parametrize(
    ("overrides", "kind", "what"),
    [
        (["pseudo=null"], UsageError, "does not say how to label"),
        (["corpus.labelled=null"], DataError, "nothing to label"),
        (["corpus.split=[0.8, 0.0, 0.2]"], DataError, "the valid split is empty"),
        (["corpus.split=[0.8, 0.2, 0.0]"], DataError, "the test split is empty"),
        (["pseudo.finetune={epochs: 1}", "train.schedule={kind: plateau}"], ConfigError, "wait for one"),
        (["stream.mix={checked: {kind: split}}"], ConfigError, "checked: the rounds call a part of their own so"),
        (["stream.mix={more: {kind: split}}"], ConfigError, "judged by the validation items"),
        (["pseudo.teacher=nowhere"], UsageError, "there is no such run"),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value)[:40],
)
def test_what_could_not_end_well_does_not_begin(
    lab: PseudoLab, overrides: list[str], kind: type[CharRnnError], what: str
) -> None:
    assert what in refused(lab, kind, *overrides).what


def test_test_items_that_the_config_mixes_in_itself_are_refused(lab: PseudoLab) -> None:
    (lab.path / "own.csv").write_text("item,label\ntest:0,up\nunlabelled:0,up\n", encoding="utf-8")
    settings = f"stream.mix={{own: {{source: {lab.path / 'own.csv'}, rows: 2}}}}"
    assert "holds 1 items of the test split" in refused(lab, ConfigError, settings).what


def test_rounds_of_word_vectors_are_refused(lab: PseudoLab) -> None:
    (lab.path / "config.yaml").write_text("task: vectors\ncorpus: {source: words.csv}\n", encoding="utf-8")
    error = refused(lab, UsageError)
    assert "no rounds for this task" in error.what
    assert "`language`, `classify`, `rate`, and the task here is `vectors`" in str(error.why)


def test_only_items_that_lie_elsewhere_too_are_none_to_label(lab: PseudoLab) -> None:
    table = (lab.path / "words.csv").read_text().splitlines()
    (lab.path / "more").write_text("\n".join(line.split(",")[0] for line in table[1:]) + "\n")
    settings = ["corpus.labelled=null", f"corpus.unlabelled_source={lab.path / 'more'}", "corpus.unlabelled_form=lines"]
    error = refused(lab, DataError, *settings)
    assert "nothing to label" in error.what
    assert "labelled already" in str(error.why)


CLASSIFY = (
    "task: classify\ncorpus: {source: SOURCE, split: [0.6, 0.2, 0.2], min_count: 1}\nmodel: {core: {hidden: 4}}\n"
)


def test_a_teacher_that_does_not_belong_here_is_refused_with_the_first_difference(lab: PseudoLab) -> None:
    (lab.path / "other.csv").write_text(words().replace(",flat\n", ",level\n"), encoding="utf-8")
    labels = train(lab, "labels", CLASSIFY.replace("SOURCE", "other.csv"))
    error = refused(lab, DataError, f"pseudo.teacher={labels}")
    assert "the teacher gives other labels" in error.what
    assert error.why == "label 1 is 'level' in the teacher and 'flat' here, of 3 and 3"

    (lab.path / "more.csv").write_text(words() + "cdzzab,up\ncdezzab,up\ncdfzzab,up\ncdgzzab,up\n", encoding="utf-8")
    vocabulary = train(lab, "vocabulary", CLASSIFY.replace("SOURCE", "more.csv"))
    error = refused(lab, DataError, f"pseudo.teacher={vocabulary}", name="second")
    assert "the teacher has another vocabulary" in error.what
    assert "here" in str(error.why)

    form = train(lab, "form", CLASSIFY.replace("SOURCE", "words.csv"), "corpus.case=lower")
    error = refused(lab, DataError, f"pseudo.teacher={form}", name="third")
    assert "another form" in error.what
    assert "corpus.case: lower → keep" in str(error.why)

    text = train(lab, "text", "corpus: {source: words.csv}\nstream: {chunk: 8}\nmodel: {core: {hidden: 4}}\n")
    error = refused(lab, CheckpointError, f"pseudo.teacher={text}", name="fourth")
    assert "of another task" in error.what


def test_a_teacher_of_other_data_is_taken_and_the_report_says_so(lab: PseudoLab) -> None:
    config = CLASSIFY.replace("SOURCE", "words.csv")  # the same words, of which all labels are known
    teacher = train(lab, "teacher", config)
    result = lab.rounds("out", *SHORT, f"pseudo.teacher={teacher}")
    assert "trained on other data" in result["seeds"][0]["rounds"][0]["trained_on_other_data"]
    assert "Mind: the teacher was trained on other data" in (lab.path / "out/report.md").read_text()


def test_a_teacher_that_has_learned_more_since_is_another_one(lab: PseudoLab) -> None:
    teacher = train(lab, "teacher", (lab.path / "config.yaml").read_text())
    settings = (*SHORT, f"pseudo.teacher={teacher}", "train.max_steps=9")
    with pytest.raises(Stopper.Killed):
        lab.rounds("out", *settings, interrupt=Stopper(14, hard=True))
    assert (lab.path / "out/seed-1/round-0").is_dir()
    place = json.loads((lab.path / "out/seed-1/round-0/manifest.json").read_text())["student"]["checkpoint"]
    shutil.rmtree(place)
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        lab.rounds("out", *settings)


def test_folders_of_runs_and_of_rounds_are_told_apart(lab: PseudoLab) -> None:
    run = train(lab, "run", (lab.path / "config.yaml").read_text())
    with pytest.raises(UsageError, match="this folder holds a run"):
        lab.rounds(run.name, *SHORT)
    lab.rounds("out", *SHORT)
    with Console(quiet=True) as console, pytest.raises(UsageError, match="holds rounds of pseudo-labels"):
        train_run(lab.loaded(), lab.path / "out", "force", lab.path / "corpora", console, Interrupt())
    (lab.path / "foreign").mkdir()
    (lab.path / "foreign/report.md").write_text("mine")
    with pytest.raises(UsageError, match=r"`report\.md` that is of no rounds"):
        lab.rounds("foreign", *SHORT)
    assert (lab.path / "foreign/report.md").read_text() == "mine"
