"""The text that a model was trained on, found again."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import TEXT, Lab

from charrnn.errors import DataError
from charrnn.runs.trained_text import passage, trained_text
from charrnn.runs.use import OpenModel, open_model


@pytest.fixture
def model(lab: Lab) -> OpenModel:
    lab.train("run", "new", None, "train.max_steps=1", "corpus.split=[0.9, 0.1, 0]")
    return open_model(lab.path / "run", lab.path)


def test_it_is_found_by_its_digest_under_any_name(lab: Lab, model: OpenModel) -> None:
    corpora = lab.path / "corpora"
    found = next(corpora.iterdir())
    found.rename(corpora / f"another-{found.name.rpartition('-')[2]}")
    corpus = trained_text(model, corpora)
    text = corpus.vocabulary.decode(passage(corpus, "train").tokens)
    assert TEXT.startswith(text)
    assert len(text) == round(len(TEXT) * 0.9)
    with pytest.raises(DataError, match="the test split is empty"):
        passage(corpus, "test")


def test_where_it_is_not_the_error_says_how_to_prepare_it(lab: Lab, model: OpenModel, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not prepared here") as error:
        trained_text(model, tmp_path / "elsewhere")
    assert error.value.hint == f"prepare it: charrnn prepare {lab.path / 'run' / 'config.yaml'}"


def test_another_text_in_its_place_is_refused(lab: Lab, model: OpenModel) -> None:
    corpora = lab.path / "corpora"
    former = next(corpora.iterdir())
    (lab.path / "text.txt").write_text(TEXT[::-1], encoding="utf-8")
    lab.train("other", "new", None, "train.max_steps=1")
    other = next(folder for folder in corpora.iterdir() if folder != former)
    former.rename(lab.path / "away")
    other.rename(corpora / f"x-{former.name.rpartition('-')[2]}")
    with pytest.raises(DataError, match="is not the one that the model was trained on"):
        trained_text(model, corpora)
