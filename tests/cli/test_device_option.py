"""`--device` of commands that use a model, on a machine without a CUDA device; and what is said where there is one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from bursting import LETTERS, config_for, engines

from charrnn.cli.opened import say_device, say_options
from charrnn.cli.sampled import Wanted, tell
from charrnn.config.schema import Sample
from charrnn.errors import Interrupted
from charrnn.logs.console import Console
from charrnn.runs.use import OpenModel
from charrnn.train.interrupt import Interrupt

if TYPE_CHECKING:
    from conftest import Shell

WANTED = partial(
    Wanted,
    count=1,
    unknown="error",
    odds=None,
    memorized=False,
    memorized_min=None,
    trace=None,
    trace_text=None,
    trace_length=None,
    picture=None,
)


@pytest.fixture(scope="module")
def models() -> list[OpenModel]:
    """The same model in NumPy and on a device."""
    config = config_for({"kind": "lstm"})
    return [
        OpenModel(Path("none"), "a model", config, LETTERS, engine.network, engine.bursts, device)
        for engine, device in zip(engines(config), ("cpu", "cuda:0"), strict=True)
    ]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused_and_auto_does_without(trained: Shell) -> None:
    for command in ("sample", "serve"):
        refused = trained(command, "--device", "cuda", code=2).stderr
        assert "there is no device `cuda` here" in refused
        assert "--device cpu" in refused
        assert "this is no device" in trained(command, "--device", "gpu", code=2).stderr
    plain, auto = trained("sample"), trained("sample", "--device", "auto")
    assert auto.stdout == plain.stdout
    assert "on the CPU, in NumPy" in auto.stderr
    assert "NumPy" not in plain.stderr


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (Sample(length=150, seed="abc"), {}),
        (Sample(length=90, stop=("a",), temperature=2.0), {"count": 4}),
        (Sample(length=30, require=("dog",)), {"odds": 2}),
    ],
    ids=["plain", "stopped", "by-symbols"],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_told_is_what_is_told_in_numpy(
    models: list[OpenModel], options: Sample, wanted: dict[str, Any], as_json: bool
) -> None:
    told = []
    for model in models:
        with redirect_stdout(io.StringIO()) as out, Console(quiet=True) as console:
            tell(model, options, WANTED(**wanted), as_json, console, Interrupt())
        told.append(list(numbers_rounded(json.loads(out.getvalue()))) if as_json else out.getvalue())
    assert told[0] == told[1]


def numbers_rounded(value: Any) -> Iterator[Any]:
    """All that a JSON value holds; probabilities differ in the last digit."""
    if isinstance(value, dict | list):
        for each in value.items() if isinstance(value, dict) else value:
            yield from numbers_rounded(list(each) if isinstance(each, tuple) else each)
    else:
        yield round(value, 9) if isinstance(value, float) else value


class Twice(Interrupt):
    """Ctrl-C after two looks."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def check(self) -> None:
        self.looks += 1
        if self.looks > 2:
            raise Interrupted(2)


def test_ctrl_c_ends_a_text_after_the_burst_that_is_under_way(models: list[OpenModel]) -> None:
    options = Sample(length=10_000)
    with redirect_stdout(io.StringIO()) as out, Console(quiet=True) as console, pytest.raises(Interrupted):
        tell(models[1], options, WANTED(), False, console, Twice())
    assert len(out.getvalue()) == 2 * 64


def test_what_is_said_of_a_device(models: list[OpenModel], capsys: pytest.CaptureFixture[str]) -> None:
    with Console() as console:
        for model in models:
            say_device(model, "cpu" if model.bursts is None else "cuda", console)
            say_options(model, Sample(beam=2), None, console)
            say_options(model, Sample(require=("a",)), 0, console)
            say_options(model, Sample(top_k=2), None, console)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "on cuda:0, 64 symbols at a time",
        "one symbol at a time, because of --beam",
        "one symbol at a time, because of --require and --probabilities",
    ]
