"""What is on a map, read back from the SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import UsageError
from charrnn.report.maps import Map, draw_maps

pytest.importorskip("matplotlib")

SVG = "{http://www.w3.org/2000/svg}"


def words(path: Path) -> list[str]:
    return ["".join(e.itertext()) for e in ET.parse(path).iter(f"{SVG}text")]


def points(path: Path) -> list[tuple[float, float]]:
    found = [e for e in ET.parse(path).iter(f"{SVG}use") if "fill: #0072b2" in e.get("style", "")]
    return [(float(e.get("x", 0)), float(e.get("y", 0))) for e in found]


def test_every_point_is_drawn_and_named_where_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "map.svg"
    places = np.array([[0.0, 0.0], [4.0, 1.0], [0.01, 0.01], [2.0, 5.0]])
    draw_maps(path, [Map("run: PCA", ("variance 1", "0.5"), ["king", "$x$", "hidden", "<space>"], places)])
    assert sorted(words(path)) == sorted(["king", "$x$", "<space>", "run: PCA", "variance 1", "0.5"])
    assert "hidden" not in words(path), "it would lie on `king`, which is more frequent"
    (x0, y0), (x1, y1), _, (x3, y3) = points(path)
    assert (x1 - x0) / (x3 - x0) == pytest.approx(2.0, rel=1e-3)
    assert (y0 - y3) / (y0 - y1) == pytest.approx(5.0, rel=1e-3), "heights are told from the top"
    assert (x1 - x0) / (y0 - y1) == pytest.approx(4.0, rel=1e-3), "both axes have one scale"


def test_maps_stand_side_by_side_and_long_names_are_cut(tmp_path: Path) -> None:
    one = Map("one", (), ["a" * 40], np.zeros((1, 2)))
    draw_maps(tmp_path / "maps.svg", [one, Map("two", (), ["b"], np.ones((1, 2)))])
    assert len(points(tmp_path / "maps.svg")) == 2
    assert "a" * 23 + "…" in words(tmp_path / "maps.svg")


def test_a_picture_has_a_suffix_that_is_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        draw_maps(tmp_path / "map.gif", [Map("", (), ["a"], np.zeros((1, 2)))])
