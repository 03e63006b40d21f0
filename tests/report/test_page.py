"""The page that tells of runs: what is on it, that it is safe, and that it is whole where something is missing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import needs_browser, picture, visit
from reportlab import make_hostile, make_hostile_labels, make_runs

from charrnn.errors import UsageError
from charrnn.report import page as pages
from charrnn.report.page import MOST_RUNS, Page, html, read_page, write_page
from charrnn.report.passages import corpus_of, read_passage
from charrnn.report.told import Budget, names_of, tell
from charrnn.runs.evaluate import POSITIONS
from charrnn.runs.folder import RunFolder

pytest.importorskip("matplotlib")

VOID = {"meta", "link", "br", "path", "use", "rect", "circle"}


class Elements(HTMLParser):
    """The elements of a page and its words; an element that is not closed where it must be is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag
        if tag in ("td", "th", "p", "li", "h2", "h3", "figcaption"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of each task; tests must not change them."""
    return make_runs(tmp_path_factory.mktemp("runs"))


def read(places: Sequence[Path], corpora: Path | None = None) -> Page:
    where = corpora or places[0].parent / "corpora"
    return read_page(places, where, lambda: None, lambda done: None)


def elements(*places: Path, corpora: Path | None = None) -> Elements:
    return Elements(html(read(places, corpora)))


def harmless(found: Elements) -> None:
    """Nothing of a page runs, or asks for anything from elsewhere."""
    assert not {"script", "iframe", "object", "embed", "img", "form", "base", "foreignobject"} & set(found.tags)
    for tag, name, value in found.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("src", "action", "srcset", "data"), (tag, name)
        assert not (name == "href" and not value.startswith(("#", "data:,"))), (tag, value)
        assert "url(" not in value.replace("url(#", ""), (tag, name, value)
    assert not [c for c in found.text if ord(c) < 32 or c in "\u202e\u2066\x9b"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "language",
            ["bits per character", "Its validation text, by surprise", "Samples as training went on", "Kneser"],
        ),
        (
            "classify",
            ["accuracy", "What it confuses", "how often right, by how sure", "always the most frequent label"],
        ),
        (
            "rate",
            ["RMSE", "MAE, in units of the ratings", "always the mean rating", "15 of 15 items", "12 of 12 users"],
        ),
        ("vectors", ["loss, nats", "Maps of its vectors", "no simpler model of vectors is measured here"]),
    ],
)
def test_a_run_of_each_task_is_told_of(runs: dict[str, Path], name: str, expected: list[str]) -> None:
    found = elements(runs[name])
    harmless(found)
    for words in (*expected, "How good", "How long", "PyTorch", "charrnn train", "train.epochs", "finished"):
        assert words in found.text
    drawn = found.tags.count("svg")
    assert drawn >= 4
    ids = [value for _, attribute, value in found.attributes if attribute == "id"]
    assert len(set(ids)) == len(ids), "no two pictures share a name"
    used = {value[1:] for tag, attribute, value in found.attributes if attribute == "href" and value.startswith("#")}
    assert used <= set(ids)


def test_the_best_figure_stands_on_top_with_its_unit(runs: dict[str, Path]) -> None:
    records = [json.loads(line) for line in (runs["language"] / "metrics.jsonl").read_text().splitlines()]
    best = min((r for r in records if r["split"] == "valid"), key=lambda r: r["nats"])
    text = elements(runs["language"]).text
    assert f"{best['bits_per_char']:.4f} bits per character" in text
    assert f"the best validation, after {best['step']:,} updates" in text


def test_several_runs_are_compared_by_what_differs_and_nothing_else(runs: dict[str, Path]) -> None:
    page = read([runs["language"], runs["other"]])
    loss = page.panels[0]
    assert [(curve.name, curve.part) for curve in loss.curves] == [
        ("language", "training"),
        ("language", "validation"),
        ("other", "training"),
        ("other", "validation"),
    ]
    for curve in loss.curves:
        split = {"training": "train", "validation": "valid"}[curve.part]
        lines = (runs[curve.name] / "metrics.jsonl").read_text().splitlines()
        records = [record for record in map(json.loads, lines) if record["split"] == split]
        assert list(curve.x) == [record["step"] for record in records]
        assert list(curve.y) == [record["bits_per_char"] for record in records]
    found = Elements(html(page))
    harmless(found)
    between = found.text.split("What differs between their configs")[1].split("Curves")[0]
    assert re.findall(r"[a-z_.]+\.[a-z_]+", between) == ["train.epochs", "train.optimizer.lr"]
    assert "train.epochs 4 2 train.optimizer.lr 0.02 0.001" in between


def test_the_passage_is_the_validation_text_and_its_surprise_the_models(runs: dict[str, Path]) -> None:
    told = tell(RunFolder(runs["language"]), 0, "language", Budget.of(1))
    corpus = corpus_of(told, runs["language"].parent / "corpora")
    tokens = corpus.split("valid").tokens
    reading = read_passage(told, corpus, 10_000, lambda: None)
    assert "".join(symbol.text for symbol in reading.passage).replace("↵", "") == corpus.vocabulary.decode(tokens)
    best = min((json.loads(line) for line in told.run.metrics.read_text().splitlines() if '"valid"' in line),
               key=lambda record: record["nats"])  # fmt: skip
    assert reading.mean == pytest.approx(best["nats"], abs=0.05), (
        "validation reads three lanes, each from its own start"
    )
    assert [symbol.shade for symbol in reading.passage] == [min(9, int(s.nats / 0.75)) for s in reading.passage]
    assert len(reading.positions) == 64
    assert POSITIONS.startswith("mean nats at position k")
    assert next(name.split(" of ")[0] for name, _ in reading.baselines) == "n-gram"
    short = read_passage(told, corpus, 7, lambda: None)
    assert [symbol.nats for symbol in short.passage] == [symbol.nats for symbol in reading.passage[:7]]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("hostile")
    return [make_hostile(folder / "text"), make_hostile_labels(folder / "labels")]


def test_nothing_that_a_run_says_becomes_a_part_of_the_page(hostile: list[Path]) -> None:
    for run in hostile:
        found = elements(run)
        harmless(found)
        assert "<script>document.title=" in found.text, "it is told, as text"
    assert "{{ 7 * 7 }}" in elements(hostile[0]).text


@pytest.mark.slow
@needs_browser
def test_a_hostile_run_does_nothing_in_a_browser(hostile: list[Path], tmp_path: Path) -> None:
    for number, run in enumerate([[hostile[0]], [hostile[1]], hostile]):
        path = tmp_path / f"{number}.html"
        write_page(path, read(run, hostile[0].parent / "corpora"))
        seen = visit(path)
        assert seen.console == []
        assert "<title>owned" not in seen.dom
        assert "<script" not in seen.dom
        assert "<img" not in seen.dom


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize(("width", "dark"), [(400, False), (400, True), (1400, False), (1400, True)])
def test_a_page_is_drawn_in_light_and_dark_narrow_and_wide(
    runs: dict[str, Path], tmp_path: Path, width: int, dark: bool
) -> None:
    from matplotlib import image

    path = tmp_path / "page.html"
    write_page(path, read([runs["language"]]))
    picture(path, tmp_path / "page.png", width, 900, dark)
    pixels = image.imread(tmp_path / "page.png")[..., :3]
    assert pixels.shape[1] == width
    paper = pixels[2, 2]
    assert (paper.mean() < 0.2) == dark
    assert (abs(pixels - paper).max(axis=-1) > 0.3).mean() > 0.01, "something is written on it"


def test_what_is_missing_is_said_where_it_would_stand(runs: dict[str, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs["language"], run)
    text = elements(run, corpora=tmp_path / "nowhere").text
    assert "Its validation text, by surprise The" not in text
    assert "Not here: the text that the run was trained on is not prepared here" in text
    (run / "samples.jsonl").unlink()
    shutil.rmtree(run / "checkpoints")
    (run / "config.yaml").unlink()
    (run / "metrics.jsonl").write_text('nonsense\n{"split": "valid", "step": 3, "epoch": 1, "nats": "nan"}\n')
    text = elements(run, corpora=tmp_path / "nowhere").text
    for words in ("None was written", "1 lines of the records cannot be read", "there is no readable", "damaged"):
        assert words in text
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").mkdir()
    assert "the records cannot be read" in elements(run, corpora=tmp_path / "nowhere").text


def test_without_matplotlib_the_page_says_so_in_place_of_each_plot(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages.Drawing, "__init__", lambda self: setattr(self, "able", False))
    found = elements(runs["classify"])
    assert "svg" not in found.tags
    assert "pip install 'charrnn[plots]'" in found.text


@pytest.mark.slow
def test_a_page_of_as_many_runs_as_there_may_be_stays_below_two_megabytes(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    places = []
    for number in range(MOST_RUNS):
        places.append(tmp_path / f"run-{number}")
        shutil.copytree(runs["language"], places[-1])
        with (places[-1] / "metrics.jsonl").open("a") as file:
            for step in range(1000, 2000):
                file.write(json.dumps({"step": step, "split": "train", "epoch": 9, "bits_per_char": step % 7}) + "\n")
    assert len(html(read(places, runs["language"].parent / "corpora")).encode()) < 2_000_000
    with pytest.raises(UsageError, match="24 runs at most"):
        read([*places, places[0]])


def test_runs_are_called_by_so_much_of_their_paths_as_tells_them_apart() -> None:
    assert names_of([Path("/runs/a"), Path("/runs/b")]) == ["a", "b"]
    assert names_of([Path("/x/seed-1/run"), Path("/x/seed-2/run")]) == ["seed-1/run", "seed-2/run"]
    assert names_of([Path("/x/run"), Path("/x/run")]) == ["run (1)", "run (2)"]
