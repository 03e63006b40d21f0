"""Following a run: the file grows, is cut and ends between two looks, by a script of what happens in each pause."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from charrnn.errors import DataError, Interrupted
from charrnn.logs.console import Console
from charrnn.runs.folder import RunFolder
from charrnn.runs.watch import Watch, showable


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def record(step: int, split: str = "train", **more: Any) -> dict[str, Any]:
    return {"step": step, "epoch": step / 100, "split": split, "nats": 2.0, "bits_per_char": 3.0, "time": 1.0, **more}


def append(path: Path, *records: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in records)


class Story:
    """What happens while somebody waits; after the last of it no process works on the run."""

    def __init__(self, *happenings: Callable[[], None]) -> None:
        self.left = list(happenings)

    def pause(self) -> None:
        if self.left:
            self.left.pop(0)()

    def working(self, folder: Path) -> str | None:
        return "process 1 on here" if self.left else None


def follow(folder: Path, *happenings: Callable[[], None], stream: io.StringIO | None = None) -> tuple[str, list[str]]:
    """What is shown, and what is said."""
    out, said, story = stream or io.StringIO(), [], Story(*happenings)
    with Console(stream=out, environ={}) as figures:
        Watch(RunFolder(folder), figures, said.append, story.pause, story.working).follow()
    return out.getvalue(), said


def shown(text: str) -> list[str]:
    return [line.split("  ")[0] for line in text.splitlines()]


def test_records_of_before_and_those_that_come_have_a_line_each(tmp_path: Path) -> None:
    metrics = tmp_path / "run" / "metrics.jsonl"
    append(metrics, record(1), record(2))
    text, said = follow(
        tmp_path / "run", lambda: append(metrics, record(3)), lambda: append(metrics, record(4, "valid"))
    )
    assert shown(text) == ["step 1", "step 2", "step 3", "step 4"]
    assert "validation 2.000 nats" in text.splitlines()[-1]
    assert said == [f"no process works on {tmp_path / 'run'} any more, and it has no checkpoint"]


def test_a_run_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    metrics = tmp_path / "run" / "metrics.jsonl"
    text, said = follow(tmp_path / "run", lambda: None, lambda: append(metrics, record(1)))
    assert shown(text) == ["step 1"]
    assert said[0] == f"waiting for the first record of {tmp_path / 'run'}"
    assert len(said) == 2, "it is said once"


def test_nobody_works_on_a_run_that_never_began_until_somebody_stops_waiting(tmp_path: Path) -> None:
    def stop() -> None:
        raise Interrupted(2)

    story = Story()
    story.pause = stop  # type: ignore[method-assign]
    with pytest.raises(Interrupted), Console(stream=io.StringIO(), environ={}) as figures:
        Watch(RunFolder(tmp_path / "run"), figures, lambda text: None, story.pause, story.working).follow()


def test_what_a_resumed_run_cut_away_is_said_and_what_stands_is_not_told_twice(tmp_path: Path) -> None:
    metrics = tmp_path / "run" / "metrics.jsonl"
    append(metrics, record(1), record(2), record(3))

    def resume() -> None:
        first = metrics.read_bytes().splitlines(keepends=True)[0]
        os.truncate(metrics, len(first))
        append(metrics, record(2, time=2.0), record(3, time=2.0), record(4, time=2.0))

    text, said = follow(tmp_path / "run", resume)
    assert shown(text) == ["step 1", "step 2", "step 3", "step 2", "step 3", "step 4"]
    assert said[0] == "the run goes on from an earlier checkpoint; the first 1 records stand"


def test_a_terminal_shows_the_figures_and_the_latest_sample(tmp_path: Path) -> None:
    metrics, samples = tmp_path / "run" / "metrics.jsonl", tmp_path / "run" / "samples.jsonl"
    append(metrics, record(1), record(2, nats=1.5), record(3, "valid", best=True))
    append(samples, {"step": 1, "text": "early"}, {"step": 3, "text": "the \x1b[31mlatest"})
    text, _ = follow(tmp_path / "run", lambda: None, stream=Terminal())
    assert "3.000 bits/char" in text
    assert "█" in text, "the losses as a row of blocks"
    assert "the latest" in text
    assert "early" not in text


def test_a_terminal_shows_what_still_stands_after_a_cut_and_no_sizes_that_are_not_known(tmp_path: Path) -> None:
    metrics = tmp_path / "run" / "metrics.jsonl"
    append(metrics, record(1), record(2), record(3))

    def cut() -> None:
        os.truncate(metrics, sum(map(len, metrics.read_bytes().splitlines(keepends=True)[:2])))

    text, said = follow(tmp_path / "run", cut, stream=Terminal())
    frames = text.split("\x1b[1mrun")
    assert "step 3" in frames[1]
    assert "step 2" in frames[-1]
    assert "/0" not in text
    assert said[0].startswith("the run goes on from an earlier checkpoint; the first 2 records stand")


def test_nothing_that_a_record_says_steers_a_terminal_or_ends_the_watching(tmp_path: Path) -> None:
    metrics = tmp_path / "run" / "metrics.jsonl"
    hostile = [
        record(1, **{"\x1b[2Jx_per_second": 5.0}),
        record(2, skipped="\x1b]0;title\x07"),
        record(3, "guard", what="\x1b[31mred", rolled_back_from=7),
        record(4, "guard"),
        {"split": "lost"},
        record(5, nats="many"),
        record(6, epoch="\x1b[1m"),
        record(7, "disk", what=["x"]),
        record(8, x_per_second="fast"),
    ]
    append(metrics, *hostile)
    with metrics.open("ab") as file:
        file.write(b"{\n")
    append(metrics, record(9))
    text, said = follow(tmp_path / "run", lambda: None)
    assert "\x1b" not in text
    assert shown(text) == ["step 1", "step 2", "at step 7: red; going on from step 3 with half the rate", "step 9"]
    assert said.count("a line of the records cannot be told, and is passed over") == 7


def test_records_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "run" / "metrics.jsonl").mkdir(parents=True)
    with pytest.raises(DataError, match="cannot read the records"):
        follow(tmp_path / "run", lambda: None)


@pytest.mark.parametrize("names", [("nats",), ("mse", "rmse")])
def test_records_of_all_tasks_can_be_shown(names: Sequence[str]) -> None:
    figures = dict.fromkeys(names, 1.0)
    assert showable({"step": 1, "epoch": 0.5, "split": "train", **figures}) is not None
    assert showable({"step": 1, "epoch": 0.5, "split": "train"}) is None
