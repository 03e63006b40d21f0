"""`charrnn recommend`: what a user may like, from a trained model of ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli import common


def recommend(
    user: Annotated[str, typer.Option(metavar="ID", help="The user's own id, as in the table.")],
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run over ratings, or a checkpoint; default: the newest run in runs/."),
    ] = None,
    count: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    config: common.RunConfig = None,
    overrides: common.Overrides = None,
    device: common.Device = None,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """List the items with the best predicted ratings among those that a user has not rated.

    A user without ratings in training is told what is best by the items alone. Items without ratings in training are
    never recommended.
    """
    from charrnn.logs.console import Console
    from charrnn.runs.folder import config_beside, find_checkpoint
    from charrnn.train.interrupt import listening

    with Console(quiet=quiet) as console, listening() as interrupt:
        checkpoint, which = find_checkpoint(run, common.RUNS)
        loaded = common.load(config or config_beside(checkpoint), common.on_device(overrides, device), console)
        console.note(f"recommending from {checkpoint.folder} ({which})")
        from charrnn.runs.recommend import recommend_run

        result = recommend_run(checkpoint, loaded, user, count, common.CORPORA, console, interrupt)
    if as_json:
        common.write_json(result)
        return
    for item in result["items"]:
        name = "" if item["name"] is None else f"  {item['name']}"
        common.write(f"{item['rating']:7.3f}  {item['item']}{name}\n")
