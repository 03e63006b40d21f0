"""`charrnn prepare`: a text, or a table, becomes a corpus."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli import common
from charrnn.errors import Interrupted


def prepare(
    source: Annotated[
        str,
        typer.Argument(metavar="CONFIG|SOURCE", help="A config, or a file, folder, glob, -, URL, named:…, builtin:…"),
    ],
    out: Annotated[Path | None, typer.Option(help="The corpus's folder; default: corpora/<name>-<digest>.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes for a large text; default: the cores that this one may use."),
    ] = None,
    overrides: common.Overrides = None,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Read a text and write it as a corpus of tokens; or read what else a task learns from: labelled items, ratings.

    Prints the corpus's folder. With the same data and settings it does nothing the second time.
    """
    from charrnn.logs.console import Console
    from charrnn.runs.corpus import prepared
    from charrnn.train.interrupt import listening

    try:
        with Console(quiet=quiet) as console, listening() as interrupt:
            loaded = common.load_config_or_source(source, overrides, console)
            result = prepared(loaded, common.CORPORA, console, interrupt.check, out, jobs)
            if not result.fresh:
                console.note(f"nothing to do: {result.corpus.folder} already holds these data, prepared like this")
    except Interrupted as stop:
        if as_json:
            common.write_json({"resumable": True, "signal": stop.signal_number})
        stop.hint = "nothing half-made is left; begin again with: " + shlex.join(["charrnn", *sys.argv[1:]])
        raise
    corpus = result.corpus
    if as_json:
        common.write_json(
            {"corpus": str(corpus.folder), "fresh": result.fresh, **corpus.summary(), "digest": corpus.digest}
        )
    else:
        common.write(f"{corpus.folder}\n")
