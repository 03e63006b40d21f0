"""A text with its characters coloured by the state of a unit, as in Karpathy, Johnson and Li (2015).

Shapes: N symbols of the passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.report.picture import plain, write_figure

COLUMNS, LINES = 80, 12
_WIDTH, _LINE, _HEAD = 7.5, 0.175, 0.42  # inches
_SHOWN = {"\n": "↵", "\t": "→", " ": " "}
_GREY = "#999999"


@dataclass(frozen=True)
class Coloured:
    """A passage, each symbol with the state of a unit after it.

    Attributes:
        title: which unit, and what it follows.
        pieces: what each symbol spells; empty for a byte within a character.
        states_N: the unit's states.
    """

    title: str
    pieces: Sequence[str]
    states_N: np.ndarray


def draw_units(path: Path, passages: Sequence[Coloured]) -> None:
    """Draw passages below one another, blue where a unit is low and red where it is high, white at zero.

    Each has `LINES` lines of `COLUMNS` characters at most; what is longer is cut off. Errors as those of
    `picture.write_figure`.
    """
    laid = [_lay_out(passage) for passage in passages]
    heights = [_HEAD + _LINE * max(1, max((row for row, *_ in cells), default=0) + 1) for cells in laid]

    def draw(figure: Any) -> None:
        figure.set_layout_engine("none")
        top = 1.0
        for passage, cells, height in zip(passages, laid, heights, strict=True):
            share = height / sum(heights)
            head = _HEAD / sum(heights)
            axes = figure.add_axes((0.02, top - share, 0.96, share - head))
            _draw(axes, passage, cells)
            top -= share

    write_figure(path, draw, (_WIDTH, sum(heights)))


def most_telling(values_N: np.ndarray, begins: Sequence[int], width: int) -> int:
    """Of the places in `begins`, the one from which a feature changes most within `width` symbols; the first of
    equals."""
    spreads = [float(np.std(values_N[begin : begin + width].astype(np.float64))) for begin in begins]
    return begins[int(np.argmax(spreads))]


def _lay_out(passage: Coloured) -> list[tuple[int, int, str, float]]:
    """Row, column, character and state of each that has room."""
    cells: list[tuple[int, int, str, float]] = []
    row = column = 0
    for piece, state in zip(passage.pieces, passage.states_N.tolist(), strict=True):
        for character in piece:
            if column == COLUMNS:
                row, column = row + 1, 0
            if row == LINES:
                return cells
            cells.append((row, column, character, state))
            row, column = (row + 1, 0) if character == "\n" else (row, column + 1)
    return cells


def _draw(axes: Any, passage: Coloured, cells: Sequence[tuple[int, int, str, float]]) -> None:
    rows = max((row for row, *_ in cells), default=0) + 1
    grid = np.full((rows, COLUMNS), np.nan)
    for row, column, _, state in cells:
        grid[row, column] = state if np.isfinite(state) else np.nan
    largest = float(np.nanmax(np.abs(grid), initial=1e-12))
    axes.imshow(grid, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto", alpha=0.75, interpolation="none")
    axes.set_axis_off()
    axes.grid(False)
    axes.set_title(plain(passage.title, 110), pad=4, parse_math=False)
    for row, column, character, state in cells:
        shown = _SHOWN.get(character, character if character.isprintable() else "·")
        if shown == " ":
            continue
        colour = "#ffffff" if abs(state) > 0.8 * largest else "#222222" if shown == character else _GREY
        axes.text(
            column,
            row,
            shown,
            family="DejaVu Sans Mono",
            fontsize=8.5,
            ha="center",
            va="center_baseline",
            color=colour,
            parse_math=False,
        )
