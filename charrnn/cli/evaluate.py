"""`charrnn evaluate`: what a trained model loses on a split of its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from charrnn.cli import common
from charrnn.errors import UsageError

_FEW = 10
_FIGURES = ("nats", "bits_per_char", "bits_per_byte", "perplexity")


def evaluate(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run or a checkpoint; default: the newest run in runs/."),
    ] = None,
    split: Annotated[Literal["valid", "test", "train"], typer.Option(help="The split to score.")] = "valid",
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="Also let a copy of the weights learn from what it has just predicted.")
    ] = False,
    positions: Annotated[
        int | None,
        typer.Option(min=1, help="Positions after a cold start whose losses are reported; default: 64, or a window's."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the loss at each position into this file (needs the extra `plots`).")
    ] = None,
    config: common.RunConfig = None,
    overrides: common.Overrides = None,
    device: common.Device = None,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Score the best checkpoint of a run on a split: nats, bits, perplexity, and the loss position by position; of
    ratings RMSE and MAE.

    The figures for `valid` are those that training recorded. A model is chosen by them, so report `test`.
    """
    from charrnn.logs.console import Console
    from charrnn.runs.folder import config_beside, find_checkpoint
    from charrnn.train.interrupt import listening

    if picture is not None:
        from charrnn.report.picture import check_picture

        check_picture(picture)
    settings = common.on_device(overrides, device)
    with Console(quiet=quiet) as console, listening() as interrupt:
        checkpoint, which = find_checkpoint(run, common.RUNS)
        loaded = common.load(config or config_beside(checkpoint), settings, console)
        console.note(f"evaluating {checkpoint.folder} ({which})")
        if loaded.config.task != "language":
            _refuse(dynamic=dynamic, positions=positions, picture=picture)
            from charrnn.runs.score import score_run

            figures = score_run(checkpoint, loaded, split, common.CORPORA, console, interrupt)
        else:
            from charrnn.runs.evaluate import Wanted, evaluate_run

            wanted = Wanted(split, positions, dynamic)
            result = evaluate_run(checkpoint, loaded, wanted, common.CORPORA, console, interrupt)
    if loaded.config.task != "language":
        _tell(figures, as_json)
        return
    if picture is not None:
        _draw(picture, result)
    if as_json:
        common.write_json(result)
    else:
        common.write("".join(f"{line}\n" for line in _table(result)))


def _refuse(**asked: object) -> None:
    """Refuse the options that look at a text position by position."""
    given = [f"--{name}" for name, value in asked.items() if value]
    if given:
        raise UsageError(f"{' and '.join(given)}: for language models only", hint="leave it out")


def _tell(figures: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        common.write_json(dict(figures))
        return
    for name, value in figures.items():
        if isinstance(value, int | float | str):
            shown = f"{value:.4f}" if isinstance(value, float) else value
            common.write(f"{name.replace('_', ' ')}: {shown}\n")


def _draw(path: Path, result: Mapping[str, Any]) -> None:
    from charrnn.report.plots import Line, line_chart

    positions = result["positions"]
    places = range(1, len(positions["nats"]) + 1)
    line_chart(
        path,
        [Line("", places, positions["nats"])],
        title=f"{result['split']}: loss after a cold start",
        x_label="position k, in tokens after the cold start",
        y_label="mean nats at position k",
        log_x=len(places) > _FEW,
    )


def _table(result: Mapping[str, Any]) -> Iterator[str]:
    told = " (the text that it was trained on)" if result["training_text"] else ""
    yield f"{result['split']}{told}, {result['tokens']} tokens"
    yield f"{_how(result):>23}  nats/token  bits/char  bits/byte  perplexity"
    yield _row("static", result)
    dynamic = result["dynamic"]
    if dynamic is not None:
        yield _row("static", dynamic["static"])
        yield _row(f"dynamic ({dynamic['settings']['kind']})", dynamic)
        gain = dynamic["gain"]
        yield f"{'gain':<23}  {gain['nats']:10.4f}  {gain['bits_per_char']:9.4f}  {gain['bits_per_byte']:9.4f}"
    positions = result["positions"]
    yield ""
    yield f"{positions['figure']} (windows of {positions['window']} tokens)"
    for position in _powers(len(positions["nats"])):
        yield f"{position:6d}  {positions['nats'][position - 1]:10.4f}"


def _row(name: str, figures: Mapping[str, Any]) -> str:
    nats, char, byte, perplexity = (figures[name] for name in _FIGURES)
    rows = figures[_how(figures)]
    return f"{name:<14}  {rows:7d}  {nats:10.4f}  {char:9.4f}  {byte:9.4f}  {perplexity:10.6g}"


def _how(figures: Mapping[str, Any]) -> str:
    """By what a split was read."""
    return "windows" if "windows" in figures else "lanes"


def _powers(last: int) -> list[int]:
    """1, 2, 4, … and the last; all of a few."""
    return list(range(1, last + 1)) if last <= _FEW else [*(2**n for n in range((last - 1).bit_length())), last]
