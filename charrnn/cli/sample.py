"""`charrnn sample`: text from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from charrnn.cli import common
from charrnn.cli.opened import Device, opened, say_device, say_options
from charrnn.errors import UsageError


def sample(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run or a checkpoint; default: the newest run in runs/."),
    ] = None,
    seed: Annotated[str | None, typer.Option(metavar="TEXT", help="The text that warms the model up.")] = None,
    seed_file: Annotated[Path | None, typer.Option(help="Read the seed text from a file (UTF-8).")] = None,
    length: Annotated[int | None, typer.Option(help="Symbols to draw.")] = None,
    temperature: Annotated[
        str | None, typer.Option(metavar="T[,T…]", help="Below 1 safer, above 1 bolder; a list is run through.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(help="Draw among the k likeliest.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw among the likeliest whose shares sum to p.")] = None,
    min_p: Annotated[
        float | None, typer.Option(help="Draw among those at least p times as likely as the best.")
    ] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Always take the likeliest.")] = False,
    beam: Annotated[
        int | None, typer.Option(metavar="W", help="Search for the likeliest text with W candidates; draw nothing.")
    ] = None,
    ban: Annotated[str | None, typer.Option(metavar="CHARS", help="Characters that never appear.")] = None,
    only: Annotated[str | None, typer.Option(metavar="CHARS", help="The only characters that may appear.")] = None,
    require: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="The text has to hold this; may be repeated.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Samples to make.")] = 1,
    stop: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="End in front of this text.")] = None,
    random_seed: Annotated[int | None, typer.Option(help="The same seed gives the same text.")] = None,
    unknown: Annotated[
        Literal["error", "skip", "replace"],
        typer.Option(help="What to do with symbols of the seed that the model does not know."),
    ] = "error",
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="With --json: how likely every symbol was.")
    ] = False,
    alternatives: Annotated[
        int, typer.Option(metavar="K", min=0, help="With --probabilities: the K likeliest symbols at each place, too.")
    ] = 0,
    memorized: Annotated[
        bool, typer.Option("--memorized", help="Tell what stands word for word in the training text.")
    ] = False,
    memorized_min: Annotated[
        int | None, typer.Option(min=1, help="Characters of the shortest passage that counts as copied; default: 20.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Write the state of every unit after every symbol.")
    ] = None,
    trace_text: Annotated[
        Literal["sample", "valid", "test", "train"] | None,
        typer.Option(help="What is traced: the seed and the sample, or a split of the run's text; default: sample."),
    ] = None,
    trace_length: Annotated[
        int | None, typer.Option(min=1, help="Symbols of the split that are traced; default: 20000.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg|png", help="Draw the units that follow the text (needs the extra `plots`)."),
    ] = None,
    device: Device = "cpu",
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Write text, symbol by symbol, from the best checkpoint of a run.

    Options that are not given come from the run's config. The text begins with the seed. docs/sampling.md tells more.
    """
    common.one_thread_in_numpy()
    from charrnn.cli.sampled import Wanted, checked, tell
    from charrnn.logs.console import Console
    from charrnn.train.interrupt import listening

    if seed is not None and seed_file is not None:
        raise UsageError("--seed and --seed-file exclude one another", hint="choose one of them")
    given = {
        "seed": _read(seed_file) if seed_file is not None else seed,
        "length": length,
        "temperature": None if temperature is None else _temperature(temperature),
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "greedy": greedy or None,
        "beam": beam,
        "ban": ban,
        "only": only,
        "require": require or None,
        "stop": stop or None,
        "random_seed": random_seed,
    }
    odds = alternatives if probabilities else None
    wanted = Wanted(count, unknown, odds, memorized, memorized_min, trace, trace_text, trace_length, picture)
    if alternatives and not probabilities:
        raise UsageError("--alternatives goes with --probabilities")
    checked(wanted, as_json)
    with Console(quiet=quiet) as console, listening() as interrupt:
        model = opened(run, device)
        options = model.options({name: value for name, value in given.items() if value is not None})
        console.note(f"sampling from {model.label}")
        say_device(model, device, console)
        say_options(model, options, odds, console)
        tell(model, options, wanted, as_json, console, interrupt)


def _temperature(text: str) -> Any:
    """One number, or several with commas between them."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--temperature {text}: this is not a number", hint="give one, as in 0.8, or several, as in 1.2,0.8"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError("cannot read the seed file", where=path, why=error.strerror) from error
    except UnicodeDecodeError as error:
        raise UsageError("the seed file is not UTF-8", where=path, why=str(error)) from error
