"""What the live view on a terminal looks like; drawn by `console.py`."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from charrnn.logs.lines import duration, losses, pace, progress_line
from charrnn.logs.standing import Standing

_SAMPLE_LINES = 6
_SPARKS = 40


def training_view(standing: Standing, left: float | None, console: Console) -> RenderableType:
    """The whole run on a few lines, the latest sample below where the terminal is high enough.

    Args:
        standing: what is known; its texts must be printable.
        left: seconds to the end.
        console: the terminal.
    """
    rows: list[RenderableType] = [_bar_row(standing, left)]
    if standing.train:
        row = _row("training", losses(standing.train))
        rows += [row.append("  " + standing.sparkline(_SPARKS), style="cyan"), _row("", pace(standing.train))]
    if standing.valid:
        row = _row("validation", losses(standing.valid))
        if standing.best is not None:
            row.append(f"  best {standing.best:.3f}", style="green")
        rows.append(row)
    room = min(_SAMPLE_LINES, console.height - len(rows) - 4)
    if standing.sample is not None and room > 0:
        step, text = standing.sample
        body = Group(*Text(text).wrap(console, max(1, console.width - 4))[:room])
        rows.append(Panel(body, title=f"sample at step {step:,}", title_align="left", border_style="dim"))
    return Group(*rows)


def progress_view(label: str, done: int, total: int | None, elapsed: float) -> RenderableType:
    """One bar for some long work; it swings where the end is unknown."""
    left = elapsed * (total - done) / done if total and done else None
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    bar = ProgressBar(total or 1, done if total else 0, pulse=not total, animation_time=elapsed)
    figure = progress_line("", done, total).removeprefix(": ")
    grid.add_row(Text(label), bar, Text(figure + (f"  {duration(left)} left" if left is not None else "")))
    return grid


def _bar_row(standing: Standing, left: float | None) -> RenderableType:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(ratio=1, min_width=8)
    grid.add_column(no_wrap=True, justify="right")
    where = f"step {standing.step:,}"
    if standing.steps:  # whoever watches another process does not know them before its first checkpoint
        epochs, epoch = (steps / max(1, standing.steps_per_epoch) for steps in (standing.steps, standing.step))
        where += f"/{standing.steps:,}  epoch {epoch:.1f}/{epochs:.1f}"
    end = "" if left is None else f"  {duration(left)} left"
    bar = ProgressBar(max(1, standing.steps), standing.step)
    grid.add_row(Text(standing.title, style="bold"), bar, Text(where + end))
    return grid


def _row(label: str, figures: list[str]) -> Text:
    row = Text(no_wrap=True, overflow="ellipsis")
    return row.append(f"{label:<12}", style="dim").append("  ".join(figures))
