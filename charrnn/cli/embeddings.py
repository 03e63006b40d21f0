"""`charrnn embeddings`: maps of a model's vectors, and the vectors themselves as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.cli import common
from charrnn.errors import UsageError

if TYPE_CHECKING:
    from charrnn.report.projection import Projection
    from charrnn.runs.named_vectors import Chosen, NamedVectors

_TITLES = {"pca": "PCA", "tsne": "t-SNE"}
_LEAST = 4


def embeddings(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run or a checkpoint; default: the newest run in runs/."),
    ] = None,
    method: Annotated[
        Literal["pca", "tsne", "both"], typer.Option(help="How to map; t-SNE needs the extra `labels`.")
    ] = "both",
    top: Annotated[int, typer.Option(min=1, help="Map so many, the most frequent or the most rated.")] = 400,
    of: common.Of = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg|png", help="Draw the maps (needs the extra `plots`).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same map.")] = 1,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all vectors as text instead; packed if it ends in .gz.")
    ] = None,
    form: Annotated[
        Literal["word2vec", "glove"], typer.Option(help="The form of that text: with a line of counts, or without.")
    ] = "word2vec",
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Map the vectors of characters, words, items or users, each scaled to the length 1, into the plane.

    Prints where each lies, and for each map its trustworthiness (are neighbours in the map neighbours in truth?) and
    its continuity (are true neighbours kept together?): 1 is perfect.
    """
    from charrnn.logs.console import Console
    from charrnn.runs.embedding import open_embedding

    if picture is not None:
        from charrnn.report.picture import check_picture

        check_picture(picture)
    if write is not None and picture is not None:
        raise UsageError("--write and --picture exclude one another", hint="choose one of them")
    embedding = open_embedding(run, common.RUNS, common.CORPORA, of)
    if write is not None:
        _write(embedding, write, form, as_json)
        return
    from charrnn.report.projection import check_method, project

    methods = ["pca", "tsne"] if method == "both" else [method]
    for each in methods:
        check_method(each)
    chosen = embedding.most_frequent(top)
    if len(chosen.rows) < _LEAST:
        raise UsageError(
            f"a map needs {_LEAST} points, and there are {len(chosen.rows)}", where=embedding.origin.folder
        )
    with Console(quiet=quiet) as console:
        console.note(f"mapping {embedding.origin.label}: {_count(embedding, chosen)}")
        maps = [project(embedding.unit_VD[chosen.rows], each, seed) for each in methods]
        if picture is not None:
            _draw(picture, embedding, chosen, maps)
            console.note(f"the picture is {picture}")
    if as_json:
        common.write_json(_told(embedding, chosen, maps))
    else:
        common.write("".join(f"{line}\n" for line in _table(embedding, chosen, maps)))


def _write(embedding: NamedVectors, path: Path, form: Literal["word2vec", "glove"], as_json: bool) -> None:
    from charrnn.text.vectors_file import write_vectors

    rows = embedding.used
    write_vectors(path, [embedding.names[row] for row in rows], embedding.table_VD[rows], form)
    if as_json:
        common.write_json({"file": str(path), "form": form, "vectors": len(rows)})
    else:
        common.write(f"{path}\n")


def _draw(path: Path, embedding: NamedVectors, chosen: Chosen, maps: Sequence[Projection]) -> None:
    from charrnn.report.maps import Map, draw_maps

    run = embedding.origin.folder.absolute().parent.parent.name
    names = [(embedding.titles or embedding.names)[row] for row in chosen.rows]
    shown = f"{_count(embedding, chosen)}; names where there is room, in this order"
    draw_maps(
        path,
        [Map(f"{run}: {_TITLES[m.method]}", (shown, f"{_figures(m)}; {_faith(m)}"), names, m.points_N2) for m in maps],
    )


def _told(embedding: NamedVectors, chosen: Chosen, maps: Sequence[Projection]) -> dict[str, Any]:
    rows = chosen.rows.tolist()
    return {
        "checkpoint": str(embedding.origin.folder),
        f"{embedding.thing}s": [embedding.names[row] for row in rows],
        **({} if embedding.titles is None else {"names": [embedding.titles[row] for row in rows]}),
        "maps": [
            {
                "method": shown.method,
                **shown.figures,
                "trustworthiness": shown.trustworthiness,
                "continuity": shown.continuity,
                "neighbours": shown.neighbours,
                "looked_at": shown.looked_at,
                "points": shown.points_N2.tolist(),
            }
            for shown in maps
        ],
    }


def _count(embedding: NamedVectors, chosen: Chosen) -> str:
    return f"{len(chosen.rows)} of the {len(embedding.used)} {embedding.thing}s, {chosen.order}"


def _faith(shown: Projection) -> str:
    of = f"{shown.neighbours} neighbours of {shown.looked_at} points"
    return f"trustworthiness {shown.trustworthiness:.4f}, continuity {shown.continuity:.4f} ({of})"


def _figures(shown: Projection) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in shown.figures.items())


def _table(embedding: NamedVectors, chosen: Chosen, maps: Sequence[Projection]) -> Iterator[str]:
    for shown in maps:
        yield f"{_TITLES[shown.method]}: {_faith(shown)}, {_figures(shown)}"
    names, titles = [embedding.names[row] for row in chosen.rows], embedding.titles
    width = max(len(embedding.thing), *map(len, names))
    yield ""
    yield f"{embedding.thing:<{width}}" + "".join(f"{m.method + ' x':>12}{m.method + ' y':>12}" for m in maps)
    for i, name in enumerate(names):
        title = "" if titles is None else f"  {titles[chosen.rows[i]]}"
        yield f"{name:<{width}}" + "".join(f"{m.points_N2[i, 0]:12.4f}{m.points_N2[i, 1]:12.4f}" for m in maps) + title
