"""`charrnn suggest`: the next characters and words, as a keyboard offers them, and how many keys that saves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.cli import common
from charrnn.errors import UsageError

if TYPE_CHECKING:
    from charrnn.logs.console import Console
    from charrnn.runs.use import OpenModel
    from charrnn.sample.offers import Suggestion, Suggestions
    from charrnn.sample.suggest import Suggester
    from charrnn.train.interrupt import Interrupt


def suggest(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run over text, or a checkpoint.")],
    seed: Annotated[str | None, typer.Option(metavar="TEXT", help="The text so far.")] = None,
    count: Annotated[int, typer.Option("-k", min=1, max=100, help="How many characters and words.")] = 5,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Type in the terminal: Tab or a digit takes a word, Ctrl-D ends.")
    ] = False,
    measure: Annotated[
        str | None,
        typer.Option(
            metavar="valid|FILE",
            help="How many keys a typist saves on the run's validation text, or on a text (- is standard input).",
        ),
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="Characters that --measure types.")] = 5000,
    beam: Annotated[int, typer.Option(min=1, max=1000, help="Beginnings of words that are followed at a time.")] = 32,
    unknown: Annotated[
        Literal["error", "skip", "replace"],
        typer.Option(help="What to do with symbols of the text that the model does not know."),
    ] = "error",
    config: common.RunConfig = None,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Suggest what comes next: the likeliest characters, and the likeliest words to the end of each.

    Where the text ends inside a word, the rest of it is suggested.
    """
    common.one_thread_in_numpy()
    from charrnn.logs.console import Console
    from charrnn.runs.suggesting import suggester
    from charrnn.runs.use import open_model
    from charrnn.text.normal import normalised_text
    from charrnn.train.interrupt import listening

    if measure is not None and (interactive or seed is not None):
        raise UsageError("--measure takes neither --seed nor --interactive", hint="leave one of them out")
    if interactive and as_json:
        raise UsageError("--interactive and --json exclude one another", hint="choose one of them")
    with Console(quiet=quiet) as console, listening() as interrupt:
        model = open_model(run, common.RUNS)
        console.note(f"suggesting by {model.label}")
        source = suggester(model, unknown, beam, interrupt.check)
        text = normalised_text(seed or "", model.config.corpus)
        if measure is not None:
            wanted = _text(model, measure, length, config, console, interrupt)
            _tell_measured(model, source, wanted, count, console, as_json)
        elif interactive:
            common.write(_typed(source, count, text, interrupt) + "\n")
        else:
            found = source.suggest(source.after(source.start, text), count)
            _tell(model, text, found, as_json)


def _tell(model: OpenModel, text: str, found: Suggestions, as_json: bool) -> None:
    if as_json:
        about = {"checkpoint": str(model.folder), "seed": text, "complete": found.complete}
        common.write_json(about | {"characters": _listed(found.symbols), "words": _listed(found.words)})
        return
    for head, offers in (("next character", found.symbols), ("next word", found.words)):
        common.write(f"{head}\n")
        for number, offer in enumerate(offers, start=1):
            common.write(f"{number:>4}  {offer.probability:8.4f}  {offer.word}\n")
    if not found.complete:
        common.write("a word as likely as the last of these may be missing; a wider --beam tells\n")


def _listed(offers: tuple[Suggestion, ...]) -> list[dict[str, Any]]:
    return [{"text": offer.text, "word": offer.word, "probability": offer.probability} for offer in offers]


def _text(
    model: OpenModel, place: str, length: int, config: Path | None, console: Console, interrupt: Interrupt
) -> str:
    """The text that is typed to measure."""
    from charrnn.runs.scoring import validation_text
    from charrnn.runs.suggesting import first_of_file, first_of_split
    from charrnn.text.watch import Watch

    if place == "valid":
        split = validation_text(model, config, common.CORPORA, console, interrupt.check)
        return first_of_split(model, split, length)
    return first_of_file(model, None if place == "-" else Path(place), length, Watch(check=interrupt.check))


def _tell_measured(model: OpenModel, source: Suggester, text: str, count: int, console: Console, as_json: bool) -> None:
    from charrnn.sample.keystrokes import type_out

    found = type_out(source, text, count, console.progress)
    if as_json:
        numbers = {name: getattr(found, name) for name in ("k", "characters", "keys", "words", "taken", "saved")}
        common.write_json({"checkpoint": str(model.folder), **numbers})
        return
    common.write(
        f"{100.0 * found.saved:.1f} % of keystrokes saved with {count} words to choose from: {found.keys:,} keys for "
        f"{found.characters:,} characters; {found.taken:,} of {found.words:,} words were taken\n"
    )


def _typed(source: Suggester, count: int, text: str, interrupt: Interrupt) -> str:
    """What was typed in the terminal."""
    from charrnn.cli.keyboard import draw, keyboard, keys, wipe
    from charrnn.sample.writing import Writing

    with keyboard():
        writing = Writing(source, min(count, 9), text)
        try:
            draw(writing.text, _offered(writing.offered))
            for key in keys(interrupt.check):
                writing.press(key)
                draw(writing.text, _offered(writing.offered))
        finally:
            wipe()
    return writing.text


def _offered(found: Suggestions) -> str:
    """The words on one line, each behind its digit."""
    return "   ".join(f"{number} {offer.word}" for number, offer in enumerate(found.words, start=1))
