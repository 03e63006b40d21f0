"""What charrnn itself writes, spoiled: checkpoints, corpora, records. They are read, or refused by an error of ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import STEERING, altered, ends_well, fuzz, leaves, mutated, no_more_than, put
from hypothesis import example, given
from hypothesis import strategies as st
from lab import Lab
from labelling import ALL, Workplace
from ledger import Ledger
from ratinglab import table
from safetensors.numpy import load, save

from charrnn.checkpoint.layout import MANIFEST, checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import Ratings
from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.labelled_corpus import LabelledCorpus
from charrnn.corpus.prepare import prepare
from charrnn.corpus.rating_tables import prepare_ratings
from charrnn.corpus.ratings import RatingsCorpus
from charrnn.corpus.tokens import TokenCorpus
from charrnn.logs.record import last_record, read_records
from charrnn.runs.use import open_model

MOST_MB = 200


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A finished tiny run, to be copied and spoiled."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "text.txt").write_text("a text of few letters, to be read again\n" * 20)
    (folder / "config.yaml").write_text(
        "corpus: {source: text.txt, split: [0.8, 0.2, 0.0]}\n"
        "stream: {lanes: 2, chunk: 8}\nmodel: {input: {size: 3}, core: {hidden: 4, layers: 1}}\n"
        "train: {max_steps: 2, tensorboard: false, log_every: 1}\nsample: {length: 4}\n"
    )
    lab = Lab(folder)
    lab.train("run")
    return lab


def spoiled(draw: st.DrawFn, folder: Path, name: str) -> bytes:
    """A file of a checkpoint or a corpus, spoiled where it hurts: values of JSON, tensors, or any bytes."""
    data = (folder / name).read_bytes()
    how = draw(st.integers(0, 4))
    if how and name.endswith(".json"):
        return json.dumps(draw(altered(json.loads(data)))).encode("utf-8", "surrogatepass")
    if how and name.endswith(".safetensors"):
        return save(_tensors(draw, dict(load(data))))
    return draw(mutated(data, (b"[" * 5000, b"NaN", b"1e999", b"9" * 5000, b'"a":1,"a":2')))


def _tensors(draw: st.DrawFn, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    name = draw(st.sampled_from(sorted(arrays)))
    array = arrays.pop(name)
    shapes: list[Callable[[], np.ndarray]] = [
        lambda: array.reshape(-1),
        lambda: array[None],
        lambda: array.reshape(-1)[: array.size // 2],
        lambda: np.zeros(array.shape, draw(st.sampled_from(["f2", "f4", "f8", "i8", "u1", "?", "c8"]))),
        lambda: np.full_like(array, draw(st.sampled_from([np.nan, np.inf, 3e38, -1.0, 0.0]))),
        lambda: np.zeros(draw(st.lists(st.integers(0, 40), max_size=3)), array.dtype),
    ]
    if draw(st.booleans()):
        arrays[name] = np.ascontiguousarray(draw(st.sampled_from(shapes))())
    if draw(st.integers(0, 3)) == 0:
        arrays[draw(st.sampled_from([*arrays, *STEERING, "layers.0.weight_hh", "x/y/step"]))] = np.zeros(3, np.float32)
    return arrays


@pytest.mark.parametrize("fitting", [False, True], ids=["as it was", "fitting"])
def test_checkpoints(ledger: Ledger, lab: Lab, fitting: bool) -> None:
    count = ledger.fault("spoiled checkpoints, " + ("with a manifest that fits" if fitting else "manifest and all"))
    whole = checkpoints(lab.path / "run" / "checkpoints")[-1]
    names = sorted(path.name for path in whole.iterdir() if path.name != MANIFEST or not fitting)

    def everything(folder: Path) -> None:
        opened = Checkpoint.open(folder)
        for name in opened.files:
            stem, _, form = name.rpartition(".")
            (opened.document if form == "json" else opened.tensors)(stem)
        model = open_model(folder, lab.path)
        "".join(model.text(model.options({"random_seed": 1}), 0, "skip", lambda: None))

    @fuzz(15 if fitting else 40)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        shutil.rmtree(lab.path / "spoiled", ignore_errors=True)
        shutil.copytree(lab.path / "run", lab.path / "spoiled")
        folder, name = lab.path / "spoiled" / "checkpoints" / whole.name, data.draw(st.sampled_from(names))
        new = data.draw(st.composite(spoiled)(whole, name))
        put(folder, name, new) if fitting else (folder / name).write_bytes(new)
        ends_well(count, lambda: everything(folder))
        if fitting:
            ends_well(count, lambda: lab.train("spoiled", "resume", None, "train.max_steps=4"))

    with no_more_than(MOST_MB), np.errstate(all="ignore"):  # weights of 1e38 are weights
        run()


def test_corpora(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("spoiled corpora, with a manifest that fits")
    work = Workplace(tmp_path)
    work.write("text.txt", "a text, of which some is left\n\nand more\n" * 9)
    work.write("ratings.csv", table())
    text = Corpus(source="text.txt", documents={"kind": "separator", "text": "\n\n"})
    kinds: list[tuple[type[Any], Path]] = [
        (TokenCorpus, prepare(text, base=tmp_path, corpora=work.corpora).corpus.folder),
        (LabelledCorpus, work.corpus("text,label\na b,a\nb,b\nc,a\n", text="text", label="label", split=ALL).folder),
        (
            RatingsCorpus,
            prepare_ratings(Ratings(source="ratings.csv"), base=tmp_path, corpora=work.corpora).corpus.folder,
        ),
    ]

    def read(kind: type[Any], folder: Path) -> None:
        corpus = kind.open(folder, verify=True)
        for name in corpus.manifest.splits:
            part = corpus.split(name)
            if kind is LabelledCorpus and len(part):
                part.text(0), part.place(0)
        corpus.summary()

    @fuzz(50)
    @given(st.sampled_from(kinds), st.data())
    def run(which: tuple[type[Any], Path], data: st.DataObject) -> None:
        kind, whole = which
        folder = tmp_path / "spoiled"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        name = data.draw(st.sampled_from(sorted(path.name for path in whole.iterdir())))
        new = data.draw(st.composite(spoiled)(whole, name))
        (folder / name).write_bytes(new) if name == MANIFEST else put(folder, name, new)
        ends_well(count, lambda: read(kind, folder))

    with no_more_than(MOST_MB):
        run()


def test_records(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("spoiled records (metrics.jsonl)")
    whole = b'{"step": 1, "split": "train", "nats": 2.5, "lr": 0.1}\n{"step": 2, "split": "valid", "nats": "nan"}\n'

    @fuzz(80)
    @example(b"[" * 100_000 + b"\n")
    @given(mutated(whole, (b"[" * 100_000, b'{"a":' * 9000, b"9" * 5000, b"\n", b"NaN")))
    def run(data: bytes) -> None:
        path = tmp_path / "metrics.jsonl"
        path.write_bytes(data)
        ends_well(count, lambda: (last_record(path), list(leaves(read_records(path)))))

    run()
