"""`charrnn sample`: text from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from charrnn.cli import common
from charrnn.errors import UsageError


def sample(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run or a checkpoint; default: the newest run in runs/."),
    ] = None,
    seed: Annotated[str | None, typer.Option(metavar="TEXT", help="The text that warms the model up.")] = None,
    seed_file: Annotated[Path | None, typer.Option(help="Read the seed text from a file (UTF-8).")] = None,
    length: Annotated[int | None, typer.Option(help="Symbols to draw.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Below 1 safer, above 1 bolder.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Draw among the k likeliest.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw among the likeliest whose shares sum to p.")] = None,
    min_p: Annotated[
        float | None, typer.Option(help="Draw among those at least p times as likely as the best.")
    ] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Always take the likeliest.")] = False,
    count: Annotated[int, typer.Option(min=1, help="Samples to make.")] = 1,
    stop: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="End in front of this text.")] = None,
    random_seed: Annotated[int | None, typer.Option(help="The same seed gives the same text.")] = None,
    unknown: Annotated[
        Literal["error", "skip", "replace"],
        typer.Option(help="What to do with symbols of the seed that the model does not know."),
    ] = "error",
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Write text, symbol by symbol, from the best checkpoint of a run.

    Options that are not given come from the run's config. The text begins with the seed.
    """
    common.one_thread_in_numpy()
    from charrnn.logs.console import Console
    from charrnn.runs.use import open_model
    from charrnn.train.interrupt import listening

    if seed is not None and seed_file is not None:
        raise UsageError("--seed and --seed-file exclude one another", hint="choose one of them")
    text = _read(seed_file) if seed_file is not None else seed
    with Console(quiet=quiet) as console, listening() as interrupt:
        model = open_model(run, common.RUNS)
        given = {
            "seed": text,
            "length": length,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "min_p": min_p,
            "greedy": greedy or None,
            "stop": stop or None,
            "random_seed": random_seed,
        }
        options = model.options({name: value for name, value in given.items() if value is not None})
        console.note(f"sampling from {model.label}")
        if as_json:
            texts = ["".join(model.text(options, number, unknown, interrupt.check)) for number in range(count)]
            settings = options.model_dump(mode="json")
            common.write_json({"checkpoint": str(model.folder), "options": settings, "samples": texts})
            return
        for number in range(count):
            if count > 1:
                console.note(f"--- {number + 1} of {count}")
            pieces = model.text(options, number, unknown, interrupt.check)
            common.write(options.seed or "")
            for piece in pieces:
                common.write(piece)
            common.write("\n")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError("cannot read the seed file", where=path, why=error.strerror) from error
    except UnicodeDecodeError as error:
        raise UsageError("the seed file is not UTF-8", where=path, why=str(error)) from error
