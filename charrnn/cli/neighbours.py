"""`charrnn neighbours`: what lies near a word or an item, by the angle between vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli import common


def neighbours(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run or a checkpoint of a model with an embedding.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A word, or whatever symbol the model has; an item's id or its name.")
    ],
    count: Annotated[int, typer.Option("--count", "-k", min=1, help="How many to tell.")] = 10,
    of: common.Of = None,
    as_json: common.Json = False,
) -> None:
    """Print the words, symbols, items or users whose vectors point most nearly the same way, each with the cosine of
    the angle."""
    common.one_thread_in_numpy()
    from charrnn.runs.embedding import open_embedding

    embedding = open_embedding(run, common.RUNS, common.CORPORA, of)
    row = embedding.row(name)
    near = embedding.neighbours(row, count)
    if as_json:
        found = [{**common.named(embedding, other), "cosine": cosine} for other, cosine in near]
        told = {"checkpoint": str(embedding.origin.folder), **common.named(embedding, row), "neighbours": found}
        common.write_json(told)
        return
    width = max((len(embedding.names[other]) for other, _ in near), default=0)
    titles = embedding.titles
    for other, cosine in near:
        title = "" if titles is None else f"  {titles[other]}"
        common.write(f"{embedding.names[other]:<{width}}  {cosine:7.4f}{title}\n")
