"""`charrnn prepare`: a text becomes a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import common

if TYPE_CHECKING:
    from charrnn.corpus.rating_tables import PreparedRatings
    from charrnn.logs.console import Console


def prepare(
    source: Annotated[
        str,
        typer.Argument(metavar="CONFIG|SOURCE", help="A config, or a file, folder, glob, -, URL, named:…, builtin:…"),
    ],
    out: Annotated[Path | None, typer.Option(help="The corpus's folder; default: corpora/<name>-<digest>.")] = None,
    overrides: common.Overrides = None,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Read a text, count its symbols, and write it as a corpus of tokens.

    Prints the corpus's folder. With the same text and settings it does nothing the second time.
    """
    from charrnn.logs.console import Console
    from charrnn.runs.corpus import prepared, prepared_ratings
    from charrnn.train.interrupt import listening

    with Console(quiet=quiet) as console, listening() as interrupt:
        loaded = common.load_config_or_source(source, overrides, console)
        if loaded.config.task == "rate":
            table = prepared_ratings(loaded, common.CORPORA, console, interrupt.check, out)
            _tell_ratings(table, console, as_json)
            return
        result = prepared(loaded, common.CORPORA, console, interrupt.check, out)
        if not result.fresh:
            console.note(f"nothing to do: {result.corpus.folder} already holds this text, prepared like this")
    corpus, manifest = result.corpus, result.corpus.manifest
    if not as_json:
        common.write(f"{corpus.folder}\n")
        return
    common.write_json(
        {
            "corpus": str(corpus.folder),
            "fresh": result.fresh,
            "vocabulary": corpus.vocabulary.size,
            "tokens": {name: part.end - part.start for name, part in manifest.splits.items()},
            "documents": manifest.documents,
            "replaced": manifest.counts.replaced,
            "digest": corpus.digest,
        }
    )


def _tell_ratings(table: PreparedRatings, console: Console, as_json: bool) -> None:
    corpus, manifest = table.corpus, table.corpus.manifest
    if not table.fresh:
        console.note(f"nothing to do: {corpus.folder} already holds these ratings, prepared like this")
    if not as_json:
        common.write(f"{corpus.folder}\n")
        return
    common.write_json(
        {
            "corpus": str(corpus.folder),
            "fresh": table.fresh,
            "users": manifest.users,
            "items": manifest.items,
            "ratings": manifest.splits,
            "repeated": manifest.repeated,
            "digest": corpus.digest,
        }
    )
