"""What several commands share: options, and how a CONFIG or a SOURCE becomes a loaded config."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.errors import UsageError

if TYPE_CHECKING:
    from charrnn.config.load import Loaded
    from charrnn.logs.console import Console
    from charrnn.runs.named_vectors import NamedVectors

RUNS = Path("runs")
CORPORA = Path("corpora")
CONFIGS = (".yaml", ".yml")

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A config, such as configs/demo.yaml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the config, as in --set train.epochs=3."),
]
Device = Annotated[str | None, typer.Option(metavar="auto|cpu|cuda[:N]", help="The same as --set train.device=…")]
RunConfig = Annotated[
    Path | None,
    typer.Option("--config", help="The config of the run, for a checkpoint that is not in its run's folder."),
]
Of = Annotated[
    Literal["items", "users"] | None,
    typer.Option(help="Of a model of ratings: whose vectors; the items' unless you say otherwise."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but results and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


def load(path: Path, overrides: list[str] | None, console: Console) -> Loaded:
    """Load a config and say aloud what the loader noticed."""
    from charrnn.config.load import load_config

    if not path.exists():
        raise UsageError("there is no such config", where=path, hint="write one with: charrnn init SOURCE")
    if not path.name.endswith(CONFIGS):
        raise UsageError("this is not a config", where=path, hint=f"for a text, write one with: charrnn init {path}")
    loaded = load_config(path, overrides or [])
    for warning in loaded.warnings:
        console.note(warning)
    if loaded.config.train.by_hand:
        one_thread_in_numpy()
    return loaded


def one_thread_in_numpy() -> None:
    """One thread is the fastest for a single stream; NumPy reads this when it is imported."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def load_config_or_source(text: str, overrides: list[str] | None, console: Console) -> Loaded:
    """A config where `text` ends like one, else the defaults over `text` as a source."""
    from charrnn.config.load import config_from_source

    if text.endswith(CONFIGS):
        return load(Path(text), overrides, console)
    return config_from_source(text, overrides or [])


def on_device(overrides: list[str] | None, device: str | None) -> list[str]:
    """The overrides with that of --device."""
    return [*(overrides or []), *([f"train.device={device}"] if device else [])]


def named(vectors: NamedVectors, row: int) -> dict[str, Any]:
    """What a row of vectors stands for, for `--json`: its symbol or id, and its name if anything says so."""
    title = {} if vectors.titles is None else {"name": vectors.titles[row]}
    return {vectors.thing: vectors.names[row], **title}


def write(text: str, painted: bool = False) -> None:
    """Put a piece of the result on standard output, at once; errors as those of `Output.write`.

    On a terminal nothing that comes from a text, a table or a model can steer it; elsewhere a text is what it is. What
    is `painted` has been made safe already, and holds colours of ours.
    """
    if not painted and sys.stdout.isatty():
        from charrnn.logs.console import printable

        text = printable(text)
    sys.stdout.write(text)
    sys.stdout.flush()


def write_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output; NaN and infinities do not occur. Whatever could steer a terminal is spelled
    as an escape of JSON, which means the same."""
    text = json.dumps({"schema_version": 1, **value}, ensure_ascii=False, allow_nan=False)
    write("".join(c if c.isprintable() else _escape(c) for c in text) + "\n")


def _escape(character: str) -> str:
    """A character as JSON spells it in ASCII."""
    return json.dumps(character)[1:-1]
