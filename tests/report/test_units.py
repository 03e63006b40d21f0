"""A text coloured by a unit."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from charrnn.report.units import COLUMNS, LINES, Coloured, draw_units, most_telling

pytest.importorskip("matplotlib")


def shown(path: Path) -> list[str]:
    """The texts of an SVG, in order."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_character_is_written_safely(tmp_path: Path) -> None:
    text = 'a<b>&"$x$\\alpha]]>\n\t\x00\x1b\u202e漢\ud800e'
    states = np.linspace(-1, 1, len(text))
    draw_units(tmp_path / "a.svg", [Coloured("unit <1> $2$", list(text), states)])
    title, *characters = sorted(shown(tmp_path / "a.svg"), key=lambda found: len(found) < 2)
    assert title == "unit <1> $2$"
    assert "".join(characters) == 'a<b>&"$x$\\alpha]]>↵→···漢·e'


def test_what_has_no_room_is_cut_off(tmp_path: Path) -> None:
    wide = "x" * (COLUMNS + 3) + "\n"
    text = wide + "y\n" * (LINES + 5)
    draw_units(tmp_path / "a.svg", [Coloured("t", [text], np.zeros(1)), Coloured("u", ["", "z"], np.ones(2))])
    found = shown(tmp_path / "a.svg")
    assert found.count("x") == COLUMNS + 3
    assert found.count("y") == LINES - 2
    assert found.count("z") == 1


def test_the_same_text_gives_the_same_picture(tmp_path: Path) -> None:
    passage = Coloured("t", list("some text\nof two lines"), np.arange(22.0))
    for name in ("a.svg", "b.svg", "a.png"):
        draw_units(tmp_path / name, [passage])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert re.search(rb"<image", (tmp_path / "a.svg").read_bytes()), "the colours"


def test_states_that_do_not_move_or_are_no_numbers_are_drawn(tmp_path: Path) -> None:
    for states in (np.zeros(3), np.array([np.nan, 1.0, np.inf]), np.full(3, np.nan)):
        draw_units(tmp_path / "a.svg", [Coloured("t", list("abc"), states)])
        assert "".join(shown(tmp_path / "a.svg")) == "abct"


def test_the_passage_is_where_the_feature_changes_most() -> None:
    values = np.array([0, 0, 0, 0, 1, 0, 1, 0, 1, 1], bool)
    assert most_telling(values, [0, 2, 4, 8], 4) == 4
    assert most_telling(np.zeros(9), [3, 5], 4) == 3
