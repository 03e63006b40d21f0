"""The program `charrnn`: its commands, its exit codes, and the one place where errors become text."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout, suppress
from typing import Annotated, TextIO, cast

import typer

from charrnn import __version__
from charrnn.cli import (
    baseline,
    common,
    config,
    doctor,
    embeddings,
    evaluate,
    export,
    find_lr,
    init,
    neighbours,
    path,
    prepare,
    pseudolabel,
    recommend,
    report,
    runs,
    sample,
    score,
    serve,
    suggest,
    train,
    tune,
    watch,
)
from charrnn.cli.output import Output, ReaderLeft
from charrnn.errors import CharRnnError, DivergedError, Interrupted, OutOfMemoryError, StorageError, UsageError
from charrnn.train.launch import is_first_process, started_by_torchrun

app = typer.Typer(
    name="charrnn",
    help="Train recurrent character models, and make them useful.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Results go to standard output, everything else to standard error.",
)
app.command("init")(init.init)
app.command("prepare")(prepare.prepare)
app.command("find-lr")(find_lr.find_lr)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("tune")(tune.tune)
app.command("pseudolabel")(pseudolabel.pseudolabel)
app.command("sample")(sample.sample)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("score")(score.score)
app.command("suggest")(suggest.suggest)
app.command("recommend")(recommend.recommend)
app.command("baseline")(baseline.baseline)
app.command("neighbours")(neighbours.neighbours)
app.command("embeddings")(embeddings.embeddings)
app.command("report")(report.report)
app.command("runs")(runs.runs)
app.command("watch")(watch.watch)
app.command("path")(path.path)
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")


_SHARED = ("train", "pseudolabel")
"""What several processes may do together."""


def _version(wanted: bool) -> None:
    if wanted:
        common.write(f"charrnn {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Train recurrent character models, and make them useful."""
    if started_by_torchrun() and context.invoked_subcommand not in _SHARED:
        several = " and ".join(f"`charrnn {name}`" for name in _SHARED)
        raise UsageError(
            f"`charrnn {context.invoked_subcommand}` is for one process", hint=f"only {several} share their work"
        )


def main() -> None:
    """Run the program; every way out has its exit code (README, "Exit codes")."""
    try:
        _run()
    except SystemExit as stop:
        if started_by_torchrun() and isinstance(stop.code, int):
            # All is written and said. What torch takes down after Python's own end may abort where gloo was at work,
            # and torchrun would take that for a failure.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(stop.code)
        raise


def _run() -> None:
    with redirect_stdout(cast(TextIO, Output(sys.stdout))):
        try:
            app()
        except ReaderLeft as error:
            sys.exit(error.exit_code)
        except CharRnnError as error:
            _report(error)
            sys.exit(error.exit_code)
        except MemoryError as error:  # training and evaluation say more: charrnn/runs/memory.py
            short = OutOfMemoryError("out of memory", why=str(error) or None, hint="ask for less at once")
            _report(short)
            sys.exit(short.exit_code)


def _report(error: CharRnnError) -> None:
    if not is_first_process() and (error.told or isinstance(error, Interrupted | DivergedError)):
        return  # the first process says it
    if "--json" in sys.argv and not isinstance(error, Interrupted):
        with suppress(ReaderLeft, StorageError):  # the error itself is what counts
            common.write_json(error.as_dict())
    from charrnn.logs.console import forget_unwritten, printable

    try:
        print(printable(error.block()), file=sys.stderr, flush=True)
    except OSError:  # nobody reads it, or it goes to a file on a full disk
        with suppress(OSError):
            forget_unwritten(sys.stderr)
