"""`charrnn runs`: what every run has come to, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli import common

if TYPE_CHECKING:
    from charrnn.runs.overview import Overview

_HEADS = ("run", "task", "state", "steps", "epochs", "best", "at step", "latest record")


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to look; default: runs/.")] = common.RUNS,
    inside: Annotated[
        bool, typer.Option("--all", help="Also list the runs inside studies and rounds of pseudo-labels.")
    ] = False,
    as_json: common.Json = False,
) -> None:
    """List the runs below a folder, the one with the latest record first, with their best validation figures.

    A run is running, finished, resumable (it was stopped), diverged or damaged; `charrnn doctor` says how to mend it.
    """
    from charrnn.runs.overview import overviews

    found = overviews(folder, inside)
    if as_json:
        common.write_json({"folder": str(folder), "runs": [_told(one) for one in found]})
    elif found:
        common.write("".join(f"{line}\n" for line in _lines([_row(one, folder) for one in found])))
    else:
        from charrnn.logs.console import Console

        Console().note(f"there is no run below {folder}")
    for one in found if not as_json else ():
        if one.state == "damaged":
            from charrnn.logs.console import Console

            Console().note(f"damaged: {one.why}; charrnn doctor {one.path} says more")


def _told(one: Overview) -> dict[str, Any]:
    best = None if one.best is None else asdict(one.best)
    return {**asdict(one), "path": str(one.path), "best": best}


def _row(one: Overview, folder: Path) -> tuple[str, ...]:
    name = "." if one.path == folder else str(one.path.relative_to(folder))
    if one.kind != "run":
        state = f"{one.kind} of {one.runs} runs" + (", running" if one.state == "running" else "")
        return name, one.task or "–", state, "", "", "", "", _date(one.time)
    steps = "" if one.step is None else f"{one.step:,}" + (f"/{one.steps:,}" if one.steps else "")
    epochs = "" if one.epoch is None else f"{one.epoch:.1f}"
    best, at = ("–", "") if one.best is None else (f"{one.best.value:.4f} {one.best.unit}", f"{one.best.step:,}")
    return name, one.task or "–", str(one.state), steps, epochs, best, at, _date(one.time)


def _date(time: float | None) -> str:
    """Local time; a clock that was far off is no reason to end."""
    try:
        return "–" if time is None else datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return "–"


def _lines(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns; names lose what could break a line."""
    from charrnn.config.tree import one_line

    shown = [_HEADS, *(tuple(one_line(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
