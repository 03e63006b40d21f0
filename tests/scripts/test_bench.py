"""The bench: its arithmetic, what it refuses, every row run small, and the page that is drawn from its record."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import bench
import contests
import numpy as np
import pytest
import recording
import timed
import timings
import torch
import trainers
import training
import webpage
from peers import PlainTorch
from timed import Row

from charrnn.cli.main import app
from charrnn.config.schema.model import GruCore, LstmCore, Network
from charrnn.models.build import build_model
from charrnn.runs.use import open_model
from charrnn.scratch.network import StepNetwork

PAIRS = [(1.0, 10.0), (4.0, 5.0), (3.0, 2.0)]
TINY = contests.Size(hidden=8, embedding=4, characters=5, megabytes=0.1)


def row(unit: str, wanted: float | None) -> Row:
    return Row("ours", "other", unit, contests.start_up, wanted)


def test_the_ratio_is_the_median_of_the_ratios_of_the_rounds_not_the_ratio_of_the_medians() -> None:
    found = bench.record(row("s", 0.5), PAIRS)
    assert (found["ours"]["median"], found["other"]["median"]) == (3.0, 5.0)
    assert found["ratios"] == [0.1, 0.8, 1.5]
    assert found["ratio"] == 0.8


def test_both_sides_run_in_turn_and_the_first_round_is_not_counted() -> None:
    calls = []

    def side(name: str, figures: Iterator[float]) -> contests.Side:
        def once() -> float:
            calls.append(name)
            return next(figures)

        return once

    pairs = bench.rounds_of(side("a", iter([9.0, 1.0, 2.0])), side("b", iter([9.0, 3.0, 4.0])), 2)
    assert calls == ["a", "b"] * 3
    assert pairs == [(1.0, 3.0), (2.0, 4.0)]


@pytest.mark.parametrize(
    ("unit", "wanted", "expected"),
    [
        ("s", 0.81, "below 0.81: met"),
        ("s", 0.8, "below 0.8: **missed**"),
        ("characters/s", 0.8, "at least 0.8: met"),
        ("characters/s", 0.81, "at least 0.81: **missed**"),
        ("s", None, "—"),
    ],
)
def test_seconds_should_be_few_and_characters_many(unit: str, wanted: float | None, expected: str) -> None:
    found = bench.record(row(unit, wanted), PAIRS)
    assert timings.verdict(found) == expected
    assert timings.table({"name": found}).splitlines()[2].endswith(f"| 0.800 (0.100 – 1.50) | {expected} |")


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("onednn", [True, False])
def test_both_sides_compute_the_same_or_are_not_timed(kind: str, onednn: bool) -> None:
    core = {"lstm": LstmCore, "gru": GruCore}[kind](kind=kind, hidden=8, layers=2)
    config = Network(core=core)
    arrays = {name: t.numpy() for name, t in build_model(config, 7, 1, torch.float32).state_dict().items()}
    ours = StepNetwork(config, arrays)
    contests.check_same(ours, PlainTorch(kind, arrays, onednn), 7)
    arrays["layers.1.bias_hh"] = arrays["layers.1.bias_hh"] + np.float32(1e-3)
    with pytest.raises(SystemExit, match="do not compute the same"):
        contests.check_same(ours, PlainTorch(kind, arrays, onednn), 7)
    assert torch.backends.mkldnn.enabled


def test_the_seed_is_not_the_first_character() -> None:
    with pytest.raises(SystemExit, match="exit code 0"):
        contests.seconds_to_draw([sys.executable, "-c", f"print('{contests.SEED}', end='')"])
    with pytest.raises(SystemExit, match="exit code 3"):
        contests.seconds_to_draw([sys.executable, "-c", "print('text'); raise SystemExit(3)"])


def test_a_changed_tree_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True)

    monkeypatch.setattr(recording, "ROOT", tmp_path)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "bench.py").write_text("1")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    (tmp_path / "notes.txt").write_text("no code")
    assert re.fullmatch(r"[0-9a-f]{7,40}", recording.current_commit())
    (tmp_path / "scripts" / "bench.py").write_text("2")
    with pytest.raises(SystemExit, match="commit the code first"):
        recording.current_commit()


def in_this_process(command: list[str], place: Path) -> float:
    """As `training.run`, without the seconds that a process takes to load torch."""
    with contextlib.chdir(place), redirect_stdout(io.StringIO()):
        if command[1] == "-m":
            app(command[3:], standalone_mode=False)
        else:
            trainers.main(*command[2:])
    return 1.0


@pytest.mark.slow
@pytest.mark.long
def test_every_row_runs_with_networks_of_the_size_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "LEARNED", 5.0)
    monkeypatch.setattr(training, "run", in_this_process)
    # Two processes take long to begin; what they time is tested with the plan for a terabyte.
    found = dict(bench.measure([row for row in bench.possible("cpu") if row != "two-processes"], 1, TINY, tmp_path))
    left_out: dict[str, object] = {
        "two-processes": False,
        "page-lstm": webpage.CHROMIUM,
        "train-a-bf16": timed.has_bf16(),
        **dict.fromkeys(timed.ELSEWHERE, os.environ.get(training.PYTHON)),
    }
    assert list(found) == [name for name in bench.ROWS if left_out.get(name, True)]
    assert all(len(one["ratios"]) == 1 and one["ratio"] > 0 for one in found.values())
    assert len(timings.table(found).splitlines()) == 2 + len(found)
    for kind in ("lstm", "gru"):
        model = open_model(tmp_path / kind, tmp_path)
        core, sample = model.config.model.core, model.config.sample
        assert (core.kind, core.hidden, core.layers) == (kind, 8, 2)
        assert (sample.length, sample.temperature) == (5, contests.TEMPERATURE)
        assert f"vocabulary {model.vocabulary.size})" in timed.NETWORK


def test_the_page_is_drawn_from_the_record() -> None:
    records = recording.read(bench.BENCH)
    assert bench.PAGE.read_text(encoding="utf-8") == timings.page(records), "scripts/bench.py --draw"
    assert list(records) == [name for name in bench.ORDER if name in records]
    for name, record in records.items():
        assert re.fullmatch(r"[0-9a-f]{7,40}", record["commit"]), name
        assert (record["threads"], record["processor"] != "", record["torch"] != "") == (1, True, True), name
        row = bench.ROWS[name.removesuffix(bench.ON_CUDA)]
        wanted = timed.WANTED_ON_CUDA.get(name.removesuffix(bench.ON_CUDA)) if bench.ON_CUDA in name else row.wanted
        assert (record["ours"]["what"], record["wanted"]) == (row.ours, wanted), name


def test_a_peer_that_learns_something_else_is_not_timed() -> None:
    training.check_same("torch", [4.0, 3.0], [4.005, 2.995])
    with pytest.raises(SystemExit, match="do not compute the same"):
        training.check_same("torch", [4.0, 3.0], [4.0, 3.02])
    with pytest.raises(SystemExit, match="do not compute the same"):
        training.check_same("torch", [4.0, 3.0], [4.0, float("nan")])


def test_what_is_timed_has_one_core(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    seen = "import os; print(len(os.sched_getaffinity(0)), file=open('seen', 'w'))"
    assert training.run([sys.executable, "-c", seen], tmp_path) > 0.0
    assert (tmp_path / "seen").read_text() == "1\n"
    assert os.sched_getaffinity(0) == before
    with pytest.raises(SystemExit, match="exit code 3"):
        training.run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)


def test_what_has_not_learned_is_not_timed() -> None:
    training.check_learned(training.LEARNED)
    with pytest.raises(SystemExit, match="should be"):
        training.check_learned(float("nan"))


def test_rows_of_a_gpu_have_names_and_goals_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = iter([1.0] * 8)
    monkeypatch.setitem(
        bench.ROWS, "train-a", replace(bench.ROWS["train-a"], contest=lambda folder, size: (lambda: next(sides),) * 2)
    )
    ((name, found),) = bench.measure(["train-a"], 1, replace(TINY, device="cuda"), Path())
    assert (name, found["wanted"]) == ("train-a-cuda", 3.0)
    assert name in bench.ORDER
