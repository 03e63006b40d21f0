"""The vectors of items, users and labelled texts: whose they are, which were trained, and what people call them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from lab import Lab
from ratinglab import MODELS, rating_lab

from charrnn.checkpoint.read import Checkpoint
from charrnn.corpus.labelled_corpus import LabelledCorpus
from charrnn.corpus.ratings import RatingsCorpus
from charrnn.errors import CheckpointError, UsageError
from charrnn.runs.embedding import open_embedding
from charrnn.runs.folder import RunFolder
from charrnn.runs.named_vectors import NamedVectors, Origin
from charrnn.runs.rated_vectors import Of, RatedVectors

TABLES = {
    ("factors", "items"): "items_ID",
    ("factors", "users"): "users_UD",
    ("network", "items"): "items_ID",
    ("network", "users"): "users_UD",
    ("histories", "items"): "of_users.target_YD",
    ("histories", "users"): "of_items.target_YD",
}
RARE = [f"x{number}" for number in range(9)]
NAMES = ["Twin", "Twin", "FILM, NUMBER 1"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Runs over the small table and nine films more with a rating each: two have one name, one another's."""
    lab = rating_lab(tmp_path_factory.mktemp("vectors"))
    with (lab.path / "ratings.csv").open("a") as file:
        file.writelines(f"u000,{film},3.0,0\n" for film in RARE)
    with (lab.path / "films.csv").open("a") as file:
        file.writelines(f'{film},"{name}"\n' for film, name in zip(RARE, NAMES, strict=False))
    for name in {name for name, _ in TABLES}:
        lab.train(name, "new", None, f"model={MODELS[name]}", "train.epochs=1")
    return lab


def vectors(lab: Lab, name: str, of: Of | None = None) -> NamedVectors:
    return open_embedding(lab.path / name, lab.path, lab.path / "corpora", of)


def corpus(lab: Lab) -> RatingsCorpus:
    (folder,) = (lab.path / "corpora").iterdir()
    return RatingsCorpus.open(folder)


@pytest.mark.parametrize(("name", "of"), TABLES)
def test_each_row_is_that_of_its_id(lab: Lab, name: str, of: Of) -> None:
    found = vectors(lab, name, of)
    checkpoint, _ = RunFolder(lab.path / name).preferred()
    np.testing.assert_array_equal(found.table_VD, checkpoint.tensors("model")[TABLES[name, of]])
    assert list(found.names) == list(getattr(corpus(lab), of))
    assert found.thing + "s" == of
    assert vectors(lab, name).thing == "item", "where nothing is said"


@pytest.mark.parametrize("of", ["items", "users"])
def test_those_who_were_trained_come_by_how_many_ratings_they_have(lab: Lab, of: Of) -> None:
    found, split = vectors(lab, "factors", of), corpus(lab).split("train")
    seen = [getattr(corpus(lab), of)[number] for number in getattr(split, of)]
    trained = [name for name in found.names if name in seen]
    assert [found.names[row] for row in found.used] == trained
    chosen = found.most_frequent(7)
    expected = sorted(trained, key=lambda name: -seen.count(name))
    assert [found.names[row] for row in chosen.rows] == expected[:7]
    assert [found.names[row] for row in found.most_frequent(999).rows] == expected
    assert "most" in chosen.order


def test_what_was_never_rated_in_training_has_no_vector(lab: Lab) -> None:
    found = vectors(lab, "factors")
    unseen = [name for name in RARE if found.names.index(name) not in found.used]
    assert 0 < len(unseen) < len(RARE)
    with pytest.raises(UsageError, match="no vector to speak of") as error:
        found.row(unseen[-1])
    assert "no ratings in training" in str(error.value.why)
    near = found.neighbours(found.row("01"), 99)
    assert not {found.names[row] for row, _ in near} & set(unseen)
    assert len(near) == len(found.used) - 1


def test_an_item_goes_by_its_id_or_its_whole_name(lab: Lab) -> None:
    found = vectors(lab, "factors")
    assert found.names[found.row("01")] == "01"
    assert found.names[found.row("Film, number 1")] == "01"
    assert found.names[found.row("film, NUMBER 3")] == "03"
    assert found.titles is not None
    assert found.titles[found.row("014")] == "014", "nothing names it"
    assert vectors(lab, "factors", "users").titles is None


def test_a_name_that_is_none_or_of_several_is_told_with_what_there_is(lab: Lab) -> None:
    found = vectors(lab, "factors")
    with pytest.raises(UsageError, match="2 items are called 'Twin'") as error:
        found.row("Twin")
    assert "x0, x1" in str(error.value.hint)
    with pytest.raises(UsageError, match="2 items are called 'film, number 1'") as error:
        found.row("film, number 1")
    assert "01, x2" in str(error.value.hint)
    with pytest.raises(UsageError, match="knows no item 'NUMBER 1'") as error:
        found.row("NUMBER 1")
    for near in ("01 (Film, number 1)", "010 (Film, number 10)"):
        assert near in str(error.value.hint)
    with pytest.raises(UsageError, match="knows no user 'u03'") as error:
        vectors(lab, "factors", "users").row("u03")
    assert "u003" in str(error.value.hint)


@pytest.mark.parametrize(("of", "other"), [("items", "users"), ("users", "items")])
def test_who_is_but_a_sum_has_no_vector(lab: Lab, of: Of, other: Of) -> None:
    model = f"{{kind: histories, size: 3, sides: {of}}}"
    lab.train(f"sums of {of}", "new", None, f"model={model}", "train.epochs=1")
    with pytest.raises(UsageError, match=f"no vectors of {of}") as error:
        vectors(lab, f"sums of {of}", of)
    assert error.value.hint == f"--of {other}"
    found = vectors(lab, f"sums of {of}", other)
    assert len(found.table_VD) == len(found.names) == len(getattr(corpus(lab), other))


def test_without_the_table_nothing_is_known_of_them(lab: Lab, tmp_path: Path) -> None:
    found = open_embedding(lab.path / "factors", lab.path, tmp_path)
    with pytest.raises(UsageError, match="which items have ratings in training is not known") as error:
        found.most_frequent(3)
    assert "charrnn prepare" in str(error.value.hint)


def test_vectors_that_are_not_as_many_as_their_names_are_refused(lab: Lab) -> None:
    checkpoint, _ = RunFolder(lab.path / "factors").preferred()
    origin = Origin(checkpoint, "a run", lab.path)
    with pytest.raises(CheckpointError, match="do not fit their names") as error:
        RatedVectors(origin, "item", ["a", "b"], np.zeros((3, 2)))
    assert "3 vectors for 2 items" in str(error.value.why)


WORDS = """\
task: classify
corpus: {source: items.csv, split: [0.6, 0.2, 0.2], min_count: 1, case: lower}
model: {input: {size: 3}, core: {kind: gru, hidden: 4}}
train: {max_steps: 2}
"""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = Lab(tmp_path_factory.mktemp("labelled"))
    rows = [f"{'ab'[n % 2] * (1 + n % 5)}{chr(99 + n % 9) * (9 - n % 9)}{n},{'yn'[n % 2]}\n" for n in range(60)]
    (lab.path / "items.csv").write_text("text,label\n" + "".join(rows))
    (lab.path / "config.yaml").write_text(WORDS)
    lab.train("run")
    return lab


def test_of_labelled_texts_only_what_training_met_has_a_vector(labelled: Lab) -> None:
    found = open_embedding(labelled.path / "run", labelled.path, labelled.path / "corpora")
    assert len(found.names) > 256, "the vocabulary has every byte"
    assert [found.names[row] for row in found.used] == sorted("0123456789abcdefghijk")
    assert found.names[found.row("A")] == "a", "in the form of the corpus"
    (folder,) = (labelled.path / "corpora").iterdir()
    split = LabelledCorpus.open(folder).split("train")
    read = "".join(str(split.text(number)) for number in range(len(split)))
    expected = sorted(set(read), key=lambda symbol: (-read.count(symbol), symbol))
    assert [found.names[row] for row in found.most_frequent(7).rows] == expected[:7]
    with pytest.raises(UsageError, match="no vector for 'z'"):
        found.row("z")


def test_of_labelled_texts_nothing_is_known_without_them(labelled: Lab, tmp_path: Path) -> None:
    shutil.copytree(labelled.path / "run", tmp_path / "run")
    with pytest.raises(UsageError, match="which symbols were trained is not known"):
        open_embedding(tmp_path / "run", tmp_path, tmp_path / "corpora").row("a")


def test_whose_vectors_is_asked_of_models_of_ratings_only(labelled: Lab) -> None:
    checkpoint: Checkpoint = RunFolder(labelled.path / "run").preferred()[0]
    with pytest.raises(UsageError, match="--of users is for models of ratings only"):
        open_embedding(checkpoint.folder, labelled.path, labelled.path / "corpora", "users")
