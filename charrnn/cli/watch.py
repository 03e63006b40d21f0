"""`charrnn watch`: follow a run from another shell."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli import common

_SECONDS = 0.5


def watch(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A run; default: the newest run in runs/.")] = None,
    quiet: common.Quiet = False,
) -> None:
    """Follow a run that another process trains: figures, sparkline, the last sample; in a pipe a line for each record.

    Reads what the run writes down, and touches nothing. Ends when no process works on the run any more. A run that is
    named and has not begun is waited for.
    """
    from charrnn.logs.console import Console
    from charrnn.runs.folder import RunFolder, newest_run
    from charrnn.runs.watch import Watch
    from charrnn.train.interrupt import listening

    followed = newest_run(common.RUNS) if run is None else RunFolder(run)
    with Console(stream=sys.stdout) as figures, listening() as interrupt:
        notes = Console(quiet=quiet)

        def say(text: str) -> None:
            figures.finish()  # on a terminal both streams are one
            notes.note(text)

        def pause() -> None:
            interrupt.check()
            time.sleep(_SECONDS)
            interrupt.check()

        Watch(followed, figures, say, pause).follow()
