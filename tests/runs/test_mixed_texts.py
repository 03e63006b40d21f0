"""Whole runs whose batches hold several texts, or lanes that a teacher teaches."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from lab import TEXT, Lab, Stopper, same_run

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.errors import CheckpointError, ConfigError, DataError, Interrupted, UsageError
from charrnn.logs.console import Console
from charrnn.runs.check import dry_run
from charrnn.runs.folder import RunFolder
from charrnn.train.interrupt import Interrupt
from charrnn.tune.range_test import range_test

SHORT = "train.epochs=2"
OTHER = "stream.mix={other: {corpus: {source: other.txt}, lanes: 3, weight: 0.5}}"
BOTH = (
    "stream.mix={other: {corpus: {source: other.txt}, lanes: 3}, "
    "taught: {corpus: {source: other.txt, split: [0.5, 0.5, 0.0]}, lanes: 2, teacher: teacher}, "
    "soft: {lanes: 5, teacher: teacher, temperature: 3.0}}"
)
CRAFT = (
    "stream.chunk=10",
    "stream.reach=17",
    "stream.offset=random",
    "stream.reset_chance=0.1",
    "stream.lengths={kind: random, spread: 3}",
)


@pytest.fixture
def mixed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A laboratory with a second text, and a run that can teach; what is typed is relative to its folder."""
    (lab.path / "other.txt").write_text(TEXT[::-1][:333], encoding="utf-8")
    monkeypatch.chdir(lab.path)
    lab.train("teacher", "new", None, "train.max_steps=12", "model.core={kind: gru, hidden: 11}")
    return lab


@pytest.mark.parametrize("hard", [False, True], ids=["sigterm", "sigkill"])
@pytest.mark.parametrize("craft", [(), CRAFT], ids=["plain", "craft"])
def test_stopped_and_resumed_is_never_stopped(mixed: Lab, craft: tuple[str, ...], hard: bool) -> None:
    overrides = (SHORT, BOTH, *craft)
    mixed.train("unbroken", "new", None, *overrides)
    for i, after in enumerate([30, 25, 40]):
        with pytest.raises((Interrupted, Stopper.Killed)):
            mixed.train("broken", "resume" if i else "new", Stopper(after, hard), *overrides)
    mixed.train("broken", "resume", None, *overrides)
    same_run(mixed, "unbroken", "broken")
    last = Checkpoint.open(checkpoints(mixed.path / "broken" / "checkpoints")[-1])
    lanes = last.tensors("lanes")
    assert {name: len(lanes[name]) for name in lanes} == {
        "0.c": 14, "0.h": 14, "1.c": 14, "1.h": 14, "teacher.soft.0.h": 5, "teacher.taught.0.h": 2
    }  # fmt: skip
    assert list(last.document("config")["mix"]) == ["other", "taught", "soft"]


def test_the_record_tells_the_main_loss_and_each_other_by_name(mixed: Lab) -> None:
    mixed.train("run", "new", None, SHORT, BOTH)
    records = mixed.records("run")
    for record in records:
        assert ("other" in record) == ("soft" in record) == ("taught" in record) == (record["split"] == "train")
    training = [record for record in records if record["split"] == "train"]
    assert training[-1]["other"] < training[0]["other"]
    assert all(0.0 < record["soft"] < 0.5 < record["nats"] for record in training)


def test_validation_is_that_of_a_run_without_a_mix(mixed: Lab) -> None:
    """At the first step the weights are the same, so the figures are."""
    for name, more in (("alone", ()), ("mixed", (OTHER,))):
        mixed.train(
            name, "new", None, "train.max_steps=1", "train.optimizer.lr=1e-12", "model.input.batchnorm=false", *more
        )
    one, two = ([r for r in mixed.records(name) if r["split"] == "valid"] for name in ("alone", "mixed"))
    assert len(one) == len(two) == 1
    assert one[0]["nats"] == pytest.approx(two[0]["nats"], rel=1e-6)
    assert one[0]["lanes"] == two[0]["lanes"] == 3


def test_the_other_text_moves_the_weights(mixed: Lab) -> None:
    for weight in (0.5, 0.6):
        mixed.train(f"run-{weight}", "new", None, "train.max_steps=3", OTHER, f"stream.mix.other.weight={weight}")
    one, two = (RunFolder(mixed.path / f"run-{weight}").preferred()[0].tensors("model") for weight in (0.5, 0.6))
    assert not np.array_equal(one["layers.0.weight_hh"], two["layers.0.weight_hh"])


def test_the_texts_and_the_teacher_may_move(mixed: Lab) -> None:
    with pytest.raises(Interrupted):
        mixed.train("run", "new", Stopper(40), SHORT, BOTH)
    (mixed.path / "elsewhere").mkdir()
    for name in ("other.txt", "teacher"):
        shutil.move(mixed.path / name, mixed.path / "elsewhere" / name)
    moved = BOTH.replace("other.txt", "elsewhere/other.txt").replace("teacher: teacher", "teacher: elsewhere/teacher")
    assert mixed.train("run", "resume", None, SHORT, moved)["step"] > 0


def test_the_copy_of_the_config_in_the_run_goes_on_with_it(mixed: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupted):
        mixed.train("run", "new", Stopper(40), SHORT, BOTH)
    monkeypatch.chdir(mixed.path / "run")
    loaded = load_config(mixed.path / "run" / "config.yaml")
    assert loaded.config.stream.mix["other"].corpus.source == str(mixed.path / "other.txt")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "override", ["stream.mix.other.lanes=2", "stream.mix.other.weight=0.25", "stream.mix.other.corpus.encoding=ascii"]
)
def test_a_changed_mix_is_refused_on_resume(mixed: Lab, override: str) -> None:
    with pytest.raises(Interrupted):
        mixed.train("run", "new", Stopper(40), SHORT, OTHER)
    with pytest.raises(ConfigError) as error:
        mixed.train("run", "resume", None, SHORT, OTHER, override)
    assert override.split("=")[0] in str(error.value.why)


def test_another_text_is_refused_on_resume(mixed: Lab) -> None:
    with pytest.raises(Interrupted):
        mixed.train("run", "new", Stopper(40), SHORT, OTHER)
    (mixed.path / "other.txt").write_text(TEXT[::-1][:334], encoding="utf-8")
    with pytest.raises(DataError, match=r"stream\.mix\.other: the text is not the one"):
        mixed.train("run", "resume", None, SHORT, OTHER)


def test_another_teacher_is_refused_on_resume_and_the_former_is_named(mixed: Lab) -> None:
    soft = "stream.mix={soft: {lanes: 5, teacher: teacher}}"
    with pytest.raises(Interrupted):
        mixed.train("run", "new", Stopper(40), SHORT, soft)
    mixed.train("other", "new", None, "train.max_steps=13")
    with pytest.raises(ConfigError, match=r"stream\.mix\.soft: the teacher is not the one") as error:
        mixed.train("run", "resume", None, SHORT, soft.replace("teacher: teacher", "teacher: other"))
    assert "teacher/checkpoints/step-00000012" in str(error.value.why)
    with pytest.raises(ConfigError, match="no longer describes") as error:
        mixed.train("run", "resume", None, SHORT, "stream.mix=null")
    assert "stream.mix.soft.lanes" in str(error.value.why)


def test_a_text_that_gets_a_teacher_is_refused_on_resume(mixed: Lab) -> None:
    with pytest.raises(Interrupted):
        mixed.train("run", "new", Stopper(40), SHORT, OTHER)
    with pytest.raises(ConfigError, match="the teacher is not the one") as error:
        mixed.train("run", "resume", None, SHORT, OTHER, "stream.mix.other.teacher=teacher")
    assert str(error.value.why).startswith("in the run: none; now: ")


def test_a_teacher_that_is_not_there_is_named(mixed: Lab) -> None:
    with pytest.raises(UsageError, match=r"stream\.mix\.soft: there is no such run") as error:
        mixed.train("run", "new", None, "stream.mix={soft: {teacher: nobody}}")
    assert error.value.where == str(mixed.path / "nobody")
    assert not (mixed.path / "run").exists()


def test_a_teacher_of_another_vocabulary_is_refused_and_the_symbols_are_named(mixed: Lab) -> None:
    mixed.train("lower", "new", None, "train.max_steps=1", "corpus.min_count=60", "sample.seed=null")
    with pytest.raises(DataError, match=r"stream\.mix\.soft: the teacher has another vocabulary") as error:
        mixed.train("run", "new", None, "stream.mix={soft: {teacher: lower}}")
    assert "id 1: <0x00> here, \\n there" in str(error.value.why)


def test_a_teacher_of_windows_is_refused(mixed: Lab) -> None:
    mixed.train("windows", "new", None, "train.max_steps=1", "stream={kind: windows}")
    with pytest.raises(CheckpointError, match="cannot teach") as error:
        mixed.train("run", "new", None, "stream.mix={soft: {teacher: windows}}")
    assert "windows" in str(error.value.why)


def test_a_run_is_not_its_own_teacher(mixed: Lab) -> None:
    before = sorted((mixed.path / "teacher").rglob("*"))
    for place in ("teacher", "teacher/checkpoints/step-00000012"):
        with pytest.raises(UsageError, match="its own teacher"):
            mixed.train("teacher", "force", None, f"stream.mix={{soft: {{teacher: {place}}}}}")
    assert sorted((mixed.path / "teacher").rglob("*")) == before


def test_symbols_that_the_main_text_lacks_are_an_error_unless_the_config_says_what_becomes_of_them(
    mixed: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    (mixed.path / "other.txt").write_text("abXcab\ncabÄcab" * 9, encoding="utf-8")
    with pytest.raises(
        DataError, match=r"stream\.mix\.other: the vocabulary lacks 2 symbols of the text: 'X'"
    ) as error:
        mixed.train("run", "new", None, "train.max_steps=1", OTHER)
    assert "corpus.min_count" in str(error.value.hint)
    loaded = load_config(
        mixed.path / "config.yaml", ["train.max_steps=1", OTHER, "stream.mix.other.corpus.unknown=skip"]
    )
    with Console() as console:
        dry_run(loaded, mixed.path / "corpora", console, Interrupt())
    assert (
        "`other` has 2 symbols that the main text has not; they were left out: 'X' (U+0058 " in capsys.readouterr().err
    )
    mixed.train("bytes", "new", None, "train.max_steps=1", OTHER, "corpus.min_count=2")


def test_a_text_that_is_shorter_than_its_lanes_is_named(mixed: Lab) -> None:
    with pytest.raises(DataError, match=r"stream\.mix\.other: the text is shorter than the lanes: 333 tokens for 334"):
        mixed.train("run", "new", None, OTHER, "stream.mix.other.lanes=334")


def test_the_range_test_and_the_dry_run_know_the_mix(mixed: Lab) -> None:
    loaded = load_config(mixed.path / "config.yaml", [BOTH])
    with Console(quiet=True) as console:
        told = dry_run(loaded, mixed.path / "corpora", console, Interrupt())
        test = range_test(loaded, mixed.path / "corpora", console, Interrupt(), 1e-4, 1.0, 20)
    assert [told[f"lanes{name}"] for name in ("", "_of_other", "_of_taught", "_of_soft")] == [4, 3, 2, 5]
    assert len(test.losses) > 5


@pytest.mark.parametrize("engine", ["torch", "scratch"])
def test_both_engines_train_with_a_mix(mixed: Lab, engine: str) -> None:
    plain = "model={core: {kind: lstm, hidden: 8}, input: {size: 6}}"
    mixed.train(engine, "new", None, "train.max_steps=14", plain, BOTH, f"train.engine={engine}")
    record = [r for r in mixed.records(engine) if r["split"] == "train"][-1]
    assert record["other"] == pytest.approx(record["nats"], rel=0.2)


def test_a_scan_may_teach_and_be_taught(mixed: Lab, tmp_path: Path) -> None:
    mingru = ("model={core: {kind: mingru, hidden: 8}}", "train.scan=tree", "train.max_steps=10")
    mixed.train("scan", "new", None, *mingru)
    soft = "stream.mix={soft: {lanes: 5, teacher: scan}}"
    mixed.train("unbroken", "new", None, *mingru, soft)
    with pytest.raises(Interrupted):
        mixed.train("broken", "new", Stopper(9), *mingru, soft)
    mixed.train("broken", "resume", None, *mingru, soft)
    same_run(mixed, "unbroken", "broken")
