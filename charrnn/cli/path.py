"""`charrnn path`: where something of a run lies, for scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from charrnn.cli import common


def path(
    thing: Annotated[
        Literal["best", "last", "run", "config", "corpus"],
        typer.Argument(metavar="best|last|run|config|corpus", help="A checkpoint, the run's folder, or its data."),
    ],
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A run; default: the newest run in runs/.")] = None,
    as_json: common.Json = False,
) -> None:
    """Print where the best or the last checkpoint of a run lies, its folder, its resolved config, or its prepared data.

    Exits with 4 where there is no such checkpoint, and with 3 where the data are not prepared here.
    """
    from charrnn.runs.places import chosen_run, place_of

    found = place_of(thing, chosen_run(run, common.RUNS), common.CORPORA)
    if as_json:
        common.write_json({"thing": thing, "path": str(found)})
    else:
        common.write(f"{found}\n")
