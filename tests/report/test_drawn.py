"""Pictures as parts of a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from charrnn.report.drawn import drawn
from charrnn.report.maps import Map, draw_map
from charrnn.report.panels import Curve, Panel, reliability_panel

pytest.importorskip("matplotlib")

TRAINING = Curve(0, "a", "training", [1, 2], [3.0, 1.0])
PANEL = Panel("loss", "loss", "updates", [TRAINING, Curve(1, "b", "validation", [1, 2], [2.0, 1.5])])


def strokes(svg: str) -> list[str]:
    """The colours of the lines of data, which are clipped to the axes."""
    paths = [e for e in ET.fromstring(svg).iter("path") if e.get("clip-path") and "--grid" not in e.get("style", "")]
    return [found[1] for e in paths for found in [re.search(r"stroke: (\S+?)(;|$)", e.get("style", ""))] if found]


def test_colours_are_those_of_the_page_and_names_those_of_the_picture() -> None:
    one, other = PANEL.svg("p1"), PANEL.svg("p2")
    assert strokes(one) == ["var(--c0)", "var(--c1)"]
    assert not re.findall(r"#[0-9a-fA-F]{6}", one)
    ids = set(re.findall(r' id="([^"]*)"', one))
    assert ids
    assert all(name.startswith("p1-") for name in ids)
    assert not ids & set(re.findall(r' id="([^"]*)"', other))
    assert one.replace("p1-", "p2-") == other, "the same data give the same picture"
    root = ET.fromstring(one)
    assert root.get("viewBox")
    assert root.get("width") is None
    assert "style" not in {element.tag for element in root.iter()}, "a sheet inside would be one of the whole page"


def test_what_a_picture_never_holds_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1" '
        'onload="x()"><script>x()</script><!-- x --><foreignObject/><a xlink:href="javascript:x()"/>'
        '<use xlink:href="http://x/#y"/><path d="M0 0" style="fill: url(http://x)" onclick="x()" id="free"/>'
        "<text style=\"font: 9px 'DejaVu Sans', sans-serif; fill: #222222\">&lt;script&gt;</text></svg>"
    )
    monkeypatch.setattr("charrnn.report.drawn.figure_bytes", lambda draw, size, suffix: svg.encode())
    found = drawn("p", lambda figure: None, (1.0, 1.0))
    assert found == (
        '<svg viewBox="0 0 1 1" role="img"><use /><path d="M0 0" />'
        '<text style="font-size:9px; fill: var(--ink)">&lt;script&gt;</text></svg>'
    )


def test_a_name_on_a_map_is_text_and_those_of_the_right_half_end_at_their_points() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.5], [0.5, 1.0]])
    shown = Map("", (), ["<b>&", "right", "\x1b[31m" + "long" * 20], points)

    svg = drawn("p", lambda figure: draw_map(figure, shown, 4.0), (4.0, 4.0))
    texts = {"".join(e.itertext()): e.get("style", "") for e in ET.fromstring(svg).iter("text")}
    assert list(texts)[:2] == ["<b>&", "right"]
    assert "text-anchor: end" in texts["right"]
    assert "end" not in texts["<b>&"]
    assert len(list(texts)[2]) <= 16


def lines(svg: str, colour: str) -> list[ET.Element]:
    """The lines of data of a colour."""
    paths = [e for e in ET.fromstring(svg).iter("path") if e.get("clip-path")]
    return [e for e in paths if f"stroke: var(--{colour})" in e.get("style", "") and "fill: none" in e.get("style", "")]


def test_training_is_finer_than_validation_and_a_gap_stays_one() -> None:
    svg = PANEL.svg("p")
    fine, strong = (lines(svg, colour)[0].get("style", "") for colour in ("c0", "c1"))
    width = [float(re.findall(r"stroke-width: ([\d.]+)", style)[0]) for style in (fine, strong)]
    assert width[0] < width[1]
    gap = Panel("l", "l", "x", [Curve(0, "a", "validation", [1, 2, 3, 4, 5], [1.0, 2.0, float("nan"), 2.0, 1.0])])
    (line,) = lines(gap.svg("p"), "c0")
    assert len(re.findall("M", line.get("d", ""))) == 2


def test_a_chart_of_its_own_names_its_lines() -> None:
    assert [line.label for line in PANEL.chart().lines] == ["a, training", "b, validation"]
    alone = Panel("l", "l", "x", [TRAINING])
    assert [line.label for line in alone.chart().lines] == ["training"]


@pytest.mark.parametrize("calibration", [None, "x", [{"confidence": 1}], [[1, 2]]])
def test_records_without_a_calibration_draw_none(calibration: Any) -> None:
    class Run:
        number, name = 0, "a"
        history = type("History", (), {"details": {"calibration": calibration}})()

    assert reliability_panel([Run()]) is None  # type: ignore[list-item]
