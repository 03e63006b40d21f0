from __future__ import annotations

import json
import pickle
import re
import signal
from pathlib import Path

import pytest

from charrnn import errors
from charrnn.errors import (
    CharRnnError,
    CheckpointError,
    ConfigError,
    DataError,
    DeviceError,
    DiskFullError,
    DivergedError,
    Interrupted,
    JobEnds,
    LockedError,
    MissingExtraError,
    OutOfMemoryError,
    PeerError,
    StorageError,
    UsageError,
)

CODES: dict[type[CharRnnError], int] = {
    UsageError: 2,
    ConfigError: 2,
    LockedError: 2,
    MissingExtraError: 2,
    DeviceError: 2,
    DataError: 3,
    CheckpointError: 4,
    DivergedError: 5,
    OutOfMemoryError: 6,
    StorageError: 7,
    DiskFullError: 7,
    PeerError: 8,
}


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_each_error_has_the_exit_code_of_its_family(kind: type[CharRnnError]) -> None:
    error = kind("it broke")
    assert isinstance(error, CharRnnError)
    assert error.exit_code == CODES[kind]
    assert error.as_dict() == {"error": {"exit_code": CODES[kind], "what": "it broke"}}


def test_no_error_is_left_out_of_the_table_above() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CharRnnError)}
    assert kinds - {CharRnnError, Interrupted, JobEnds} == set(CODES)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_program_with_the_code_that_shells_expect(number: signal.Signals, code: int) -> None:
    assert Interrupted(number).exit_code == code


def test_the_end_of_a_job_is_a_sigterm_that_says_why() -> None:
    error = JobEnds("the job ends in 5 s")
    assert (error.exit_code, error.signal_number) == (143, signal.SIGTERM)
    assert error.block() == "error: stopped before the job's time is up\n  why:   the job ends in 5 s"


def test_the_readme_lists_every_exit_code() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Exit codes")[2].partition("\n## ")[0]
    listed = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE) for code in row.split(",")}
    assert listed >= {0, 1, 130, 143, *CODES.values()}


def test_the_block_says_what_where_why_and_what_to_try() -> None:
    error = UsageError("no such run", where=Path("runs/x"), why="it was never trained", hint="charrnn train x.yaml")
    assert error.block() == (
        "error: no such run\n"
        "  where: runs/x\n"
        "  why:   it was never trained\n"
        "  try:   charrnn train x.yaml"
    )  # fmt: skip
    assert str(error) == "no such run"


def test_the_block_leaves_out_what_is_not_known_and_lines_up_what_spans_lines() -> None:
    assert CharRnnError("short").block() == "error: short"
    assert CharRnnError("long", why="one\ntwo").block() == "error: long\n  why:   one\n         two"


def test_the_json_form_leaves_out_what_is_not_known() -> None:
    error = DataError("naïve", where="a.txt:3:1", hint="look")
    assert json.loads(json.dumps(error.as_dict())) == {
        "error": {"exit_code": 3, "what": "naïve", "where": "a.txt:3:1", "try": "look"}
    }


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("two keys are wrong", where="a.yaml:3:1", why="they are", hint="mend them"),
        Interrupted(signal.SIGTERM),
        JobEnds("in a minute"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_the_same_in_another_process(error: CharRnnError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert (again.block(), again.exit_code) == (error.block(), error.exit_code)
