"""Whole runs that learn word vectors, or begin with those of a file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from lab import Lab, Stopper, resumes, same_run

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.errors import ConfigError, DataError
from charrnn.logs.console import Console
from charrnn.runs.embedding import open_embedding
from charrnn.runs.start import train_run
from charrnn.text.vectors_file import write_vectors
from charrnn.train.interrupt import Interrupt

VECTORS = """\
task: vectors
corpus: {source: text.txt, split: [0.7, 0.2, 0.1], documents: {kind: separator, text: "\\n"}}
stream: {length: 25, batch: 2, window: 3, subsample: 0.05}
model: {kind: KIND, size: 6, noise: 9}
train:
  epochs: 3
  optimizer: {kind: adam, lr: 2e-2}
  early_stop: null
  log_every: 3
  save: {every: 4}
evaluate: {every: 5}
"""
NOUNS, ARTICLES = ["cat", "dog", "king", "queen", "mat"], ["the", "a", "one"]
TEXT = "".join(f"{ARTICLES[i % 3]} {NOUNS[(i + i // 7) % 5]} " + "\n" * (i % 7 == 0) for i in range(300))


@pytest.fixture
def words(tmp_path: Path) -> Lab:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(VECTORS.replace("KIND", "skip-gram"), encoding="utf-8")
    return Lab(tmp_path)


def last(lab: Lab, name: str) -> Checkpoint:
    return Checkpoint.open(checkpoints(lab.path / name / "checkpoints")[-1])


def said(lab: Lab, name: str, *overrides: str, mode: str = "new") -> str:
    stream = io.StringIO()
    loaded = load_config(lab.path / "config.yaml", overrides)
    with Console(stream=stream) as console:
        train_run(loaded, lab.path / name, mode, lab.path / "corpora", console, Interrupt())
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["skip-gram", "cbow"])
@pytest.mark.parametrize("hard", [False, True], ids=["sigterm", "sigkill"])
@pytest.mark.parametrize("stops", [[13], [7, 6]])
def test_stopped_and_resumed_is_never_stopped(words: Lab, stops: list[int], hard: bool, kind: str) -> None:
    (words.path / "config.yaml").write_text(VECTORS.replace("KIND", kind), encoding="utf-8")
    resumes(words, stops, hard)


def test_a_finished_run_has_nothing_to_do_and_knows_its_words(words: Lab) -> None:
    words.train("run")
    assert "nothing to do" in said(words, "run", mode="resume")
    embedding = open_embedding(words.path / "run", words.path, words.path / "corpora")
    assert [embedding.names[row] for row in embedding.used] == sorted([*NOUNS, *ARTICLES])


def test_vectors_of_one_run_begin_another(words: Lab) -> None:
    words.train("first")
    embedding = open_embedding(last(words, "first").folder, words.path, words.path / "corpora")
    given = {"king": 3.0, "queen": -1.0, "nobody": 9.0}
    write_vectors(words.path / "v.txt", list(given), np.repeat(np.array(list(given.values()))[:, None], 6, 1))
    told = said(words, "second", f"model.pretrained={words.path}/v.txt", "train.optimizer={kind: sgd, lr: 1e-30}")
    assert "2 of 8 symbols matched (25.0 %" in told
    assert "6 missing, 1 unused" in told
    begun = open_embedding(last(words, "second").folder, words.path, words.path / "corpora")
    assert begun.names == embedding.names
    for word in ("king", "queen"):
        assert begun.table_VD[begun.row(word)].tolist() == [given[word]] * 6
    assert np.abs(begun.table_VD[begun.row("cat")]).max() < 0.5
    document = last(words, "second").document("config")["pretrained"]
    assert {name: document[name] for name in ("matched", "missing", "unused")} == {
        "matched": 2,
        "missing": 6,
        "unused": 1,
    }


def test_a_language_model_begins_with_vectors_and_keeps_them_where_they_are_frozen(lab: Lab) -> None:
    write_vectors(lab.path / "v.txt", ["a", "b", "\\n", "ß"], np.arange(24.0).reshape(4, 6))
    given = "model.input.pretrained=" + str(lab.path / "v.txt")
    told = said(lab, "frozen", given, "model.input.frozen=true")
    assert "3 of 14 symbols matched" in told
    assert "the 11 missing symbols stay random" in told
    said(lab, "free", given)
    frozen, free = (
        open_embedding(last(lab, name).folder, lab.path, lab.path / "corpora") for name in ("frozen", "free")
    )
    for name, row in {"a": 0, "b": 1, "\\n": 2}.items():
        assert frozen.table_VD[frozen.row(name)].tolist() == [6.0 * row + i for i in range(6)]
        assert free.table_VD[free.row(name)].tolist() != [6.0 * row + i for i in range(6)]


def test_a_frozen_run_is_resumed_bit_for_bit_without_its_file(lab: Lab) -> None:
    write_vectors(lab.path / "v.txt", ["a", "b"], np.arange(12.0).reshape(2, 6))
    given = ["model.input.pretrained=" + str(lab.path / "v.txt"), "model.input.frozen=true"]
    lab.train("unbroken", "new", None, *given)
    with pytest.raises(Stopper.Killed):
        lab.train("broken", "new", Stopper(30, hard=True), *given)
    (lab.path / "v.txt").unlink()
    lab.train("broken", "resume", None, *given)
    same_run(lab, "unbroken", "broken")


def test_other_vectors_are_refused_on_resume_and_the_same_at_another_place_are_not(words: Lab) -> None:
    write_vectors(words.path / "v.txt", ["king"], np.ones((1, 6)))
    words.train("run", "new", None, f"model.pretrained={words.path}/v.txt", "train.max_steps=4")
    (words.path / "v.txt").rename(words.path / "w.txt")
    words.train("run", "resume", None, f"model.pretrained={words.path}/w.txt", "train.max_steps=6")
    write_vectors(words.path / "w.txt", ["king"], np.zeros((1, 6)))
    for override in (f"model.pretrained={words.path}/w.txt", "model.pretrained=null"):
        with pytest.raises(ConfigError, match="did not begin with these vectors"):
            words.train("run", "resume", None, override, "train.max_steps=8")


def test_vectors_of_another_size_and_files_that_are_none_are_refused(words: Lab) -> None:
    write_vectors(words.path / "v.txt", ["king"], np.ones((1, 5)))
    with pytest.raises(
        ConfigError, match=r"model.pretrained: the vectors have 5 factors, and the embedding 6"
    ) as caught:
        words.train("run", "new", None, f"model.pretrained={words.path}/v.txt")
    assert "set model.size to 5" in str(caught.value.hint)
    with pytest.raises(DataError, match="cannot read"):
        words.train("run", "new", None, f"model.pretrained={words.path}/none.txt")
    assert not (words.path / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (["model.input.frozen=true"], "give `pretrained` too"),
        (
            ["model.input={size: 8, frozen: true, pretrained: x}", "model.head={hidden: [], tie: true}"],
            "cannot be frozen",
        ),
        (["model.input.pretrained=x", "train.start_from=y"], "remove one of the two"),
    ],
)
def test_configs_that_contradict_themselves_are_refused(lab: Lab, overrides: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load_config(lab.path / "config.yaml", overrides)
