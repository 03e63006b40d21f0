"""`charrnn train`: from a config to a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import common
from charrnn.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from charrnn.logs.console import Console
    from charrnn.train.interrupt import Interrupt


def train(
    path: common.ConfigFile,
    out: Annotated[Path | None, typer.Option(help="The run's folder; default: runs/<config name>.")] = None,
    overrides: common.Overrides = None,
    device: Annotated[
        str | None, typer.Option(metavar="auto|cpu|cuda[:N]", help="The same as --set train.device=…")
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Refuse what may differ from run to run.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run was stopped.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete the run that is there and start anew.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Build everything, run one batch, print what it costs, and stop.")
    ] = False,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Prepare the text if need be, train, and write checkpoints and logs.

    Prints the run's folder. SIGTERM and Ctrl-C save before they stop; --resume goes on as if nothing had happened.
    """
    from charrnn.logs.console import Console
    from charrnn.train.interrupt import listening

    if resume and force:
        raise UsageError("--resume and --force exclude one another", hint="choose one of them")
    settings = list(overrides or [])
    settings += [f"train.device={device}"] if device else []
    settings += ["train.deterministic=true"] if deterministic else []
    mode = "resume" if resume else "force" if force else "new"
    with Console(quiet=quiet) as console, listening() as interrupt:
        if check:
            _check(path, settings, console, interrupt, as_json)
        else:
            _train(path, settings, out, mode, console, interrupt, as_json)


def _check(path: Path, settings: list[str], console: Console, interrupt: Interrupt, as_json: bool) -> None:
    loaded = common.load(path, settings, console)
    from charrnn.runs.check import dry_run

    report = dry_run(loaded, common.CORPORA, console, interrupt)
    if as_json:
        common.print_json(report)
    else:
        print("\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in report.items()))


def _train(
    path: Path,
    settings: list[str],
    out: Path | None,
    mode: str,
    console: Console,
    interrupt: Interrupt,
    as_json: bool,
) -> None:
    loaded = common.load(path, settings, console)
    from charrnn.runs.start import train_run

    folder = out or common.RUNS / loaded.name
    try:
        outcome = train_run(loaded, folder, mode, common.CORPORA, console, interrupt)
    except Interrupted as stop:
        if as_json:
            common.print_json({"run": str(folder), "resumable": True, "signal": stop.signal_number})
        stop.hint = f"go on with: charrnn train {path} --resume" + (f" --out {out}" if out else "")
        raise
    if as_json:
        common.print_json(outcome)
    else:
        print(folder)
