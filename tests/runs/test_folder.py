from __future__ import annotations

import json
from pathlib import Path

import pytest

from charrnn.checkpoint.write import write_checkpoint
from charrnn.errors import CheckpointError, UsageError
from charrnn.runs.folder import RunFolder, find_checkpoint, newest_run


def run_with(path: Path, *steps: int, time: float = 0.0) -> RunFolder:
    path.mkdir(parents=True)
    for step in steps:
        write_checkpoint(path / "checkpoints", step, {}, {})
    (path / "metrics.jsonl").write_text(json.dumps({"step": 1, "time": time}) + "\n")
    return RunFolder(path)


def test_best_is_preferred_to_last(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", 5, 10)
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        run.preferred()
    run.point("last", run.checkpoints / "step-00000010")
    assert run.preferred()[1] == "last"
    run.point("best", run.checkpoints / "step-00000005")
    checkpoint, which = run.preferred()
    assert (checkpoint.step, which) == (5, "best")


@pytest.mark.parametrize(
    "text", ["../../elsewhere", "/etc", "step-1", "", "step-00000005/..", "\x00", "step-00000005\nx"]
)
def test_a_pointer_names_a_checkpoint_of_this_run_or_is_an_error(tmp_path: Path, text: str) -> None:
    run = run_with(tmp_path / "run", 5)
    (run.path / "best").write_text(text)
    with pytest.raises(CheckpointError) as error:
        run.preferred()
    assert error.value.exit_code == 4


def test_a_pointer_to_a_checkpoint_that_is_gone_offers_another(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", 5)
    (run.path / "best").write_text("step-00000099")
    with pytest.raises(CheckpointError) as error:
        run.preferred()
    assert "step-00000005" in str(error.value.hint)


def test_the_newest_run_is_the_one_with_the_latest_record(tmp_path: Path) -> None:
    run_with(tmp_path / "b", 1, time=200.0)
    run_with(tmp_path / "deep" / "a", 1, time=300.0)
    run_with(tmp_path / "c", 1, time=100.0)
    assert newest_run(tmp_path).path == tmp_path / "deep" / "a"
    with pytest.raises(UsageError, match="no run"):
        newest_run(tmp_path / "c" / "checkpoints")


def test_a_place_may_be_a_run_a_checkpoint_or_nothing(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", 5, 10)
    run.point("last", run.checkpoints / "step-00000010")
    assert find_checkpoint(None, tmp_path)[0].step == 10
    assert find_checkpoint(run.path, tmp_path)[0].step == 10
    assert find_checkpoint(run.checkpoints / "step-00000005", tmp_path)[0].step == 5
    with pytest.raises(UsageError):
        find_checkpoint(tmp_path / "none", tmp_path)
