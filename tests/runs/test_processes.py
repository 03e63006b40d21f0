"""Several processes that train one run come to what one process comes to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES, close, furnish, prepared
from company import start, together
from nursery import Nursery

from charrnn.checkpoint.layout import TENSORS, checkpoints
from charrnn.checkpoint.read import Checkpoint

CONFIG = """\
corpus: {source: text.txt, split: [0.7, 0.2, 0.1]}
stream: {lanes: 12, chunk: 7, reset_chance: 0.1}
model:
  input: {size: 6, batchnorm: true, dropout: 0.1}
  core: {hidden: 8, layers: 2, dropout: 0.2, recurrent_dropout: 0.3, initial_state: trained}
  head: {hidden: [7], dropout: 0.2}
train: {precision: fp64, max_steps: 50, clip_norm: 0.5, log_every: 1, save: {every: 10, keep: 50}, tensorboard: false}
evaluate: {lanes: 5, chunk: 16, every: 25}
sample: {seed: "abc", length: 20}
"""
TRAIN = ("train", "config.yaml")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    furnish(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def trained(processes: Nursery, place: Path, size: int, *more: str, code: int = 0) -> Path:
    """A run by so many processes."""
    folder = place / f"run-{size}"
    ends = together(processes, place, size, *TRAIN, "--out", str(folder), *more)
    assert [end.code for end in ends] == [code] * size, [end.err for end in ends]
    assert [end.out for end in ends[1:]] == [""] * (size - 1)
    assert [end.err for end in ends[1:]] == [""] * (size - 1)
    return folder


def records(run: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [{k: v for k, v in line.items() if k != "time" and not k.endswith("per_second")} for line in lines]


def same(one: Path, other: Path, digits: float = 1e-12) -> None:
    """Two runs have the same records, in the same order, and the same last checkpoint."""
    ours, theirs = records(one), records(other)
    assert [record.keys() for record in ours] == [record.keys() for record in theirs]
    for record, like in zip(ours, theirs, strict=True):
        for key, value in record.items():
            if isinstance(value, float) or key == "positions":
                assert like[key] == pytest.approx(value, rel=digits, abs=digits), (record["step"], key)
            else:
                assert like[key] == value, (record["step"], key)
    last, like_last = (Checkpoint.open(checkpoints(run / "checkpoints")[-1]) for run in (one, other))
    assert list(last.files) == list(like_last.files)
    for group in (name.removesuffix(TENSORS) for name in last.files if name.endswith(TENSORS)):
        arrays, like_arrays = last.tensors(group), like_last.tensors(group)
        assert list(arrays) == list(like_arrays)
        for name, array in arrays.items():
            close(array, like_arrays[name], f"{group} {name}", 1e3 * digits)


@pytest.mark.parametrize("size", [2, 4])
def test_so_many_processes_are_one(processes: Nursery, place: Path, size: int) -> None:
    """Fifty updates with dropout and BatchNorm: every figure of training and validation, and all that is saved."""
    same(trained(processes, place, 1), trained(processes, place, size))


ROWS = {"lstm": 5, "mixed": 10, "windows": 8, "classify": 10, "factors": 10, "histories": 10, "skip-gram": 5}


@pytest.mark.parametrize("name", ROWS)
def test_every_kind_of_batch_is_shared(processes: Nursery, place: Path, name: str) -> None:
    """In two processes, or in five, whose rows may be of a share alone."""
    prepared(place, name)
    more = [*(f"--set={override}" for override in CASES[name][1]), "--set=train.max_steps=6", "--set=train.log_every=1"]
    more += ["--set=stream.batch=8"] if name == "windows" else []
    size = next(count for count in range(2, ROWS[name] + 1) if ROWS[name] % count == 0)
    same(trained(processes, place, 1, *more), trained(processes, place, size, *more))


def test_parts_within_processes(processes: Nursery, place: Path) -> None:
    """The rows of each of two processes in parts."""
    more = ("--set=model.input.batchnorm=false", "--set=train.max_steps=12")
    same(trained(processes, place, 1, *more), trained(processes, place, 2, *more, "--set=train.micro_batches=4"))


def test_a_corpus_in_parts_is_shared(processes: Nursery, place: Path) -> None:
    """Each of two processes reads its lanes from the parts that they lie in."""
    one = trained(processes, place, 1)
    shutil.rmtree(place / "corpora")
    two = trained(processes, place, 2, "--set=corpus.part_bytes=64")
    assert len(list(place.glob("corpora/*/tokens-*.bin"))) > 2
    same(one, two)


def test_a_run_goes_on_with_another_number_of_processes(processes: Nursery, place: Path) -> None:
    """Stopped on 4 it goes on with 2, with 1 and with 3, through the same batches, states and validations."""
    whole = trained(processes, place, 1)
    folder = place / "run"
    for size, end in ((4, 13), (2, 24), (1, 37), (3, None)):
        environ = {} if end is None else {"CHARRNN_TEST_STOP": str(end)}
        begun = [*TRAIN, "--out", str(folder), "--resume"]
        ends = stopping(processes, place, size, begun, environ)
        assert [each.code for each in ends] == [0 if end is None else 143] * size, [each.err for each in ends]
    same(whole, folder)


def stopping(processes: Nursery, place: Path, size: int, arguments: list[str], environ: dict[str, str]) -> list[Any]:
    """The program in so many processes, of which the last one gets a SIGTERM in front of a certain step."""
    if size == 1:
        return [processes.run("company:charrnn_stopping", place, *arguments, **environ)]
    children = start(processes, place, size, "company:charrnn_stopping", *arguments, **environ)
    return [child.wait() for child in children]


def test_a_signal_to_any_process_saves_once(processes: Nursery, place: Path) -> None:
    ends = stopping(processes, place, 2, [*TRAIN, "--out", "run", "--json"], {"CHARRNN_TEST_STOP": "23"})
    assert [end.code for end in ends] == [128 + signal.SIGTERM] * 2
    told = json.loads(ends[0].out)
    assert (told["resumable"], told["signal"], told["step"]) == (True, signal.SIGTERM, 23)
    assert ends[1].out == ends[1].err == ""
    kept = [Checkpoint.open(folder).step for folder in checkpoints(place / "run/checkpoints")]
    assert kept == [10, 20, 23]
    lanes = Checkpoint.open(place / "run/checkpoints/step-00000023").tensors("lanes")
    assert [len(array) for array in lanes.values()] == [12] * 4


def test_rows_that_cannot_be_shared_are_refused_once(processes: Nursery, place: Path) -> None:
    ends = together(processes, place, 5, *TRAIN, "--out", "run")
    assert [end.code for end in ends] == [2] * 5
    assert "12 rows of a batch cannot be shared equally by 5 processes" in ends[0].err
    assert "1, 2, 3, 4, 6, 12" in ends[0].err
    assert [end.err for end in ends[1:]] == [""] * 4
    assert not (place / "run").exists()


def test_a_finished_run_is_left_alone_by_all(processes: Nursery, place: Path) -> None:
    told = []
    for _ in range(2):
        ends = together(processes, place, 2, *TRAIN, "--out", "run", "--resume", "--json", "--set=train.max_steps=26")
        assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
        told.append(json.loads(ends[0].out))
    assert told[0] == told[1]
    assert told[0]["best"]["step"] == 26
    assert "nothing to do: the run in run is finished" in ends[0].err


def test_what_is_wrong_for_one_process_is_wrong_for_all(processes: Nursery, place: Path) -> None:
    trained(processes, place, 1, "--set=train.max_steps=2")
    ends = together(processes, place, 2, *TRAIN, "--out", "run-1", "--resume", "--set=model.core.hidden=9")
    assert [end.code for end in ends] == [2, 2]
    assert "model.core.hidden" in ends[0].err
    assert ends[1].err == ""


def test_an_explosion_is_gone_back_from_together(processes: Nursery, place: Path) -> None:
    """Both processes skip, go back to the last good checkpoint, halve the rate, and go on alike."""
    more = ("--set=train.optimizer={kind: sgd, lr: 0.1}", "--set=train.guard.skips=2")
    environ = {"CHARRNN_TEST_NAN": "22"}
    for size in (1, 2):
        arguments = [*TRAIN, "--out", str(place / f"run-{size}"), *more]
        ends = stopping(processes, place, size, arguments, environ)
        assert [end.code for end in ends] == [0] * size, [end.err for end in ends]
    assert [record["split"] for record in records(place / "run-1")].count("guard") == 1
    same(place / "run-1", place / "run-2")


def test_the_state_of_all_lanes_is_in_their_order(processes: Nursery, place: Path) -> None:
    one, two = (trained(processes, place, size, "--set=train.max_steps=3") for size in (1, 2))
    (state, other) = (Checkpoint.open(run / "checkpoints/step-00000003").tensors("lanes") for run in (one, two))
    assert list(state) == list(other)
    for name, array in state.items():
        assert len({row.tobytes() for row in np.round(array, 9)}) == 12  # rows differ, so an exchange would be seen
        close(array, other[name], name)


def test_only_training_is_shared(processes: Nursery, place: Path) -> None:
    ends = together(processes, place, 2, "find-lr", "config.yaml")
    assert [end.code for end in ends] == [2, 2]
    assert "`charrnn find-lr` is for one process" in ends[0].err


@pytest.mark.slow
def test_torchrun_as_it_is_typed_and_its_restart_goes_on(place: Path) -> None:
    """One process dies at its first life's 23rd step; torchrun starts both again, and they go on by themselves."""
    script = "import company, os, sys; os.environ['CHARRNN_TEST_DEATH'] = '23'; company.charrnn_stopping(*sys.argv[1:])"
    (place / "typed.py").write_text(script, encoding="utf-8")
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for name, more in (("whole", ["-m", "charrnn"]), ("broken", ["--max-restarts=1", "typed.py"])):
        typed = [*command, *more, *TRAIN, "--out", name]
        done = subprocess.run(typed, cwd=place, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{name}\n"
    assert "another process of this run is gone" in done.stderr
    same(place / "whole", place / "broken", 0.0)
