"""`charrnn train`: from a config to a trained run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli import common
from charrnn.errors import Interrupted, UsageError


def train(
    path: common.ConfigFile,
    out: Annotated[Path | None, typer.Option(help="The run's folder; default: runs/<config name>.")] = None,
    overrides: common.Overrides = None,
    device: common.Device = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Refuse what may differ from run to run.")
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="RUN", help="Begin with the weights of another run, or of a checkpoint."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run was stopped.")] = False,
    allow_data: Annotated[
        bool, typer.Option("--allow-data", help="With --resume: go on with other data, of the same symbols and labels.")
    ] = False,
    allow_stream: Annotated[
        bool, typer.Option("--allow-stream", help="With --resume: go on with other lanes, chunks or batches.")
    ] = False,
    allow_seed: Annotated[
        bool, typer.Option("--allow-seed", help="With --resume: go on with another train.seed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete the run that is there and start anew.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Build everything, run a few batches, print what it costs, and stop.")
    ] = False,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Prepare the text if need be, train, and write checkpoints and logs.

    Prints the run's folder. SIGTERM and Ctrl-C save before they stop; --resume goes on as if nothing had happened.
    """
    from charrnn.logs.console import Console
    from charrnn.train.deadline import job_end
    from charrnn.train.interrupt import listening
    from charrnn.train.launch import ECHO, is_first_process, restarts, started_by_torchrun

    if resume and force:
        raise UsageError("--resume and --force exclude one another", hint="choose one of them")
    given = {"data": allow_data, "stream": allow_stream, "seed": allow_seed}
    allowed = [name for name, wanted in given.items() if wanted]
    if allowed and (not resume or check):
        raise UsageError(f"--allow-{allowed[0]} is for a run that goes on", hint="add --resume, without --check")
    settings = common.on_device(overrides, device)
    settings += ["train.deterministic=true"] if deterministic else []
    settings += [f"train.start_from={start.absolute()}"] if start else []
    together, first = started_by_torchrun(), is_first_process()
    if check and together:
        raise UsageError("--check is for one process", hint="try it without torchrun")
    again = together and restarts() > 0  # one of the processes had died
    mode = "resume" if resume or again else "force" if force else "new"
    echo = ECHO if together else 0.0
    folder = None
    try:
        with Console(quiet=quiet or not first) as console, listening(echo) as interrupt:
            loaded = common.load(path, settings, console)
            folder = out or common.RUNS / loaded.name
            if check:
                from charrnn.runs.check import dry_run

                result = dry_run(loaded, common.CORPORA, console, interrupt)
            else:
                from charrnn.runs.processes import processes
                from charrnn.runs.start import train_run

                interrupt.deadline = job_end(console.note)
                with processes(loaded.config.train) as world:
                    result = train_run(
                        loaded, folder, mode, common.CORPORA, console, interrupt, allowed=allowed, world=world
                    )
    except Interrupted as stop:
        if as_json and first:
            told = {"run": str(folder), "resumable": not check, "step": stop.step, "signal": stop.signal_number}
            common.write_json(told)
        stop.hint = None if check else "go on with: " + _resuming()
        raise
    if not first:
        return
    if as_json:
        common.write_json(result)
    elif check:
        common.write("".join(f"{name.replace('_', ' ')}: {value}\n" for name, value in result.items()))
    else:
        common.write(f"{folder}\n")


def _resuming() -> str:
    """The command as it was typed, going on."""
    typed = [word for word in sys.argv[1:] if word not in ("--resume", "--force")]
    return shlex.join(["charrnn", *typed, "--resume"])
