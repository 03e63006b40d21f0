"""What a refused or forced run leaves of what was there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab import Lab
from scanlibrary import ScanLibrary

from charrnn.config.load import load_config
from charrnn.errors import CharRnnError, CheckpointError, ConfigError, DataError, MissingExtraError, UsageError
from charrnn.logs import tensorboard
from charrnn.logs.console import Console
from charrnn.runs.check import dry_run
from charrnn.train.interrupt import Interrupt


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


REFUSED = ["stream.lanes=100000", "train.device=cuda:99", "corpus.source=nowhere.txt", "sample.seed=☃"]


@pytest.mark.parametrize("override", REFUSED)
@pytest.mark.parametrize("mode", ["new", "force"])
def test_a_refused_run_leaves_a_folder_as_it_was(lab: Lab, override: str, mode: str) -> None:
    (lab.path / "mine").mkdir()
    (lab.path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(CharRnnError):
        lab.train("mine", mode, None, override)
    assert contents(lab.path / "mine") == {lab.path / "mine" / "thesis.txt": b"years of work"}
    with pytest.raises(CharRnnError):
        lab.train("new", mode, None, override)
    assert not (lab.path / "new").exists()


@pytest.mark.parametrize("override", REFUSED)
def test_force_deletes_nothing_when_the_new_run_is_refused(lab: Lab, override: str) -> None:
    lab.train("run")
    before = contents(lab.path / "run")
    with pytest.raises(CharRnnError):
        lab.train("run", "force", None, override)
    assert contents(lab.path / "run") == before


@pytest.mark.parametrize("mode", ["new", "resume", "force"])
@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "best", "checkpoints/step-00000001/thesis.txt"])
def test_files_that_only_share_a_name_with_a_runs_are_never_touched(lab: Lab, mode: str, name: str) -> None:
    mine = lab.path / "mine" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    with pytest.raises(UsageError, match="not a run's"):
        lab.train("mine", mode)
    assert contents(lab.path / "mine") == {mine: b"years of work"}


def test_force_keeps_what_a_run_does_not_write(lab: Lab) -> None:
    lab.train("run")
    for name in ("notes.txt", "checkpoints/notes.txt", "tensorboard/notes.txt"):
        (lab.path / "run" / name).write_text("mine")
    lab.train("run", "force")
    for name in ("notes.txt", "checkpoints/notes.txt", "tensorboard/notes.txt"):
        assert (lab.path / "run" / name).read_text() == "mine"


def test_a_lost_checkpoint_is_said_and_never_begun_anew_in_silence(lab: Lab) -> None:
    lab.train("run")
    records = lab.records("run")
    newest = lab.path / "run" / "checkpoints" / (lab.path / "run" / "last").read_text().strip()
    (newest / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match="gone") as error:
        lab.train("run", "resume", None, "train.epochs=5")
    assert "last" in str(error.value.hint)
    shutil.rmtree(newest.parent)
    with pytest.raises(CheckpointError, match="gone"):
        lab.train("run", "resume", None, "train.epochs=5")
    assert lab.records("run") == records


@pytest.mark.parametrize(
    "override", ["train.device=cpu", "train.threads=1", "train.log_every=3", "sample.length=3", "train.save.keep=9"]
)
def test_a_finished_run_stays_finished_however_it_would_be_computed_or_reported(lab: Lab, override: str) -> None:
    outcome = lab.train("run")
    before = contents(lab.path / "run")
    assert lab.train("run", "new", None, override) == outcome
    assert contents(lab.path / "run") == before


def test_tensorboard_can_be_demanded_or_declined(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.train("without", "new", None, "train.tensorboard=false")
    assert not (lab.path / "without" / "tensorboard").exists()
    monkeypatch.setattr(tensorboard, "available", lambda: False)
    lab.train("auto")
    with pytest.raises(MissingExtraError, match="not installed") as error:
        lab.train("with", "new", None, "train.tensorboard=true")
    assert error.value.exit_code == 2
    assert "charrnn[tensorboard]" in str(error.value.hint)
    before = contents(lab.path / "auto")
    with pytest.raises(MissingExtraError):
        lab.train("auto", "force", None, "train.tensorboard=true")
    assert contents(lab.path / "auto") == before


def test_a_kernel_that_does_not_run_here_is_refused_before_anything_is_deleted(
    lab: Lab, scan_library: ScanLibrary
) -> None:
    """On a CPU, installed or not; a dry run says the same."""
    settings = ("model.core={kind: mingru, hidden: 8}", "train.scan=kernel", "train.device=cpu")
    lab.train("run")
    before = contents(lab.path / "run")
    with pytest.raises(ConfigError, match="need a CUDA device") as error:
        lab.train("run", "force", None, *settings)
    assert error.value.where == "train.scan"
    assert contents(lab.path / "run") == before
    loaded = load_config(lab.path / "config.yaml", settings)
    with Console(quiet=True) as console, pytest.raises(ConfigError, match="need a CUDA device"):
        dry_run(loaded, lab.path / "corpora", console, Interrupt())


@pytest.mark.parametrize("setting", ["train.schedule={kind: plateau}", "train.average={kind: nt-asgd}"])
def test_what_waits_for_validations_needs_a_text_for_them(lab: Lab, setting: str) -> None:
    """The laboratory's own schedule is a plateau."""
    with pytest.raises(DataError, match="valid split is empty") as error:
        lab.train("run", "new", None, "corpus.split=[rest, 0, 100]", "train.schedule={kind: constant}", setting)
    assert setting.split("=")[0] in str(error.value.why)
    assert not (lab.path / "run").exists()


def test_a_run_that_is_further_than_it_should_come_is_refused_and_left_as_it_is(lab: Lab) -> None:
    lab.train("run", "new", None, "train.max_steps=20")
    before = (lab.path / "run" / "config.yaml").read_text()
    with pytest.raises(UsageError, match="at step 20 already, beyond the 10"):
        lab.train("run", "resume", None, "train.max_steps=10")
    assert (lab.path / "run" / "config.yaml").read_text() == before


def test_a_study_is_no_place_for_a_run(lab: Lab) -> None:
    (lab.path / "study").mkdir()
    (lab.path / "study" / "study.journal").write_text("")
    for mode in ("new", "resume", "force"):
        with pytest.raises(UsageError, match="holds a study"):
            lab.train("study", mode)
    assert [path.name for path in (lab.path / "study").iterdir()] == ["study.journal"]


def test_a_run_that_goes_on_leaves_no_old_dump_behind(lab: Lab) -> None:
    lab.train("run", "new", None, "train.max_steps=9")
    (lab.path / "run" / "diverged.json").write_text("{}")
    lab.train("run", "resume", None, "train.max_steps=12")
    assert not (lab.path / "run" / "diverged.json").exists()
