from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import readme
from lab import CONFIG, TEXT, Lab

PAGE = f"above\n{readme.BEGIN}\nold\n{readme.END}\nbelow\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("readme")
    (place / "text.txt").write_text(TEXT + "def The value of a generator is not a banana.statrwv ", encoding="utf-8")
    (place / "config.yaml").write_text(CONFIG.replace("[0.7, 0.2, 0.1]", "[rest, 100, 0]"), encoding="utf-8")
    Lab(place).train("runs/it", "new", None, "train.max_steps=3")
    return str(place / "runs/it")


@pytest.mark.slow
def test_the_terminal_shows_what_was_typed_and_printed_and_fetches_nothing(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readme, "ROOT", Path(run).parents[1])
    picture = readme.terminal("runs/it")
    text = "".join(ElementTree.fromstring(picture).itertext()).replace("\xa0", " ")
    for typed in ("$ charrnn sample runs/it --seed 'The '", "| charrnn score runs/it - --color", "$ charrnn runs"):
        assert typed in text
    for printed in ("next character", "nats/symbol"):
        assert printed in text
    assert "@font-face" not in picture
    assert "url(http" not in picture


@pytest.mark.slow
def test_the_sample_takes_the_place_of_the_former_one(run: str) -> None:
    once = readme.with_sample(PAGE, run)
    assert once.startswith(f"above\n{readme.BEGIN}\n```\n$ charrnn sample ")
    assert once.endswith(f"\n```\n{readme.END}\nbelow\n")
    assert "old" not in once
    assert readme.with_sample(once, run) == once


def test_a_page_without_a_place_for_it_is_an_error() -> None:
    with pytest.raises(ValueError, match="README"):
        readme.with_sample("no marks", "run")


def test_the_readme_has_the_place_and_shows_the_pictures() -> None:
    page = readme.results.README.read_text(encoding="utf-8")
    assert page.count(readme.BEGIN) == page.count(readme.END) == 1
    for picture in (readme.TERMINAL, readme.CURVE):
        assert f"(docs/{picture.name})" in page
        assert picture.is_file()
