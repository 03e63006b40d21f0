import io
import json

import pytest

from charrnn.logs import tensorboard
from charrnn.logs.console import Console
from charrnn.logs.logger import RunLog
from charrnn.logs.record import read_records


@pytest.fixture(autouse=True)
def _no_events(monkeypatch):
    monkeypatch.setattr(tensorboard, "available", lambda: False)


def train(step, nats=2.0):
    return {"step": step, "epoch": step / 10, "split": "train", "nats": nats, "bits_per_char": nats * 1.5}


def valid(step, nats, best):
    return {**train(step, nats), "split": "valid", "lanes": 4, "best": best}


def open_log(folder, positions=None, step=0):
    stream = io.StringIO()
    ticks = iter(range(1000, 2000))
    return RunLog(folder, Console(stream=stream), positions or {}, step, clock=lambda: next(ticks)), stream


def test_a_record_goes_to_the_file_with_its_time_and_to_the_console(tmp_path):
    log, stream = open_log(tmp_path)
    log.log(train(5))
    log.sample(5, "a\nb\x1b[31m")
    log.close()
    assert read_records(tmp_path / "metrics.jsonl") == [{**train(5), "time": 1000}]
    assert read_records(tmp_path / "samples.jsonl") == [{"step": 5, "time": 1001, "text": "a\nb\x1b[31m"}]
    assert stream.getvalue().startswith(
        "step 5  epoch 0.50  2.000 nats  3.000 bits/char\nsample at step 5:\n  | a\n  | b\n"
    )


def test_the_record_is_written_before_anybody_watches(tmp_path):
    log, _ = open_log(tmp_path)

    class Broken(io.StringIO):
        def write(self, text):
            raise RuntimeError("the console is broken")

    log._console._stream = Broken()
    with pytest.raises(RuntimeError):
        log.log(train(5))
    log.close()
    assert len(read_records(tmp_path / "metrics.jsonl")) == 1


def test_a_resumed_run_holds_no_two_lives_of_one_step(tmp_path):
    log, _ = open_log(tmp_path)
    log.log(train(5))
    log.log(valid(5, 1.0, True))
    log.sample(5, "five")
    positions = log.sync()
    log.log(train(10, 9.0))
    log.sample(10, "lost")
    log.close()
    assert positions == {"metrics.jsonl": 2, "samples.jsonl": 1}

    again, _ = open_log(tmp_path, positions, 5)
    again.log(train(10, 1.5))
    assert again.sync() == {"metrics.jsonl": 3, "samples.jsonl": 1}
    again.close()
    assert [(r["step"], r["nats"]) for r in read_records(tmp_path / "metrics.jsonl")] == [(5, 2.0), (5, 1.0), (10, 1.5)]
    assert [r["text"] for r in read_records(tmp_path / "samples.jsonl")] == ["five"]


def test_a_new_run_begins_with_no_records(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(json.dumps(train(5)) + "\n")
    log, _ = open_log(tmp_path)
    log.close()
    assert read_records(tmp_path / "metrics.jsonl") == []


def test_a_resumed_console_remembers_without_repeating(tmp_path):
    log, _ = open_log(tmp_path)
    log.log(train(5))
    log.log(valid(5, 1.0, True))
    positions = log.sync()
    log.close()
    again, stream = open_log(tmp_path, positions, 5)
    assert stream.getvalue() == ""
    assert again._console._standing.best == 1.5
    assert again._console._standing.losses == [2.0]
    again.close()


def test_the_view_ends_with_the_log_so_that_results_can_be_printed(tmp_path):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    stream = Terminal()
    console = Console(stream=stream, environ={"TERM": "xterm"})
    log = RunLog(tmp_path, console, {}, 0)
    console.start(tmp_path, 1, 10, 5, "cpu")
    log.log(train(5))
    log.close()
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l"), "the cursor is back"
    assert "step 5/10" in stream.getvalue()


def test_a_run_that_goes_back_in_its_own_process_drops_what_came_after(tmp_path):
    log, stream = open_log(tmp_path)
    log.log(train(5))
    log.sample(5, "kept")
    positions = log.sync()
    log.log(train(10))
    log.sample(10, "dropped")
    log.rewind(positions, 5)
    log.log(
        {
            "step": 5,
            "epoch": 0.5,
            "split": "guard",
            "what": "3 updates in a row were not finite",
            "rolled_back_from": 12,
        }
    )
    log.log(train(10, 1.5))
    log.close()
    assert [(r["step"], r["split"], r.get("nats")) for r in read_records(tmp_path / "metrics.jsonl")] == [
        (5, "train", 2.0),
        (5, "guard", None),
        (10, "train", 1.5),
    ]
    assert [r["text"] for r in read_records(tmp_path / "samples.jsonl")] == ["kept"]
    told = "at step 12: 3 updates in a row were not finite; going on from step 5 with half the rate"
    assert told in stream.getvalue().splitlines()


def test_skipped_updates_are_said_and_need_no_loss(tmp_path):
    log, stream = open_log(tmp_path)
    log.log({"step": 7, "epoch": 0.7, "split": "train", "skipped": 2})
    log.log(train(9) | {"skipped": 1})
    log.log(train(11) | {"skipped": 0})
    log.close()
    lines = stream.getvalue().splitlines()
    assert lines == [
        "step 7  epoch 0.70  skipped (not finite): 2",
        "step 9  epoch 0.90  2.000 nats  3.000 bits/char  skipped (not finite): 1",
        "step 11  epoch 1.10  2.000 nats  3.000 bits/char",
    ]
