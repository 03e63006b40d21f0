"""`charrnn baseline`: what n-grams reach on the same text."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from charrnn.cli import common


def baseline(
    path: common.ConfigFile,
    overrides: common.Overrides = None,
    order: Annotated[int, typer.Option(min=1, max=64, help="The longest n-gram.")] = 16,
    split: Annotated[Literal["valid", "test"], typer.Option(help="The split to score.")] = "valid",
    max_tokens: Annotated[
        int, typer.Option(min=1, help="Count the last so many training tokens, to bound the memory.")
    ] = 20_000_000,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Train interpolated Kneser–Ney n-gram models of every order on the config's text, and score them."""
    from charrnn.logs.console import Console
    from charrnn.runs.baseline import ngram_table
    from charrnn.runs.corpus import language, prepared
    from charrnn.train.interrupt import listening

    with Console(quiet=quiet) as console, listening() as interrupt:
        loaded = common.load(path, overrides, console)
        corpus = prepared(loaded, common.CORPORA, console, interrupt.check).corpus
        table = ngram_table(corpus, language(loaded.config), order, split, max_tokens, interrupt.check)
        if corpus.manifest.documents > 1:
            console.note("n-grams read on from one document to the next, which the network does not")
        if table["trained_on"] < len(corpus.split("train").tokens):
            console.note(f"counted the last {table['trained_on']} training tokens (--max-tokens)")
    if as_json:
        common.write_json(table)
        return
    how = "windows" if "windows" in table else "lanes"
    common.write(f"{split}, {table['tokens']} tokens read by {table[how]} {how}\n")
    common.write("order  nats/token  bits/char  bits/byte\n")
    for row in table["orders"]:
        figures = f"{row['nats']:10.4f}  {row['bits_per_char']:9.4f}  {row['bits_per_byte']:9.4f}"
        common.write(f"{row['order']:5d}  {figures}{'  best' if row is table['best'] else ''}\n")
