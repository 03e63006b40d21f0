from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab

from charrnn.errors import CheckpointError, DataError, UsageError
from charrnn.files.lock import at_work, folder_lock
from charrnn.runs.folder import RunFolder
from charrnn.runs.overview import Overview, overview, overviews
from charrnn.runs.places import chosen_run, place_of


def state(lab: Lab, name: str) -> Overview:
    return overview(RunFolder(lab.path / name))


def test_a_finished_run_tells_its_best_in_what_users_compare(lab: Lab) -> None:
    lab.train("run")
    found = state(lab, "run")
    valid = [r for r in lab.records("run") if r["split"] == "valid"]
    best = min(valid, key=lambda r: r["nats"])
    assert (found.kind, found.state, found.why, found.task) == ("run", "finished", "all steps are done", "language")
    assert found.best is not None
    assert (found.best.value, found.best.step) == (best["bits_per_char"], best["step"])
    assert (found.best.figure, found.best.unit) == ("bits_per_char", "bits/char")
    assert found.step == found.steps == lab.records("run")[-1]["step"]
    assert found.epoch == 4.0


def test_a_stopped_run_is_resumable_and_running_while_somebody_works_on_it(lab: Lab) -> None:
    lab.stopped("run", 30)
    found = state(lab, "run")
    assert (found.state, found.why) == ("resumable", None)
    assert found.step is not None
    assert found.steps is not None
    assert found.step < found.steps
    with folder_lock(lab.path / "run"):
        assert state(lab, "run").state == "running"
    (lab.path / "run" / "diverged.json").write_text("{}")
    assert state(lab, "run").state == "diverged"


@pytest.mark.parametrize("damage", ["model", "manifest", "pointer", "last pointer", "records"])
def test_damage_is_told_and_not_raised(lab: Lab, damage: str) -> None:
    lab.train("run", "new", None, "train.max_steps=12")
    run = RunFolder(lab.path / "run")
    folder = run.pointed("last")
    assert folder is not None
    if damage == "model":
        os.truncate(folder / "model.safetensors", 20)
    elif damage == "manifest":
        (folder / "manifest.json").write_text("{")
    elif damage == "pointer":
        (run.path / "best").write_text("../elsewhere")
    elif damage == "last pointer":
        (run.path / "last").write_text("step-00000999")
    else:
        run.metrics.write_text("nonsense\n")
    (found,) = overviews(lab.path)
    assert found.state == "damaged"
    assert found.why
    assert str(run.path) in found.why


def test_half_a_first_record_is_what_a_kill_leaves_and_no_damage(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 1')
    (found,) = overviews(tmp_path)
    assert (found.state, found.step, found.best) == ("resumable", 0, None)


def test_runs_come_by_their_latest_record_and_those_of_rounds_only_if_asked(tmp_path: Path) -> None:
    for name, time in (("old", 1.0), ("new", 3.0), ("rounds/seed-1/run", 2.0), ("rounds/seed-2/run", 4.0)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "metrics.jsonl").write_text(json.dumps({"step": 5, "epoch": 1.0, "time": time}) + "\n")
    (tmp_path / "rounds" / "pseudolabel.json").write_text("{}")
    found = overviews(tmp_path)
    assert [(str(one.path.relative_to(tmp_path)), one.kind) for one in found] == [
        ("rounds", "rounds"),
        ("new", "run"),
        ("old", "run"),
    ]
    assert found[0].runs == 2
    assert [one.time for one in overviews(tmp_path, inside=True)] == [4.0, 4.0, 3.0, 2.0, 1.0]
    with pytest.raises(UsageError, match="no such folder"):
        overviews(tmp_path / "elsewhere")


def test_to_look_never_locks_out_who_begins_where_the_former_owner_is_dead(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with folder_lock(tmp_path):
        named = (tmp_path / ".lock").read_text()
        assert at_work(tmp_path) == named.strip()
        # A new owner has the lock and has not yet put its name in the place of the dead one's: nothing was tried.
        (tmp_path / ".lock").write_text(named.replace(str(os.getpid()), str(child.pid)))
        assert at_work(tmp_path) is None
    (tmp_path / ".lock").write_text("process 1 on another-machine\n")
    assert at_work(tmp_path) is None
    assert at_work(tmp_path / "elsewhere") is None


def test_places_of_a_run_for_scripts(lab: Lab) -> None:
    lab.train("run", "new", None, "train.max_steps=12")
    run = chosen_run(lab.path / "run", lab.path)
    assert chosen_run(None, lab.path).path == run.path
    best, last = (run.checkpoints / (run.path / name).read_text().strip() for name in ("best", "last"))
    corpora = lab.path / "corpora"
    assert place_of("best", run, corpora) == best
    assert place_of("last", run, corpora) == last
    assert place_of("run", run, corpora) == run.path
    assert place_of("config", run, corpora) == run.config
    assert place_of("corpus", run, corpora) == next(corpora.iterdir())
    with pytest.raises(DataError, match="not prepared here"):
        place_of("corpus", run, lab.path / "elsewhere")
    run.unpoint("best")
    with pytest.raises(CheckpointError, match="no `best` checkpoint") as error:
        place_of("best", run, corpora)
    assert error.value.hint == f"charrnn path last {run.path}"
    run.config.unlink()
    with pytest.raises(UsageError, match="no config"):
        place_of("config", run, corpora)
    with pytest.raises(UsageError, match="holds no run"):
        chosen_run(corpora, lab.path)
