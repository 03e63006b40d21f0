import builtins
import errno
import io
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from charrnn.errors import StorageError
from charrnn.logs import tensorboard
from charrnn.logs.console import Console
from charrnn.logs.logger import RunLog
from charrnn.logs.record import read_records

pytest.importorskip("tensorboard")


def scalars(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(folder), purge_orphaned_data=True)
        events.Reload()
        series = {}
        for tag in events.Tags()["tensors"] + events.Tags()["scalars"]:
            series[tag] = [(event.step, event.value) for event in events.Scalars(tag)]
        return series


def record(step, nats, split="train"):
    return {"step": step, "epoch": 0.5, "split": split, "time": 1e9 + step, "nats": nats, "best": True}


def write(folder, step, *records):
    sink = tensorboard.TensorBoard(folder, step, 1e9)
    for entry in records:
        sink.log(entry)
    sink.close()


def test_the_numbers_of_a_record_become_scalars(tmp_path):
    write(tmp_path / "tb", 0, record(1, 2.5), record(2, 1.5), record(2, 1.25, "valid"))
    assert scalars(tmp_path / "tb") == {
        "train/nats": [(1, 2.5), (2, 1.5)],
        "train/epoch": [(1, 0.5), (2, 0.5)],
        "valid/nats": [(2, 1.25)],
        "valid/epoch": [(2, 0.5)],
    }


def test_resuming_purges_what_an_earlier_life_wrote_beyond_the_step(tmp_path):
    write(tmp_path, 0, record(1, 4.0), record(2, 3.0), record(3, 9.0), record(4, 9.0))
    write(tmp_path, 2, record(3, 2.0))
    assert scalars(tmp_path)["train/nats"] == [(1, 4.0), (2, 3.0), (3, 2.0)]


def test_starting_over_purges_everything(tmp_path):
    write(tmp_path, 0, record(1, 9.0), record(2, 9.0))
    write(tmp_path, 0, record(1, 4.0))
    assert scalars(tmp_path)["train/nats"] == [(1, 4.0)]


def test_events_can_be_read_while_the_run_goes_on(tmp_path):
    sink = tensorboard.TensorBoard(tmp_path, 0, 1e9)
    sink.log(record(1, 4.0))
    sink.sync()
    assert scalars(tmp_path)["train/nats"] == [(1, 4.0)]
    sink.close()


@pytest.mark.faults
def test_a_disk_that_refuses_is_a_storage_error(tmp_path, monkeypatch):
    sink = tensorboard.TensorBoard(tmp_path, 0, 1e9)

    def refuse(event):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sink._writer, "add_event", refuse)
    with pytest.raises(StorageError):
        sink.log(record(1, 4.0))
    sink.close()


def test_a_run_log_writes_events(tmp_path):
    log = RunLog(tmp_path, Console(quiet=True), {}, 0)
    log.log({"step": 5, "epoch": 0.1, "split": "train", "nats": 2.0})
    log.close()
    assert scalars(tmp_path / "tensorboard")["train/nats"] == [(5, 2.0)]


def test_without_the_extra_nothing_is_written_and_nothing_fails(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("tensorboard"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(builtins, "__import__", without)
    log = RunLog(tmp_path, Console(quiet=True), {}, 0)
    log.log({"step": 5, "epoch": 0.1, "split": "train", "nats": 2.0})
    assert log.sync() == {"metrics.jsonl": 1, "samples.jsonl": 0}
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.jsonl", "samples.jsonl"]


def test_it_is_loaded_only_when_it_writes_and_never_with_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path; from charrnn.logs import logger, tensorboard as t; t.available();"
        "early = {'tensorboard', 'torch', 'rich'} & set(sys.modules);"
        f"t.TensorBoard(Path({str(tmp_path)!r}), 0, 0.0).close();"
        "sys.exit(', '.join(early | {'torch'} & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_that_goes_back_purges_its_own_events(tmp_path):
    log = RunLog(tmp_path, Console(quiet=True), {}, 0, True)
    log.log({"step": 5, "epoch": 0.5, "split": "train", "nats": 2.0})
    positions = log.sync()
    log.log({"step": 10, "epoch": 1.0, "split": "train", "nats": 9.0})
    log.rewind(positions, 5)
    log.log({"step": 10, "epoch": 1.0, "split": "train", "nats": 1.5})
    log.close()
    assert scalars(tmp_path / "tensorboard")["train/nats"] == [(5, 2.0), (10, 1.5)]


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["log", "sync", "close"])
def test_on_a_full_disk_the_events_end_aloud_and_the_figures_go_on(tmp_path, monkeypatch, moment):
    stream = io.StringIO()
    log = RunLog(tmp_path, Console(stream=stream), {}, 0, True)
    log.log({"step": 1, "epoch": 0.1, "split": "train", "nats": 2.0})
    log.sync()
    refused = {"log": "add_event", "sync": "flush", "close": "close"}[moment]

    def refuse(*event):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(log._events._writer, refused, refuse)
    for step in (2, 3):
        log.log({"step": step, "epoch": 0.1, "split": "train", "nats": 2.0})
        log.sync()
    log.close()
    assert [record["step"] for record in read_records(tmp_path / "metrics.jsonl")] == [1, 2, 3]
    assert stream.getvalue().count("TensorBoard's events") == 1
    assert scalars(tmp_path / "tensorboard")["train/nats"][0] == (1, 2.0)
