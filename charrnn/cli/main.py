"""The program `charrnn`: its commands, its exit codes, and the one place where errors become text."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from charrnn import __version__
from charrnn.cli import baseline, config, init, prepare, sample, train
from charrnn.errors import CharRnnError, Interrupted

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
app.command("train")(train.train)
app.command("sample")(sample.sample)
app.command("baseline")(baseline.baseline)
app.add_typer(config.app, name="config")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"charrnn {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Train recurrent character models, and make them useful."""


def main() -> None:
    """Run the program; every way out has its exit code (README, "Exit codes")."""
    try:
        app()
    except CharRnnError as error:
        _report(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader has left, as `head` does. Python must not complain while it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)


def _report(error: CharRnnError) -> None:
    if "--json" in sys.argv and not isinstance(error, Interrupted):
        print(json.dumps({"schema_version": 1, **error.as_dict()}, ensure_ascii=False))
    from charrnn.logs.console import printable

    print(printable(error.block()), file=sys.stderr)
