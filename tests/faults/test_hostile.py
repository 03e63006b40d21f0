"""Files and texts of somebody who means harm: nothing is run, waited for, filled up, or steered by them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pickle
import shutil
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import STEERING, ends_well, no_more_than, put
from lab import Lab
from labelling import ALL, Workplace
from ledger import Ledger
from ratinglab import table

from charrnn.checkpoint.layout import MANIFEST, checkpoints
from charrnn.cli import common
from charrnn.config import explain
from charrnn.config.load import load_config
from charrnn.config.schema import Ratings
from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.given_labels import read_labels, write_labels
from charrnn.corpus.given_ratings import read_ratings
from charrnn.corpus.prepare import prepare
from charrnn.corpus.rating_tables import prepare_ratings
from charrnn.errors import ConfigError, DataError
from charrnn.logs.console import Console
from charrnn.report.picture import plain
from charrnn.runs.use import open_model
from charrnn.text import blocks
from charrnn.text.vectors_file import read_vectors

CONFIG = """\
corpus: {source: text.txt}
stream: {lanes: 2, chunk: 8}
model: {input: {size: 3}, core: {hidden: 4, layers: 1}}
train: {max_steps: 2, tensorboard: false}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A finished tiny run, to be copied and spoiled."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "text.txt").write_text("a text of few letters, to be read again\n" * 20)
    (folder / "config.yaml").write_text(CONFIG)
    lab = Lab(folder)
    lab.train("run")
    return lab


class Payload:
    """A pickle that leaves a trace when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("code-was-run",)


def copied(lab: Lab) -> Path:
    """The checkpoint of a fresh copy of the run."""
    shutil.rmtree(lab.path / "spoiled", ignore_errors=True)
    shutil.copytree(lab.path / "run", lab.path / "spoiled")
    return checkpoints(lab.path / "spoiled" / "checkpoints")[-1]


def test_no_pickle_is_ever_loaded(ledger: Ledger, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = ledger.fault("a pickle in place of a checkpoint's file")
    monkeypatch.chdir(tmp_path)
    names = sorted(path.name for path in copied(lab).iterdir())
    for name in [*names, "model.pt", "pytorch_model.bin"]:
        folder = copied(lab)
        put(folder, name, pickle.dumps(Payload())) if name != MANIFEST else (folder / name).write_bytes(
            pickle.dumps(Payload())
        )
        error = ends_well(count, lambda folder=folder: open_model(folder, lab.path))
        resumed = ends_well(count, lambda: lab.train("spoiled", "resume", None, "train.max_steps=3"))
        assert (error or resumed) is not None or name not in names
        assert not (tmp_path / "code-was-run").exists()


def test_a_header_of_a_hundred_megabytes(ledger: Ledger, lab: Lab) -> None:
    count = ledger.fault("a header of 100 MB in a checkpoint")
    header, folder = b" " * 99_999_998 + b"{}", copied(lab)
    put(folder, "model.safetensors", struct.pack("<Q", len(header)) + header)
    with no_more_than(400):
        assert ends_well(count, lambda: open_model(folder, lab.path)) is not None


def named_by(key: str, place: Path, work: Workplace) -> Callable[[], object]:
    """Something that reads the file which a key of a config names."""
    if key == "extends":
        (work.folder / "config.yaml").write_text(f"extends: {place}\n")
        return lambda: load_config(work.folder / "config.yaml")
    if key == "corpus.source":
        return lambda: prepare(Corpus(source=str(place)), base=work.folder, corpora=work.corpora)
    if key == "corpus.source (ratings)":
        return lambda: prepare_ratings(Ratings(source=str(place)), base=work.folder, corpora=work.corpora)
    if key == "corpus.source (pictures)":
        return lambda: work.prepare(kind="images", source=str(place), labels=str(place), split=ALL)
    if key == "model.input.pretrained":
        return lambda: read_vectors(place, ["a"])
    if key == "stream.mix.*.source (ratings)":
        work.write("ratings.csv", table())
        corpus = prepare_ratings(Ratings(source="ratings.csv"), base=work.folder, corpora=work.corpora).corpus
        return lambda: read_ratings(place, corpus)
    labelled = work.corpus("text,label\na,a\nb,b\n", text="text", label="label", split=ALL)
    return lambda: read_labels(place, labelled)


def test_pipes_and_devices_are_not_waited_for(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("a pipe or an endless device in place of a file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    keys = ["extends", "corpus.source", "corpus.source (ratings)", "corpus.source (pictures)", "model.input.pretrained"]
    for key in [*keys, "stream.mix.*.source (ratings)", "stream.mix.*.source (labels)"]:
        for place in ("pipe", "link"):
            error = ends_well(count, named_by(key, tmp_path / place, Workplace(tmp_path)))
            assert error is not None, (key, place)
            assert "neither a file nor" in f"{error.block()}".lower()


def test_a_gzip_file_that_never_stops_unpacking(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = ledger.fault("a gzip file that unpacks a thousandfold")
    monkeypatch.setattr(blocks, "_BOMB_BYTES", 4 << 20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress((b"a" * 5000 + b",1 1\n") * 2000, 9))
    (tmp_path / "text.gz").write_bytes(
        gzip.compress(bytes(np.random.default_rng(1).integers(97, 123, 6 << 20, np.uint8)), 1)
    )
    work = Workplace(tmp_path)
    bomb: list[Callable[[], object]] = [
        lambda: prepare(Corpus(source="bomb.gz"), base=tmp_path, corpora=work.corpora),
        lambda: work.prepare(source="bomb.gz", kind="table", text=1, label=2, header=False, split=ALL),
        lambda: read_vectors(tmp_path / "bomb.gz", ["a"]),
    ]
    for read in bomb:
        error = ends_well(count, read)
        assert error is not None
        assert error.what == "the gzip file unpacks to more than 200 times its size"
    assert list(work.corpora.iterdir()) == []
    assert ends_well(count, lambda: prepare(Corpus(source="text.gz"), base=tmp_path, corpora=work.corpora)) is None


BOMBS = {
    "keys": "".join(f"key{number}: 1\n" for number in range(5_000)),
    "items": "corpus: {source: x}\nsample: {stop: [" + "1," * 5_000 + "]}\n",
    "parts": "corpus: {source: x}\nstream: {mix: {" + "".join(f"k{i}: {{source: a}}," for i in range(1500)) + "}}\n",
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
    "tag": "corpus: !!python/object/apply:os.mkdir [code-was-run]\n",
    "deep": "[" * 500_000,
    "scalar": "corpus: {source: x}\ntrain: {max_steps: " + "9" * 900_000 + "}\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_configs_that_would_take_forever(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bomb.yaml").write_text(BOMBS[name])
    explained: list[object] = []
    one = explain._explain_one
    monkeypatch.setattr(explain, "_explain_one", lambda *what: explained.append(what) or one(*what))
    with no_more_than(200):
        error = ends_well(
            ledger.fault("a config made to take all time or memory"), lambda: load_config(Path("bomb.yaml"))
        )
    assert isinstance(error, ConfigError)
    assert len(error.what) < 40_000
    assert len(explained) <= 2 * explain.MOST_TOLD, "advice takes time"
    assert not Path("code-was-run").exists()


class Terminal(io.StringIO):
    """Standard output, or standard error, on a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def harmless(text: str) -> bool:
    """Whether nothing in a text can steer a terminal."""
    return all(c.isprintable() or c in "\n\t" or c in "\u200e\u200f" for c in text)


def test_no_text_steers_a_terminal(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    count = ledger.fault("escape sequences and markup in texts, names and labels")
    for text in STEERING:
        with count.trial():
            out, err = Terminal(), io.StringIO()
            monkeypatch.setattr("sys.stdout", out)
            common.write(f"a {text} name\n")
            common.write_json({"name": text, text: [text]})
            console = Console(stream=err, environ={})
            console.note(text)
            console.start(Path(text.replace("\0", "")), 1, 2, 3, "cpu")
            console.sample(1, text)
            assert harmless(out.getvalue()), out.getvalue()
            assert harmless(err.getvalue()), err.getvalue()
            told = json.loads(out.getvalue().splitlines()[-1])
            assert (told["name"], told[text]) == (text, [text]), "JSON means what it meant"
            assert text.startswith("[") <= (text in out.getvalue()), "markup is a text like any other"


def test_elsewhere_a_text_is_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    common.write("\x1b[31m")
    assert capsys.readouterr().out == "\x1b[31m"


def test_no_name_breaks_a_picture(ledger: Ledger, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from charrnn.report.maps import Map, draw_maps
    from charrnn.report.plots import Line, line_chart

    count = ledger.fault("names that would break or script a picture")
    names = [*STEERING, "$\\frac{", "<script>alert(1)</script>", "]]>", "-->", "&amp;", "\ufffe"]
    with count.trial():
        points = np.arange(2.0 * len(names)).reshape(-1, 2)
        draw_maps(tmp_path / "map.svg", [Map(names[0], names[:3], names, points)])
        lines = [Line(name, [1, 2], [1, 2]) for name in names]
        line_chart(tmp_path / "chart.svg", lines, title=names[1], x_label=names[2], y_label="$x_{")
        for picture in ("map.svg", "chart.svg"):
            root = ET.parse(tmp_path / picture).getroot()
            assert not [node for node in root.iter() if node.tag.endswith("}script")]
    assert plain("a\x1b\nb", 9) == "a  b"


def test_a_spreadsheet_finds_no_formula_in_the_column_for_people(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("formulas in texts that a spreadsheet would open")
    work = Workplace(tmp_path)
    texts = ["=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(A1)", "a = b"]
    with count.trial():
        corpus = work.corpus(
            "text,label\n" + "".join(f'"{text}",=label{i % 2}\n' for i, text in enumerate(texts)),
            text="text", label="label", split=ALL,
        )  # fmt: skip
        given = "item,label\n" + "".join(f"train:{i},=label{i % 2}\n" for i in range(len(texts)))
        work.write("given.csv", given)
        labels = read_labels(tmp_path / "given.csv", corpus)
        write_labels(tmp_path / "labels.csv", corpus, labels)
        with (tmp_path / "labels.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["text"] for row in rows] == [f"'{text}" for text in texts[:4]] + texts[4:]
        assert [row["label"] for row in rows] == [f"=label{i % 2}" for i in range(5)], "labels are read back"
        again = read_labels(tmp_path / "labels.csv", corpus)
        assert again.label_N.tolist() == labels.label_N.tolist()


def test_a_picture_of_the_size_of_a_disk_is_refused(tmp_path: Path) -> None:
    work = Workplace(tmp_path)
    work.write("x", bytes([0, 0, 8, 3]) + struct.pack(">3I", 1, 1 << 14, 1 << 14) + b"x")
    with pytest.raises(DataError, match="impossibly large"):
        work.prepare(kind="images", source="x", labels="x", split=ALL)
