"""`--device` of commands that use a model: where it is opened, and what is said about that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import common

if TYPE_CHECKING:
    from charrnn.config.schema import Sample
    from charrnn.logs.console import Console
    from charrnn.runs.use import OpenModel

Device = Annotated[
    str,
    typer.Option(
        metavar="cpu|cuda[:N]|auto", help="Where the model runs; on the CPU it starts at once, without torch."
    ),
]


def opened(run: Path | None, device: str) -> OpenModel:
    """The model of a run or a checkpoint, on a device; torch is loaded for any but `cpu`."""
    if device == "cpu":
        from charrnn.runs.use import open_model

        return open_model(run, common.RUNS)
    from charrnn.runs.on_device import open_on

    return open_on(run, common.RUNS, device)


def say_device(model: OpenModel, asked: str, console: Console) -> None:
    """Say where a model runs, unless that is what is usual."""
    if model.bursts is not None:
        console.note(f"on {model.device}, {model.bursts.steps} symbols at a time")
    elif asked != "cpu":
        console.note("there is no CUDA device here: on the CPU, in NumPy")


def say_options(model: OpenModel, options: Sample, odds: int | None, console: Console) -> None:
    """Say for which options a device goes one symbol at a time."""
    if reasons := model.by_symbol(options, odds):
        console.note(f"one symbol at a time, because of {' and '.join(reasons)}")
