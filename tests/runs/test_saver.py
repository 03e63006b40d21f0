from __future__ import annotations

from pathlib import Path

import pytest
import torch
from faultydisk import FaultyDisk

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.checkpoint.write import write_checkpoint
from charrnn.config.schema.train import Save
from charrnn.errors import DiskFullError
from charrnn.runs.folder import RunFolder
from charrnn.runs.saver import RunSaver
from charrnn.train.state import TrainState


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Records:
    count = 0

    def sync(self) -> dict[str, int]:
        return {"metrics.jsonl": self.count}


def make(path: Path, **settings: object) -> tuple[RunSaver, TrainState, Clock]:
    model = torch.nn.Linear(2, 1)
    state = TrainState(model, torch.optim.Adam(model.parameters()), {"h": torch.zeros(1, 2)}, 1)
    clock = Clock()
    path.mkdir(parents=True, exist_ok=True)
    return RunSaver(RunFolder(path), Save.model_validate(settings), {}, Records(), clock), state, clock


def steps(path: Path) -> list[int]:
    return [Checkpoint.open(folder).step for folder in checkpoints(path / "checkpoints")]


def test_due_by_steps_by_epoch_and_by_time(tmp_path: Path) -> None:
    saver, state, clock = make(tmp_path, every=10, minutes=2.0)
    assert [saver.due(step, 7) for step in (0, 7, 10, 20)] == [False, False, True, True]
    saver, _, _ = make(tmp_path, every="epoch")
    assert [saver.due(step, 7) for step in (0, 7, 10, 14)] == [False, True, False, True]
    saver, state, clock = make(tmp_path, every=10, minutes=2.0)
    clock.now = 119.0
    assert not saver.late()
    clock.now = 120.0
    assert saver.late()
    state.step = 3
    saver.save(state)
    assert not saver.late()


def test_the_same_state_is_not_written_twice(tmp_path: Path) -> None:
    saver, state, _ = make(tmp_path)
    state.step = 4
    saver.save(state)
    first = (tmp_path / "checkpoints/step-00000004/manifest.json").stat().st_mtime_ns
    saver.save(state)
    assert (tmp_path / "checkpoints/step-00000004/manifest.json").stat().st_mtime_ns == first
    state.ended = "all steps are done"
    saver.save(state)
    assert Checkpoint.open(tmp_path / "checkpoints/step-00000004").document("train")["ended"] == "all steps are done"


def test_the_best_and_the_latest_are_kept(tmp_path: Path) -> None:
    saver, state, _ = make(tmp_path, keep=2)
    for step, nats in [(1, 3.0), (2, 2.0), (3, 1.0), (4, 2.0), (5, 1.0), (6, 1.5)]:
        state.step = step
        state.history.append({"step": step, "loss": nats})
        saver.save(state)
        assert (tmp_path / "last").read_text() == f"step-{step:08d}\n"
    assert steps(tmp_path) == [3, 5, 6]
    assert (tmp_path / "best").read_text() == "step-00000003\n"


def test_a_kill_between_a_checkpoint_and_its_pointers_is_mended_on_resume(tmp_path: Path) -> None:
    saver, state, _ = make(tmp_path, keep=1)
    state.step = 1
    state.history.append({"step": 1, "loss": 3.0})
    saver.save(state)
    state.step = 2
    state.history.append({"step": 2, "loss": 2.0})
    write_checkpoint(tmp_path / "checkpoints", 2, state.groups(), {"train": state.document()})
    resumed, _, _ = make(tmp_path, keep=1)
    resumed.resumed(state)
    assert [(tmp_path / pointer).read_text() for pointer in ("best", "last")] == ["step-00000002\n"] * 2
    for step in (3, 4, 5):
        state.step = step
        resumed.save(state)
    assert steps(tmp_path) == [2, 5]


def test_without_room_the_next_checkpoint_by_time_is_a_period_away(tmp_path: Path) -> None:
    """Otherwise it would be tried at the very next step, and the run would end there."""
    saver, state, clock = make(tmp_path, every=100, minutes=2.0)
    state.step, clock.now = 3, 120.0
    assert saver.late()
    with FaultyDisk(0).installed(), pytest.raises(DiskFullError):
        saver.save(state)
    assert not saver.late()
    clock.now = 240.0
    assert saver.late()
    saver.save(state)
    assert steps(tmp_path) == [3]


def test_a_disk_that_will_soon_be_full_is_told_once(tmp_path: Path) -> None:
    saver, state, _ = make(tmp_path, keep=2)
    state.step = 1
    saver.save(state)
    size = sum(file.stat().st_size for file in (tmp_path / "checkpoints/step-00000001").iterdir())
    free, said = {"bytes": 10**9}, list[str]()
    watched = RunSaver(saver.folder, saver.settings, {}, Records(), say=said.append, free=lambda folder: free["bytes"])
    # Three more than the one that is there: a second, the best, and the new one before an old one goes.
    free["bytes"] = int(3 * 1.2 * size) + 1
    watched.resumed(state)
    assert said == []
    free["bytes"] = int(3 * 1.2 * size) - 1
    watched.resumed(state)
    assert len(said) == 1
    assert "3 more checkpoints" in said[0]
    assert "train.save.keep" in said[0]
    watched.resumed(state)
    assert len(said) == 1


def test_nothing_is_to_come_after_the_last_checkpoint(tmp_path: Path) -> None:
    _, state, _ = make(tmp_path)
    said = list[str]()
    saver = RunSaver(RunFolder(tmp_path), Save(), {}, Records(), say=said.append, free=lambda folder: 0)
    state.step, state.ended = 1, "all steps are done"
    saver.save(state)
    assert said == []
    state.ended = None
    saver.save(state)
    assert len(said) == 1
