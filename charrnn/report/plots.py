"""Line charts: lines named at their ends, marks above the axes, gaps where there is no number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.report.picture import COLOURS, plain, write_figure

_WIDTH, _HEIGHT = 7.0, 3.2
_MOST = 1e100  # axes overflow beyond it: what is farther out is as good as infinite
_MARK_ROW = 12  # points of height for the label of a mark
_ROUND = (1, 2, 5, 10)  # ticks at multiples of these
_DASHES: tuple[Any, ...] = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


@dataclass(frozen=True)
class Line:
    """A named line through points; where a point is not finite, or beyond 1e100, it has a gap.

    Attributes:
        label: stands beside the line's end; none where empty.
        x: where the points are.
        y: as many values.

    Raises:
        ValueError: there are not as many y as x.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"the line `{self.label}` has {len(self.x)} x and {len(self.y)} y")


@dataclass(frozen=True)
class Mark:
    """A labelled vertical line at `x`; it is left out where x is not finite."""

    label: str
    x: float


@dataclass(frozen=True)
class Chart:
    """Lines over one pair of axes.

    Attributes:
        lines: what is drawn, in the order of their colours.
        title: what the chart shows.
        x_label: what x is, with its unit.
        y_label: what y is, with its unit.
        log_x: whether x is logarithmic; points at 0 and below are then left out.
        marks: places on x.
    """

    lines: Sequence[Line]
    title: str
    x_label: str
    y_label: str
    log_x: bool = False
    marks: Sequence[Mark] = ()


def line_chart(
    path: Path,
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    marks: Sequence[Mark] = (),
) -> None:
    """Draw one chart into the picture at `path`; arguments as `Chart`'s, errors as `grid_of_charts`'s."""
    grid_of_charts(path, [Chart(lines, title, x_label, y_label, log_x, marks)], columns=1)


def grid_of_charts(path: Path, charts: Sequence[Chart], *, columns: int = 2) -> None:
    """Draw charts, row by row, into one picture.

    Args:
        path: the picture, `.svg` or `.png`; it appears complete or not at all, and its folder is made.
        charts: what is drawn; at least one.
        columns: charts in a row.

    Raises:
        UsageError: the name of the picture has another suffix.
        MissingExtraError: matplotlib is not installed.
        StorageError: the picture cannot be written.
        ValueError: there are no charts.
    """
    if not charts:
        raise ValueError("a picture needs at least one chart")
    columns = min(columns, len(charts))
    rows = math.ceil(len(charts) / columns)
    height = max(_HEIGHT, 0.9 + 0.18 * max(len(chart.lines) for chart in charts))

    def draw(figure: Any) -> None:
        for axes, chart in zip_longest(figure.subplots(rows, columns, squeeze=False).flat, charts):
            if chart is None:
                axes.remove()
            else:
                _draw(axes, chart)

    write_figure(path, draw, (_WIDTH * columns, height * rows))


def _draw(axes: Any, chart: Chart) -> None:
    if chart.log_x:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if _decades(chart) < 2.5 else (1.0,)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.locator_params(axis="x", steps=_ROUND)
    axes.locator_params(axis="y", steps=_ROUND)
    ends = [_draw_line(axes, line, chart.log_x, **_look(i)) for i, line in enumerate(chart.lines)]
    marks = [mark for mark in chart.marks if _drawable(mark.x, chart.log_x)]
    for number, mark in enumerate(marks):
        _draw_mark(axes, mark, number)
    for i, (line, height) in enumerate(zip(chart.lines, _heights(axes, ends), strict=True)):
        _label_line(axes, line.label if ends[i] is not None else f"{line.label} (no points)", height, _look(i))
    axes.set_title(plain(chart.title, 90), pad=8 + _MARK_ROW * len(marks), parse_math=False)
    axes.set_xlabel(plain(chart.x_label, 70), parse_math=False)
    axes.set_ylabel(plain(chart.y_label, 40), parse_math=False)


def _look(number: int) -> dict[str, Any]:
    """Colour and dashes of the line with this number."""
    dashes = number // len(COLOURS) % len(_DASHES)
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": _DASHES[dashes]}


def _decades(chart: Chart) -> float:
    """How many powers of ten the points of a logarithmic chart span."""
    known = [x for line in chart.lines for x in line.x if _drawable(x, True)]
    return math.log10(max(known) / min(known)) if known else 0.0


def _drawable(x: float, log_x: bool) -> bool:
    return abs(x) < _MOST and (x > 1.0 / _MOST or not log_x)


def _draw_line(axes: Any, line: Line, log_x: bool, **look: Any) -> float | None:
    """Draw a line with its gaps and return its last height; None where no point can be drawn."""
    points = np.array([line.x, line.y], dtype=np.float64).T
    shown = np.array([_drawable(x, log_x) and _drawable(y, False) for x, y in points], dtype=bool)
    points[~shown] = np.nan
    axes.plot(points[:, 0], points[:, 1], **look)
    beside = np.concatenate([[False], shown, [False]])
    alone = shown & ~beside[:-2] & ~beside[2:]
    if alone.any():  # no line goes through a point between two gaps
        axes.plot(points[alone, 0], points[alone, 1], color=look["color"], linestyle="none", marker="o", markersize=4)
    return float(points[shown, 1][-1]) if shown.any() else None


def _draw_mark(axes: Any, mark: Mark, number: int) -> None:
    """A vertical line that ends above the axes, where its label hides nothing; each mark has a row of its own."""
    axes.axvline(mark.x, color="#777777", linewidth=1.0, linestyle=(0, (3, 2)))
    axes.annotate(
        plain(mark.label, 48),
        xy=(mark.x, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, 3 + _MARK_ROW * number),
        textcoords="offset points",
        ha="center",
        color="#444444",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        arrowprops={"arrowstyle": "-", "color": "#777777", "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0},
        zorder=9.0 - number / 100,  # the line to a higher row passes behind the labels of lower ones
        annotation_clip=False,
        parse_math=False,
    )


def _label_line(axes: Any, label: str, height: float, look: dict[str, Any]) -> None:
    """Words beside the axes, and a dash before them in the look of the line."""
    if label:
        axes.annotate(
            plain(label, 36),
            xy=(1.0, height),
            xycoords="axes fraction",
            xytext=(26, 0),
            textcoords="offset points",
            va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 1.6, "shrinkA": 2, "shrinkB": 4, "relpos": (0, 0.5), **look},
            annotation_clip=False,
            parse_math=False,
        )


def _heights(axes: Any, ends: Sequence[float | None]) -> list[float]:
    """Where labels stand, as shares of the height of the axes: as near to the lines' ends as they have room."""
    low, high = axes.get_ylim()
    wanted = [0.0 if end is None else (end - low) / (high - low) for end in ends]
    room = min(0.075, 1.0 / max(len(ends) - 1, 1))
    upwards = sorted(range(len(ends)), key=lambda i: (wanted[i], -i))
    heights, floor, ceiling = list(wanted), 0.0, 1.0
    for i in upwards:
        heights[i] = max(wanted[i], floor)
        floor = heights[i] + room
    for i in reversed(upwards):
        heights[i] = min(heights[i], ceiling)
        ceiling = heights[i] - room
    return heights
