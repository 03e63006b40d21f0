"""`charrnn report`: one page that tells of runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import common
from charrnn.errors import DataError, UsageError

if TYPE_CHECKING:
    from charrnn.report.blocks import Block
    from charrnn.report.page import Page, Rounds

_NAME = "report.html"


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN…", help="Runs, or a folder of pseudo-label rounds; default: the newest run in runs/."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="The page; default: report.html in the run's folder.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write every plot there, as PNG and SVG (extra `plots`).")
    ] = None,
    projector: Annotated[
        bool, typer.Option("--projector", help="Also put the vectors into the run's TensorBoard folder.")
    ] = False,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Write one self-contained page: curves, samples, surprise, maps, confusion, environment, config, how to repeat it.

    Several runs are compared in the same axes, with what differs between their configs. Prints the page's path.
    """
    common.one_thread_in_numpy()
    from charrnn.logs.console import Console
    from charrnn.report.page import read_page, write_page
    from charrnn.runs.folder import newest_run
    from charrnn.runs.places import chosen_run
    from charrnn.train.interrupt import listening

    if plots is not None:
        from charrnn.report.picture import check_matplotlib

        check_matplotlib()
    rounds = _rounds(runs[0]) if runs and len(runs) == 1 else None
    if rounds is None:
        places = [chosen_run(place, common.RUNS).path for place in runs] if runs else [newest_run(common.RUNS).path]
        place = _place(out, places)
    else:
        places, place = _inside(rounds.folder), out or rounds.folder / _NAME
    with Console(quiet=quiet) as console, listening() as interrupt:

        def progress(done: int) -> None:
            console.progress("reading runs", done, len(places))

        page = read_page(places, common.CORPORA, interrupt.check, progress, rounds)
        write_page(place, page)
        others = _others(page, plots, projector, console.note)
    if as_json:
        common.write_json({"report": str(place), **others})
    else:
        common.write(f"{place}\n")


def _place(out: Path | None, places: list[Path]) -> Path:
    if out is None and len(places) > 1:
        raise UsageError(
            "a page of several runs lies in the folder of none of them", hint=f"say where with --out {_NAME}"
        )
    place = out or places[0] / _NAME
    if place.is_dir():
        raise UsageError("this is a folder, and the page is a file", where=place, hint=f"--out {place / _NAME}")
    return place


def _others(page: Page, plots: Path | None, projector: bool, say: Callable[[str], None]) -> dict[str, list[str]]:
    """What else was asked for; where it was written."""
    written: dict[str, list[str]] = {}
    if plots is not None:
        from charrnn.report.pictures import write_pictures

        written["plots"] = [str(path) for path in write_pictures(page, plots)]
        say(f"{len(written['plots'])} pictures are in {plots}")
    if projector:
        from charrnn.report.projector import write_projector

        found = [write_projector(run.told.run, common.CORPORA) for run in page.runs]
        written["projector"] = [str(path) for path in found]
        for path in found:
            say(f"the vectors are in {path}: tensorboard --logdir {path}")
    return written


def _rounds(folder: Path) -> Rounds | None:
    """The report of rounds of pseudo-labels; None where the folder holds something else.

    Raises:
        UsageError: it holds a search.
    """
    from charrnn.report.page import Rounds
    from charrnn.runs.folder import RunFolder

    place = RunFolder(folder)
    if place.study.exists():
        raise UsageError(
            "this is a search, which has a report of its own",
            where=folder / "report.md",
            hint=f"to compare trials, name them: charrnn report {folder}/trials/0000 … --out {_NAME}",
        )
    if not place.rounds.exists():
        return None
    try:
        return Rounds(folder, _told(folder))
    except DataError as error:
        return Rounds(folder, (), f"{error.what}{f': {error.why}' if error.why else ''}")


def _told(folder: Path) -> list[Block]:
    from charrnn.corpus.manifest import read_json
    from charrnn.pseudo.report import markdown
    from charrnn.report.blocks import blocks

    path = folder / "result.json"
    if not path.is_file():
        raise DataError("the rounds are not done: there is no result yet", where=path)
    try:
        return list(blocks(markdown(read_json(path))))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError("the result of the rounds is damaged", where=path, why=repr(error)) from error


def _inside(folder: Path) -> list[Path]:
    """The runs of rounds, in the order of their names."""
    from charrnn.runs.overview import overviews

    return sorted(one.path for one in overviews(folder, inside=True) if one.kind == "run")
