"""`charrnn neighbours` and `charrnn embeddings`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from charrnn.runs.embedding import open_embedding
from charrnn.text.vectors_file import read_vectors

if TYPE_CHECKING:
    from conftest import Shell

WORDS = """\
task: vectors
corpus: {source: text.txt, case: lower}
stream: {length: 50, batch: 2, window: 2, subsample: null}
model: {size: 5, noise: 8}
train: {epochs: 2, optimizer: {kind: adam, lr: 1e-2}}
"""
TEXT = "The cat sat on the mat, and the dog ate it all before noon.\n" * 20


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory, trained: Shell) -> Shell:
    """A folder with a finished run of word vectors; tests must not change the run."""
    path = tmp_path_factory.mktemp("words")
    (path / "text.txt").write_text(TEXT)
    (path / "words.yaml").write_text(WORDS)
    shell = trained.at(path)
    shell("train", "words.yaml", "--quiet")
    return shell


def test_neighbours_are_the_nearest_directions(words: Shell) -> None:
    answer = json.loads(words("neighbours", "runs/words", "CAT", "-k", "3", "--json").stdout)
    embedding = open_embedding(words.path / "runs/words", words.path, words.path / "corpora")
    assert answer["symbol"] == "cat", "in the form of the corpus"
    table = {embedding.names[row]: embedding.table_VD[row].astype(float) for row in embedding.used}
    cat = table.pop("cat")
    cosines = {name: v @ cat / np.linalg.norm(v) / np.linalg.norm(cat) for name, v in table.items()}
    expected = sorted(cosines, key=lambda name: -cosines[name])[:3]
    assert [found["symbol"] for found in answer["neighbours"]] == expected
    for found in answer["neighbours"]:
        assert found["cosine"] == pytest.approx(cosines[found["symbol"]], abs=1e-5)
    lines = words("neighbours", "runs/words", "cat", "--count", "3").stdout.splitlines()
    assert [line.split()[0] for line in lines] == expected


def test_an_unknown_word_is_told_with_near_spellings(words: Shell) -> None:
    done = words("neighbours", "runs/words", "befor", code=2)
    assert "no vector for 'befor'" in done.stderr
    assert "did you mean before" in done.stderr
    assert "charrnn embeddings" in words("neighbours", "runs/words", "qqqq", code=2).stderr
    assert "no vector for ','" in words("neighbours", "runs/words", ",", code=2).stderr, "never trained"


def test_characters_have_neighbours_too(trained: Shell) -> None:
    answer = json.loads(trained("neighbours", "runs/tiny", " ", "-k", "50", "--json").stdout)
    assert answer["symbol"] == "<space>"
    assert "\\n" in [found["symbol"] for found in answer["neighbours"]]
    assert "<start>" not in [found["symbol"] for found in answer["neighbours"]]


def test_a_model_without_an_embedding_is_told(shell: Shell) -> None:
    (shell.path / "one.yaml").write_text(
        "corpus: {source: text.txt}\nmodel: {input: {kind: one-hot}, core: {hidden: 4}}\ntrain: {max_steps: 1}\n"
    )
    shell("train", "one.yaml", "--quiet")
    assert "no embedding" in shell("neighbours", "runs/one", "a", code=2).stderr


def test_maps_tell_where_things_lie_and_how_faithful_that_is(words: Shell, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    picture = tmp_path / "map.svg"
    answer = json.loads(words("embeddings", "--top", "9", "--picture", str(picture), "--json").stdout)
    assert answer["symbols"][0] == "the", "the most frequent first"
    assert len(answer["symbols"]) == 9
    assert [shown["method"] for shown in answer["maps"]] == ["pca", "tsne"]
    for shown in answer["maps"]:
        assert len(shown["points"]) == 9
        assert 0.0 <= shown["trustworthiness"] <= 1.0
        assert 0.0 <= shown["continuity"] <= 1.0
        assert shown["neighbours"] == 4
    assert "words: t-SNE" in picture.read_text()
    table = words("embeddings", "runs/words", "--method", "pca", "--quiet").stdout.splitlines()
    assert table[0].startswith("PCA: trustworthiness")
    assert len(table) == 3 + 12


def test_the_most_frequent_are_not_known_without_the_text(words: Shell, shell: Shell) -> None:
    run = str(words.path / "runs/words")
    done = shell("embeddings", run, "--top", "5", "--method", "pca", code=2)
    assert "--top 12" in done.stderr
    assert len(shell("embeddings", run, "--top", "12", "--method", "pca").stdout.splitlines()) == 3 + 12


def test_a_map_needs_points(words: Shell) -> None:
    assert "needs 4 points" in words("embeddings", "runs/words", "--top", "3", "--method", "pca", code=2).stderr


@pytest.mark.parametrize("form", ["word2vec", "glove"])
def test_vectors_are_written_for_other_programs(words: Shell, tmp_path: Path, form: str) -> None:
    path = tmp_path / "v.txt"
    assert words("embeddings", "runs/words", "--write", str(path), "--form", form).stdout == f"{path}\n"
    assert path.read_text().startswith("12 5\n") == (form == "word2vec")
    embedding = open_embedding(words.path / "runs/words", words.path, words.path / "corpora")
    found = read_vectors(path, embedding.names)
    assert found.words == [embedding.names[row] for row in embedding.used]
    np.testing.assert_array_equal(found.table_MD, embedding.table_VD[embedding.used])
    words("embeddings", "--write", str(path), "--picture", "x.svg", code=2)
