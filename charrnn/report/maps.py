"""Maps: points with their names; as many names as have room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.report.picture import plain, write_figure

_SIDE = 7.0
_POINT_HEIGHT, _POINT_WIDTH = 9.5, 5.0  # of a letter, in points; its line is a little higher than itself
_LONGEST, _SHORT = 24, 16


@dataclass(frozen=True)
class Map:
    """Named points.

    Attributes:
        title: what is shown.
        notes: lines below it.
        names: one for each point; those in front are written first.
        points_N2: where the points lie.
    """

    title: str
    notes: Sequence[str]
    names: Sequence[str]
    points_N2: np.ndarray


def draw_maps(path: Path, maps: Sequence[Map]) -> None:
    """Draw maps side by side; errors as those of `picture.write_figure`."""

    def draw(figure: Any) -> None:
        for axes, shown in zip(figure.subplots(1, len(maps), squeeze=False).flat, maps, strict=True):
            _draw(axes, shown)

    write_figure(path, draw, (_SIDE * len(maps), _SIDE))


def draw_map(figure: Any, shown: Map, side: float) -> None:
    """Draw one map into a figure that is `side` inches wide and high: points only where there is no title.

    Names of the right half stand to the left of their points, so that none leaves the picture.
    """
    axes = figure.subplots()
    _draw_points(axes, shown)
    _write_names(axes, shown, side, _SHORT, inward=True)


def _draw(axes: Any, shown: Map) -> None:
    _draw_points(axes, shown)
    axes.set_title(plain(shown.title, 90), pad=8 + 12 * len(shown.notes), parse_math=False)
    notes = "\n".join(plain(note, 120) for note in shown.notes)
    axes.text(0.0, 1.012, notes, transform=axes.transAxes, fontsize=8, color="#666666", parse_math=False)
    _write_names(axes, shown, _SIDE, _LONGEST, inward=False)


def _draw_points(axes: Any, shown: Map) -> None:
    x, y = shown.points_N2.T
    axes.scatter(x, y, s=5.0, color="#0072B2", alpha=0.55, linewidths=0.0)
    axes.margins(0.06)
    axes.set_aspect("equal", "datalim")
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])


def _write_names(axes: Any, shown: Map, side: float, longest: int, inward: bool) -> None:
    """As many names as have room; with `inward` those of the right half end at their points."""
    cut = (name if len(name) <= longest else name[: longest - 1] + "…" for name in shown.names)
    names = [plain(name, longest) for name in cut]
    page_N2 = _in_points(shown.points_N2, side)
    middle = page_N2[:, 0].min() / 2 + page_N2[:, 0].max() / 2
    leftwards = [inward and x > middle for x in page_N2[:, 0]]
    page_N2 = page_N2 - np.array(
        [[_POINT_WIDTH * len(n) * left, 0.0] for n, left in zip(names, leftwards, strict=True)]
    )
    for number in _with_room(names, page_N2):
        axes.annotate(
            names[number],
            shown.points_N2[number],
            xytext=(-2.5 if leftwards[number] else 2.5, 2.0),
            textcoords="offset points",
            ha="right" if leftwards[number] else "left",
            fontsize=7.5,
            parse_math=False,
        )


def _in_points(points_N2: np.ndarray, side: float) -> np.ndarray:
    """Where points come to lie on the page, in points of 1/72 inch, but for a shift."""
    span = max(float(np.ptp(points_N2, axis=0).max()), 1e-12)
    return points_N2 / span * (side * 72.0 * 0.85)


def _with_room(names: Sequence[str], page_N2: np.ndarray) -> Iterator[int]:
    """The names that can be written without lying on one that was written before."""
    taken: list[tuple[float, float, float]] = []
    for number, (name, (x, y)) in enumerate(zip(names, page_N2.tolist(), strict=True)):
        end = x + _POINT_WIDTH * len(name)
        if all(x > right or end < left or abs(y - height) > _POINT_HEIGHT for left, right, height in taken):
            taken.append((x, end, y))
            yield number
