"""Every plot of a page as a file of its own, PNG and SVG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from charrnn.report.maps import Map, draw_maps
from charrnn.report.page import Page
from charrnn.report.parts import Mapped
from charrnn.report.plots import grid_of_charts

_SUFFIXES = (".png", ".svg")


def write_pictures(page: Page, folder: Path) -> list[Path]:
    """Write the curves and the maps of a page into a folder, which is made.

    Returns:
        The pictures, in the order of the page: `bits_per_char.png`, …, `map-symbol.svg`; of several runs a map's name
        begins with the run's number.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StorageError: one cannot be written.
    """
    written = []
    for panel in page.panels:
        for suffix in _SUFFIXES:
            path = folder / f"{panel.key}{suffix}"
            grid_of_charts(path, [panel.chart()], columns=1)
            written.append(path)
    for name, title, mapped in _maps(page):
        for suffix in _SUFFIXES:
            path = folder / f"{name}{suffix}"
            draw_maps(
                path, [Map(f"{title}: PCA", (mapped.shown, mapped.faith), mapped.map.names, mapped.map.points_N2)]
            )
            written.append(path)
    return written


def _maps(page: Page) -> Iterator[tuple[str, str, Mapped]]:
    several = len(page.runs) > 1
    for number, run in enumerate(page.runs, start=1):
        for mapped in run.maps:
            name = f"map-{mapped.thing}"
            yield (f"{number:02d}-{name}" if several else name), run.told.name, mapped
