"""A picture as a part of a page: an SVG that fits its colours and holds nothing but shapes and words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

from charrnn.report.picture import COLOURS, figure_bytes

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_SHAPES = {"svg", "g", "path", "text", "tspan", "use", "defs", "clipPath", "rect", "circle", "line"}
_PLACES = {"d", "x", "y", "x1", "x2", "y1", "y2", "r", "cx", "cy", "width", "height", "viewBox", "transform"}
_STYLE = re.compile(r"[-\w\s:;#.,()%]*")
_REFERENCE = re.compile(r"url\(#([\w-]+)\)")
_FONT = re.compile(r"font:[^;]*?([\d.]+)px[^;]*")
_SIZE = re.compile(r"font-family:[^;]*;?")
# The colours of `picture.py` and the variables of the page's style that stand in their places.
_VARIABLES = {
    "#222222": "ink",
    "#444444": "soft",
    "#666666": "soft",
    "#777777": "soft",
    "#888888": "edge",
    "#e8e8e8": "grid",
    "#ffffff": "paper",
    **{colour.lower(): f"c{number}" for number, colour in enumerate(COLOURS)},
}
_COLOUR = re.compile("|".join(_VARIABLES))


def drawn(name: str, draw: Callable[[Any], None], size: tuple[float, float]) -> str:
    """Let `draw` fill a figure, and return it as SVG for a page.

    Args:
        name: letters, digits and hyphens that no other picture of the page has: names inside begin with them.
        draw: is given the figure.
        size: its width and height in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """

    def bare(figure: Any) -> None:
        draw(figure)
        figure.patch.set_visible(False)
        for axes in figure.axes:
            axes.patch.set_visible(False)

    root = ET.fromstring(figure_bytes(bare, size, ".svg"))
    used = {reference for element in root.iter() for reference in _references(element)}
    tidied = _tidied(root, f"{name}-", used)
    for side in ("width", "height"):
        tidied.attrib.pop(side, None)
    tidied.set("role", "img")
    return ET.tostring(tidied, encoding="unicode", short_empty_elements=True)


def _references(element: ET.Element) -> list[str]:
    found = [match for value in element.attrib.values() for match in _REFERENCE.findall(value)]
    href = element.get(_HREF) or element.get("href") or ""
    return [*found, href[1:]] if href.startswith("#") else found


def _tidied(element: ET.Element, prefix: str, used: set[str]) -> ET.Element:
    """A copy with known shapes and attributes only, and no space for names of its own."""
    copy = ET.Element(element.tag.removeprefix(_SVG))
    copy.text, copy.tail = element.text, element.tail
    for name, value in element.attrib.items():
        if name == "id" and value in used:
            copy.set("id", prefix + value)
        elif name in (_HREF, "href") and value.startswith("#"):
            copy.set("href", f"#{prefix}{value[1:]}")
        elif name == "clip-path" and _REFERENCE.fullmatch(value):
            copy.set(name, _REFERENCE.sub(rf"url(#{prefix}\1)", value))
        elif name == "style":
            style = _styled(value)
            if style:
                copy.set(name, style)
        elif name in _PLACES:
            copy.set(name, value)
    for child in element:
        if isinstance(child.tag, str) and child.tag.removeprefix(_SVG) in _SHAPES:
            copy.append(_tidied(child, prefix, used))
    return copy


def _styled(style: str) -> str:
    """A style with the page's font and the page's colours; nothing where it holds what no picture of ours does."""
    style = _SIZE.sub("", _FONT.sub(r"font-size:\1px", style))
    if not _STYLE.fullmatch(style) or "url" in style:
        return ""
    return _COLOUR.sub(lambda match: f"var(--{_VARIABLES[match[0]]})", style)
