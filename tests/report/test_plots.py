"""What is in the pictures, read back from the SVG."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from charrnn.errors import StorageError
from charrnn.report.plots import Chart, Line, Mark, grid_of_charts, line_chart

pytest.importorskip("matplotlib")

Point = tuple[float, float]
SVG = "{http://www.w3.org/2000/svg}"
NAN = math.nan
FIRST, SECOND = "#0072b2", "#d55e00"
LINE = Line("train", [1, 2, 3], [3.0, 2.0, 1.5])


def draw(path: Path, *lines: Line, log_x: bool = False, marks: tuple[Mark, ...] = (), title: str = "Title") -> Path:
    line_chart(path, lines, title=title, x_label="steps", y_label="nats", log_x=log_x, marks=marks)
    return path


def texts(path: Path) -> dict[str, Point]:
    """The words in a picture and where they stand: from the left, from the top."""
    found = ET.parse(path).iter(f"{SVG}text")
    return {"".join(e.itertext()): (float(e.get("x", 0)), float(e.get("y", 0))) for e in found}


def stroke(path: Path, colour: str) -> list[list[Point]]:
    """The unbroken pieces of the line of a colour."""
    paths = [e for e in ET.parse(path).iter(f"{SVG}path") if f"stroke: {colour}" in e.get("style", "")]
    pieces = [e.get("d", "").split("M")[1:] for e in paths if e.get("clip-path")]
    numbers = [[float(n) for n in re.findall(r"[-\d.]+", piece)] for piece in pieces[0]]
    return [list(zip(piece[::2], piece[1::2], strict=True)) for piece in numbers]


def dots(path: Path, colour: str) -> list[Point]:
    """The points of a colour that stand alone."""
    found = [e for e in ET.parse(path).iter(f"{SVG}use") if f"fill: {colour}" in e.get("style", "")]
    return [(float(e.get("x", 0)), float(e.get("y", 0))) for e in found]


def test_a_line_goes_through_its_points_and_is_named_at_its_end(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.svg", LINE, Line("valid", [1, 2, 3], [3.0, 2.0, 2.5]))
    (((x0, y0), (x1, y1), (x2, y2)),) = stroke(path, FIRST)
    assert x2 - x1 == pytest.approx(x1 - x0)
    assert y2 - y1 == pytest.approx((y1 - y0) / 2)
    assert y1 > y0, "heights are told from the top"
    words = texts(path)
    assert {"steps", "nats", "Title"} < set(words)
    for label, colour in (("train", FIRST), ("valid", SECOND)):
        x, y = stroke(path, colour)[0][-1]
        assert words[label][0] > x
        assert words[label][1] == pytest.approx(y, abs=5.0)


def test_labels_keep_their_distance_in_the_order_of_the_ends(tmp_path: Path) -> None:
    ends = [1.0, 1.01, 5.0, 1.0, 4.99, 1.02]
    path = draw(tmp_path / "a.svg", *(Line(f"line {i}", [0, 1], [3, end]) for i, end in enumerate(ends)))
    heights = {label: y for label, (_, y) in texts(path).items() if label.startswith("line")}
    assert sorted(heights, key=lambda label: heights[label]) == [f"line {i}" for i in (2, 4, 5, 1, 0, 3)]
    assert min(b - a for a, b in pairwise(sorted(heights.values()))) > 9.0, "points: a line of text"
    assert max(heights.values()) < stroke(path, FIRST)[0][-1][1] + 15, "none hangs below the axes"


def test_many_lines_look_and_read_apart(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.svg", *(Line(f"line {i}", [0, 1], [0, 0]) for i in range(28)))
    heights = sorted(y for label, (_, y) in texts(path).items() if label.startswith("line"))
    assert len(heights) == 28
    assert min(b - a for a, b in pairwise(heights)) > 9.0
    looks = [e.get("style", "") for e in ET.parse(path).iter(f"{SVG}path") if e.get("clip-path")]
    assert len({look for look in looks if "stroke-width: 1.6" in look}) == 28


def test_points_that_are_not_finite_are_gaps(tmp_path: Path) -> None:
    y = [1, 2, NAN, 3, math.inf, 4, 5, -1e300]
    path = draw(tmp_path / "a.svg", Line("train", [1, 2, 3, 4, 5, 6, 7, 8], y))
    pieces = stroke(path, FIRST)
    assert [len(piece) for piece in pieces if len(piece) > 1] == [2, 2]
    ((alone, _),) = dots(path, FIRST)
    assert pieces[0][1][0] < alone < pieces[-1][0][0], "a point between two gaps"


def test_what_has_no_place_on_a_logarithmic_axis_is_left_out(tmp_path: Path) -> None:
    points = Line("loss", [-1.0, 0.0, 1e-3, 1e-2, 1e-1], [9, 9, 1, 2, 3])
    marks = (Mark("here", 1e-2), Mark("nowhere", 0.0), Mark("never", NAN))
    path = draw(tmp_path / "a.svg", points, log_x=True, marks=marks)
    (((x0, _), (x1, _), (x2, _)),) = stroke(path, FIRST)
    assert x2 - x1 == pytest.approx(x1 - x0)
    words = texts(path)
    assert words["here"][0] == pytest.approx(x1, abs=0.1)
    assert not {"nowhere", "never"} & set(words)


def test_marks_stand_above_the_data_in_rows(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.svg", LINE, marks=(Mark("one", 2.0), Mark("two", 2.0)))
    words, (highest, *_) = texts(path), stroke(path, FIRST)[0]
    assert words["Title"][1] + 9 < words["two"][1] < words["one"][1] - 9 < highest[1] - 9


def test_lines_without_points_are_named_as_such(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.svg", Line("train", [], []), Line("", [1, 2], [1, 2]))
    assert "train (no points)" in texts(path)
    draw(tmp_path / "b.svg", Line("valid", [1], [NAN]), log_x=True)
    assert "Title" in texts(draw(tmp_path / "c.svg"))


NASTY = ["cost $5 or $6", r"\frac $\alpha$ $\no{such}$", "_hidden", "<b>&amp;", "中文 ∀", "%s {0} -- ]]>", '"quoted"']


@pytest.mark.parametrize("text", NASTY)
def test_texts_of_users_are_shown_as_they_are(tmp_path: Path, text: str) -> None:
    for name in ("a.png", "a.svg"):
        draw(tmp_path / name, Line(text, [1, 2], [1, 2]), title=text, marks=(Mark(text, 1.5),))
    found = ["".join(e.itertext()) for e in ET.parse(tmp_path / "a.svg").iter(f"{SVG}text")]
    assert found.count(text) == 3


def test_a_long_text_loses_its_middle(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.svg", Line("a" * 50 + "1", [1, 2], [1, 2]), Line("two\nlines\x00", [1, 2], [2, 1]))
    assert {"a" * 18 + "…" + "a" * 16 + "1", "two lines"} < set(texts(path))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, phases=[Phase.generate])  # a picture takes too long to shrink what fails
@given(st.text(st.characters(), max_size=60), st.lists(st.tuples(st.floats(), st.floats()), max_size=6), st.booleans())
def test_whatever_is_drawn_is_a_picture(
    tmp_path_factory: pytest.TempPathFactory, text: str, points: list[Point], log_x: bool
) -> None:
    x, y = [x for x, _ in points], [y for _, y in points]
    marks = tuple(Mark(text, value) for value in x)
    path = tmp_path_factory.mktemp("any") / "a.svg"
    draw(path, Line(text, x, y), Line("other", y, x), log_x=log_x, title=text, marks=marks)
    ET.parse(path)


@pytest.mark.parametrize("name", ["a.svg", "a.PNG"])
def test_the_same_data_give_the_same_bytes_whatever_matplotlib_is_set_to(tmp_path: Path, name: str) -> None:
    import matplotlib

    first = draw(tmp_path / name, LINE, marks=(Mark("here", 2.0),)).read_bytes()
    with matplotlib.rc_context({"lines.marker": "s", "axes.facecolor": "black", "svg.hashsalt": "other"}):
        before = dict(matplotlib.rcParams)
        second = draw(tmp_path / name, LINE, marks=(Mark("here", 2.0),)).read_bytes()
        assert dict(matplotlib.rcParams) == before
    assert first == second
    assert re.search(rb"20\d\d-\d\d|matplotlib\.org", first) is None
    assert first.startswith(b"\x89PNG" if name == "a.PNG" else b"<?xml")


def test_threads_draw_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda i: draw(tmp_path / f"{i}.svg", LINE), range(4)))
    assert len({path.read_bytes() for path in paths}) == 1


def test_a_grid_is_filled_row_by_row(tmp_path: Path) -> None:
    charts = [Chart([LINE], f"chart {i}", "x", "y") for i in range(5)]
    grid_of_charts(tmp_path / "a.svg", charts, columns=3)
    words = texts(tmp_path / "a.svg")
    places = [words[f"chart {i}"] for i in range(5)]
    assert places[0][1] == places[1][1] == places[2][1] < places[3][1] == places[4][1]
    assert places[0][0] == places[3][0] < places[1][0] == places[4][0] < places[2][0]


def test_a_picture_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    path = draw(tmp_path / "deep" / "er" / "a.svg", LINE)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"uneven.* 2 x and 1 y"):
        Line("uneven", [1, 2], [1])
    with pytest.raises(ValueError, match="at least one chart"):
        grid_of_charts(path, [])
    assert path.read_bytes() == before
    with pytest.raises(StorageError) as error:
        draw(path / "b.svg", LINE)
    assert error.value.exit_code == 7
    assert [entry.name for entry in path.parent.iterdir()] == ["a.svg"]
