"""`charrnn find-lr`: which learning rate suits a config."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import common
from charrnn.errors import MissingExtraError

if TYPE_CHECKING:
    from charrnn.config.schema import Config
    from charrnn.logs.console import Console
    from charrnn.tune.range_test import RangeTest

_ROWS_PER_DECADE = 4


def find_lr(
    path: common.ConfigFile,
    low: Annotated[float, typer.Option(help="The first rate.")] = 1e-6,
    high: Annotated[float, typer.Option(help="The last rate.")] = 10.0,
    steps: Annotated[int, typer.Option(help="Steps from the first rate to the last.")] = 200,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg|png", help="The picture; default: <config name>-find-lr.svg."),
    ] = None,
    overrides: common.Overrides = None,
    device: common.Device = None,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Train for a moment with a growing rate, show the loss at each, and suggest a rate to train with.

    Prints a table and the suggestion, and draws a picture; nothing else is written but the corpus.
    """
    from charrnn.logs.console import Console
    from charrnn.train.interrupt import listening

    with Console(quiet=quiet) as console, listening() as interrupt:
        loaded = common.load(path, common.on_device(overrides, device), console)
        target = _target(picture, loaded.name, console)  # refused before the work, not after it
        from charrnn.tune.range_test import range_test

        test = range_test(loaded, common.CORPORA, console, interrupt, low, high, steps)
        if target is not None:
            _draw(target, loaded.name, test, _figure(loaded.config, " per "))
            console.note(f"the picture is {target}")
        if loaded.config.train.optimizer.kind in ("eve", "adagrad"):
            console.note(
                f"{loaded.config.train.optimizer.kind} changes its own rates in the course of thousands of updates: "
                "a test of a few hundred says less about it than about other optimizers"
            )
        if test.suggestion < test.rates[0]:
            console.note("the suggestion lies below the rates that were tested: test lower ones with --low")
        if test.still_falling:
            console.note(f"the loss falls up to the last rate, so the suggestion may be too low: {test.ended}")
    if as_json:
        told = asdict(test)
        told[loaded.config.FIGURES[0]] = told.pop("losses")
        common.write_json({**told, "picture": None if target is None else str(target)})
        return
    common.write(f"      rate  {_figure(loaded.config, '/'):>10}\n")
    remarks = {test.rates.index(test.lowest): "  lowest"}
    if test.suggestion >= test.rates[0]:
        remarks[_nearest(test, test.suggestion)] = "  suggested"
    for i in sorted({*_shown(test.rates), *remarks}):
        common.write(f"{test.rates[i]:10.2g}  {test.smooth[i]:10.4f}{remarks.get(i, '')}\n")
    common.write(f"{test.ended}\nsuggested: --set train.optimizer.lr={test.suggestion:g}\n")


def _target(asked: Path | None, name: str, console: Console) -> Path | None:
    """Where the picture goes; a picture that nobody asked for is not drawn where its extra is missing."""
    from charrnn.report.picture import check_picture

    target = asked or Path(f"{name}-find-lr.svg")
    try:
        check_picture(target)
    except MissingExtraError as error:
        if asked is not None:
            raise
        console.note(f"no picture: {error.what} ({error.hint})")
        return None
    return target


def _figure(config: Config, per: str) -> str:
    """What the loss is called; that of a language model says what it is a mean over."""
    return f"{config.FIGURES[0]}{per}token" if config.task == "language" else config.FIGURES[0]


def _draw(path: Path, name: str, test: RangeTest, figure: str) -> None:
    from charrnn.report.plots import Line, Mark, line_chart

    line_chart(
        path,
        [Line("each step", test.rates, test.losses), Line("smoothed", test.rates, test.smooth)],
        title=f"{name}: loss while the learning rate grows",
        x_label="learning rate",
        y_label=figure,
        log_x=True,
        marks=[Mark(f"suggested {test.suggestion:g}", test.suggestion), Mark("lowest", test.lowest)],
    )


def _shown(rates: Sequence[float]) -> list[int]:
    """Rows enough to read: the first rate of each quarter of a decade, and the last."""
    quarter = [math.floor(_ROWS_PER_DECADE * math.log10(rate)) for rate in rates]
    rows = [i for i in range(len(rates)) if i == 0 or quarter[i] != quarter[i - 1]]
    return rows if rows[-1] == len(rates) - 1 else [*rows, len(rates) - 1]


def _nearest(test: RangeTest, rate: float) -> int:
    return min(range(len(test.rates)), key=lambda i: abs(math.log(test.rates[i] / rate)))
