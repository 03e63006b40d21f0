"""`charrnn prepare`: a text becomes a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli import common


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
    from charrnn.corpus.prepare import prepare as prepare_corpus
    from charrnn.logs.console import Console
    from charrnn.train.interrupt import listening

    with Console(quiet=quiet) as console, listening() as interrupt:
        loaded = common.load_config_or_source(source, overrides, console)
        prepared = prepare_corpus(
            loaded.config.corpus,
            base=loaded.base,
            corpora=common.CORPORA,
            out=out,
            name=loaded.name,
            progress=console.progress,
            check=interrupt.check,
        )
        corpus = prepared.corpus
        if not prepared.fresh:
            console.note(f"nothing to do: {corpus.folder} already holds this text, prepared like this")
        parts = {part.name: len(part.tokens) for part in map(corpus.split, ("train", "valid", "test"))}
    if as_json:
        common.print_json(
            {
                "corpus": str(corpus.folder),
                "fresh": prepared.fresh,
                "vocabulary": corpus.vocabulary.size,
                "tokens": parts,
                "digest": corpus.digest,
            }
        )
    else:
        print(corpus.folder)
