"""`charrnn neighbours`: what lies near a word, by the angle between vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli import common


def neighbours(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run or a checkpoint of a model with an embedding.")],
    word: Annotated[str, typer.Argument(metavar="WORD", help="A word, or whatever symbol the model has.")],
    count: Annotated[int, typer.Option("--count", "-k", min=1, help="How many to tell.")] = 10,
    as_json: common.Json = False,
) -> None:
    """Print the symbols whose vectors point most nearly the same way, each with the cosine of the angle."""
    common.one_thread_in_numpy()
    from charrnn.runs.embedding import open_embedding

    embedding = open_embedding(run, common.RUNS)
    row = embedding.row(word)
    near = [(embedding.names[other], cosine) for other, cosine in embedding.neighbours(row, count)]
    if as_json:
        found = [{"symbol": name, "cosine": cosine} for name, cosine in near]
        common.write_json({"checkpoint": str(embedding.folder), "symbol": embedding.names[row], "neighbours": found})
        return
    width = max((len(name) for name, _ in near), default=0)
    common.write("".join(f"{name:<{width}}  {cosine:7.4f}\n" for name, cosine in near))
