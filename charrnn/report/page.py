"""A page that tells of runs: one HTML file, without scripts, and without anything from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from charrnn import __version__
from charrnn.errors import UsageError
from charrnn.files.atomic import make_folder, write_text
from charrnn.logs.console import printable
from charrnn.logs.lines import duration
from charrnn.report.blocks import Block
from charrnn.report.panels import Panel, panels, positions_panel, reliability_panel
from charrnn.report.parts import Parts, parts_of
from charrnn.report.picture import COLOURS, can_draw
from charrnn.report.settings import different
from charrnn.report.told import Budget, names_of, seconds_of, tell
from charrnn.runs.folder import RunFolder
from charrnn.text.watch import Check

MOST_RUNS = 24
"""So many runs at most are told of on one page."""

_NO_PLOTS = "not drawn: matplotlib is not installed (pip install 'charrnn[plots]')"


@dataclass(frozen=True)
class Rounds:
    """What rounds of pseudo-labels have come to.

    Attributes:
        folder: theirs.
        blocks: their report; empty while they are not done.
        missing: why there is no report.
    """

    folder: Path
    blocks: Sequence[Block]
    missing: str = ""


@dataclass(frozen=True)
class Page:
    """All that a page is drawn from.

    Attributes:
        title: what it is about.
        runs: the runs, in their order.
        panels: their curves.
        rounds: of a folder of rounds; then `runs` are those inside, and only their curves are shown.
        left_out: how many runs there was no room for.
    """

    title: str
    runs: Sequence[Parts]
    panels: Sequence[Panel]
    rounds: Rounds | None = None
    left_out: int = 0


@dataclass
class Drawing:
    """The pictures of a page; each has its own names inside."""

    count: int = 0
    able: bool = field(default_factory=can_draw)

    def __call__(self, thing: Any) -> Markup:
        """The picture of a panel or a map, or the sentence that it cannot be drawn."""
        if not self.able:
            return Markup('<p class="missing">{}</p>').format(_NO_PLOTS)
        self.count += 1
        return Markup(thing.svg(f"p{self.count}"))  # drawn.py lets nothing but shapes and words through


def read_page(
    places: Sequence[Path], corpora: Path, check: Check, progress: Callable[[int], None], rounds: Rounds | None = None
) -> Page:
    """Read runs and measure what their records do not hold.

    Args:
        places: their folders.
        corpora: where prepared data lie.
        check: called now and then; it may raise to stop.
        progress: told how many runs have been read.
        rounds: the rounds that these runs lie in.

    Raises:
        UsageError: there are more than `MOST_RUNS`, or no run at one of them.
    """
    if len(places) > MOST_RUNS and rounds is None:
        raise UsageError(f"a page tells of {MOST_RUNS} runs at most, not of {len(places)}", hint="name fewer")
    kept = places[:MOST_RUNS]
    budget = Budget.of(max(1, len(kept)))
    found = []
    for number, (path, name) in enumerate(zip(kept, names_of(kept) if kept else [], strict=True)):
        told = tell(RunFolder(path), number, name, budget)
        found.append(parts_of(told, budget, corpora, check))
        progress(number + 1)
    runs = [parts.told for parts in found]
    drawn = [
        *(panels(runs) if runs else []),
        positions_panel([(parts.told, _positions(parts)) for parts in found]),
        reliability_panel(runs),
    ]
    title = rounds.folder.name if rounds is not None else ", ".join(run.name for run in runs)
    shown = [panel for panel in drawn if panel is not None]
    return Page(title, found, shown, rounds, len(places) - len(kept))


def _positions(parts: Parts) -> Sequence[float]:
    if parts.reading is not None:
        return parts.reading.positions
    known = parts.told.history.details.get("positions")
    return [float(x) for x in known if type(x) in (int, float)] if isinstance(known, list) else []


def html(page: Page) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("charrnn.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "date": date, "duration": _duration, "colour": _colour}
    template = environment.get_template("report.html.jinja")
    told = [parts.told for parts in page.runs]
    return template.render(
        page=page,
        draw=Drawing(),
        different=different(told) if len(told) > 1 else [],
        seconds={run.number: seconds_of(run) for run in told},
        version=__version__,
        several=len(told) > 1 or page.rounds is not None,
    )


def write_page(path: Path, page: Page) -> None:
    """Write the page; it appears whole or not at all.

    Raises:
        StorageError: the system refused.
    """
    make_folder(path.parent)
    write_text(path, html(page))


def _safe(value: Any) -> Any:
    """What is put into the page: texts without what HTML cannot hold, or what turns the direction of writing."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def number(value: float) -> str:
    """A figure with four places, or as many digits as it needs."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:.4f}" if 0.01 <= abs(value) < 1e4 else f"{value:.4g}"


def date(time: float | None) -> str:
    """A time in the local zone; a clock that was far off is no reason to end."""
    try:
        return "–" if time is None else datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return "–"


def _duration(seconds: float | None) -> str:
    return "–" if seconds is None else duration(seconds)


def _colour(run: int) -> str:
    return f"var(--c{run % len(COLOURS)})"
