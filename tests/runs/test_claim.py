"""What a refused or forced run leaves of what was there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab import Lab

from charrnn.errors import CharRnnError, CheckpointError, DivergedError, MissingExtraError, UsageError
from charrnn.logs import tensorboard


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


def test_a_validation_that_is_not_a_number_ends_the_run_and_is_never_saved(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from charrnn.train import loop
    from charrnn.train.evaluate import Evaluation, evaluate

    calls: list[int] = []

    def second_is_nan(*arguments: object) -> Evaluation | None:
        calls.append(1)
        return Evaluation(float("nan"), 1, {"lanes": 1}) if len(calls) == 2 else evaluate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "evaluate", second_is_nan)
    with pytest.raises(DivergedError) as error:
        lab.train("run")
    assert error.value.exit_code == 5
    assert [record["step"] for record in lab.records("run") if record["split"] == "valid"] == [11]
    monkeypatch.undo()
    assert lab.train("run", "resume")["ended"] == "all steps are done"
