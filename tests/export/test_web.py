"""The page as text: what it holds, what it refuses, and that nothing in it can break out of its place."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from exporting import LETTERS, network, saved

from charrnn.errors import StorageError, UsageError
from charrnn.export.heldout import Measure
from charrnn.export.tables import tables_of
from charrnn.export.web import export_web, page
from charrnn.runs.use import OpenModel
from charrnn.text.vocabulary import Vocabulary

SCRIPTS = 7  # the model, its weights, and five of ours


def no_check() -> None:
    pass


class Scripts(HTMLParser):
    """The scripts of a page, and every tag that it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.tags: list[str] = []
        self.inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data


@pytest.fixture
def model(tmp_path: Path) -> OpenModel:
    return saved(tmp_path / "runs" / "letters", network("lstm"))


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
def test_the_page_holds_every_number_once(model: OpenModel, half: bool) -> None:
    scripts = Scripts(page(model, half)).scripts
    assert len(scripts) == SCRIPTS
    about, data = json.loads(scripts[0]), base64.b64decode(scripts[1], validate=True)
    numbers = np.frombuffer(data, "<f2" if half else "<f4")
    assert about["vocabulary"] == LETTERS.to_json()
    assert about["type"] == ("float16" if half else "float32")
    at = 0
    for (name, array), (told, shape) in zip(tables_of(model).named(), about["tensors"], strict=True):
        assert (name, list(array.shape)) == (told, shape)
        np.testing.assert_array_equal(numbers[at : at + array.size], array.astype(numbers.dtype).ravel())
        at += array.size
    assert at == numbers.size


def test_a_tied_matrix_is_held_once(tmp_path: Path) -> None:
    names = [name for name, _ in tables_of(saved(tmp_path / "a", network("lstm", "tied"))).named()]
    assert "rows" in names
    assert "output.weight" not in names
    normed = tables_of(saved(tmp_path / "b", network("lstm", "batchnorm-dense-tied"))).named()
    assert "output.weight" in [name for name, _ in normed]  # the rows are not the table any more


def test_no_symbol_and_no_name_can_break_out(tmp_path: Path) -> None:
    nasty = tuple(sorted("<>&'\"/! -script\x00\x01\n\r\t\x85\u2028\u2029\u202e\u2066\ufeff\u0301\U0001f600\ue000"))
    run = tmp_path / "<img src=x onerror=alert(1)>"
    html = page(saved(run, network("gru"), Vocabulary("char", (), nasty), sample={"seed": "</script><script>!--"}))
    plain = page(saved(tmp_path / "plain", network("gru")))
    assert Scripts(html).tags == Scripts(plain).tags
    assert json.loads(Scripts(html).scripts[0])["vocabulary"]["symbols"] == list(nasty)
    assert "<img" not in html
    assert html.isascii() or not set(html) & set("\u2028\u2029\u202e\u2066\ufeff\x00\x85")


def test_the_page_asks_for_nothing_from_elsewhere(model: OpenModel) -> None:
    html = page(model)
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|fetch\(|import\(|XMLHttpRequest|WebSocket", html)


def test_half_costs_little_and_says_how_much(model: OpenModel, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("abc def ghij " * 60)
    whole = export_web(model, tmp_path / "a" / "whole.html", None, no_check)
    small = export_web(model, tmp_path / "a" / "small.html", Measure(tmp_path, tmp_path / "text.txt"), no_check)
    assert whole["fp16"] is None
    assert whole["bytes"] == (tmp_path / "a" / "whole.html").stat().st_size > small["bytes"]
    assert small["fp16"]["text"] == "12 × 65 symbols of text.txt"
    assert 0.0 < abs(small["fp16"]["lost_nats"]) < 1e-2


def test_a_weight_that_is_too_large_for_half_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not fit into 16 bits"):
        page(saved(tmp_path, network("lstm"), scale=1e6), half=True)


def test_only_a_page_of_ours_is_replaced(model: OpenModel, tmp_path: Path) -> None:
    place = tmp_path / "letters.html"
    export_web(model, place, None, no_check)
    first = place.read_text()
    export_web(model, place, None, no_check)
    assert place.read_text() == first  # the same model is the same page
    place.write_text("<html>mine")
    with pytest.raises(UsageError, match="no page of charrnn's"):
        export_web(model, place, None, no_check)
    assert place.read_text() == "<html>mine"
    with pytest.raises(UsageError, match="a folder, and the page is a file"):
        export_web(model, tmp_path, None, no_check)
    with pytest.raises(StorageError):
        export_web(model, place / "below.html", None, no_check)


def test_the_page_opens_with_what_the_model_writes_after_its_seed(tmp_path: Path) -> None:
    model = saved(tmp_path, network("lstm"), sample={"seed": "abc, def", "stop": ["a"]})
    opening = json.loads(Scripts(page(model)).scripts[0])["opening"]
    assert opening.startswith("abc def")  # it knows no comma
    assert len(opening) == len("abc def") + 280


def test_what_opens_the_page_neither_begins_nor_ends_within_a_character(tmp_path: Path) -> None:
    model = saved(tmp_path, network("lstm"), Vocabulary("byte", tuple(range(256)), ()))
    opening = json.loads(Scripts(page(model)).scripts[0])["opening"]
    assert len(opening) > 50
    assert opening == opening.strip("\ufffd")
