"""`charrnn tune`: a search for better values of some keys of a config."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from charrnn.cli import common
from charrnn.errors import Interrupted

STUDIES = Path("studies")


def tune(
    path: common.ConfigFile,
    out: Annotated[Path | None, typer.Option(help="The study's folder; default: studies/<config name>.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="The same as --set tune.trials=…")] = None,
    overrides: common.Overrides = None,
    device: common.Device = None,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Try values of the keys in `tune.space`, and write the config with the best ones.

    Start it several times, on one machine or on several that share the folder, and all work on one study. What was
    stopped goes on with the same command. Prints the best trial and the paths of best.yaml and of the report.
    """
    from charrnn.logs.console import Console
    from charrnn.train.deadline import job_end
    from charrnn.train.interrupt import listening
    from charrnn.tune.search import search

    settings = [*common.on_device(overrides, device), *([f"tune.trials={trials}"] if trials else [])]
    folder = None
    try:
        with listening() as interrupt:
            with Console(quiet=quiet) as console:
                interrupt.deadline = job_end(console.note)
                loaded = common.load(path, settings, console)
            folder = out or STUDIES / loaded.name
            report = search(loaded, folder, common.CORPORA, lambda: Console(quiet=quiet), interrupt)
    except Interrupted as stop:
        if as_json:
            common.write_json({"study": str(folder), "resumable": True, "signal": stop.signal_number})
        stop.hint = "go on with: " + shlex.join(["charrnn", *sys.argv[1:]])
        raise
    if as_json:
        common.write_json({"study": str(folder), **report})
    else:
        common.write("".join(f"{line}\n" for line in _lines(folder, report)))


def _lines(folder: Path, report: dict[str, Any]) -> list[str]:
    from charrnn.config.render import flow
    from charrnn.logs.lines import losses

    counts = ", ".join(f"{count} {state}" for state, count in report["counts"].items() if count)
    lines = [f"trials: {counts}, of {report['wanted']}"]
    for label, row in (("best", report["best"]), ("the config itself", report["default"])):
        if row is not None:
            figures = ", ".join(losses(row))
            lines.append(f"{label}: {folder / row['run']}: {figures} at step {row['best_step']}")
    if report["best"] is not None:
        lines += [f"{key}: {flow(value)}" for key, value in report["best"]["values"].items()]
        lines.append(f"config: {folder / 'best.yaml'}")
    return [*lines, f"report: {folder / 'report.md'}"]
