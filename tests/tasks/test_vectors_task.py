"""Word vectors as a task: what is learned, what is validated, and that it is learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from charrnn.config.schema import VectorsConfig
from charrnn.corpus.prepare import prepare
from charrnn.errors import DataError
from charrnn.tasks.vectors import VectorsTask
from charrnn.train.evaluate import evaluate

CPU = torch.device("cpu")
TEXT = "the cat sat on the mat, and the dog ate it. " * 40


def task(folder: Path, text: str = TEXT, seed: int = 1, **sections: Any) -> VectorsTask:
    (folder / "text.txt").write_text(text, encoding="utf-8")
    config = VectorsConfig.model_validate(
        {
            "task": "vectors",
            "corpus": {"source": "text.txt", "split": [0.8, 0.2, 0.0]},
            "stream": {"length": 20, "batch": 3, "window": 3},
            "model": {"size": 6, "noise": 8},
            "train": {"seed": seed, "max_steps": 10},
            **sections,
        }
    )
    return VectorsTask(config, prepare(config.corpus, base=folder, corpora=folder / "corpora").corpus)


@pytest.mark.parametrize("kind", ["skip-gram", "cbow"])
def test_a_fresh_model_loses_the_logarithms_of_two(tmp_path: Path, kind: str) -> None:
    vectors = task(tmp_path, model={"kind": kind, "size": 6, "noise": 8, "negatives": 3})
    result = evaluate(vectors, vectors.model(), "valid", CPU, lambda: None)
    assert result is not None
    assert result.mean == pytest.approx(4 * torch.log(torch.tensor(2.0)).item(), rel=1e-5)


def test_validation_is_the_same_for_every_seed_and_every_time(tmp_path: Path) -> None:
    one, other = task(tmp_path, seed=1), task(tmp_path, seed=2)
    model = one.model()
    with torch.no_grad():
        model.output.table.copy_(torch.randn(model.output.table.shape, generator=torch.Generator().manual_seed(1)))
    results = [evaluate(each, model, "valid", CPU, lambda: None) for each in (one, other, one)]
    assert results[0] is not None
    assert results[0] == results[1] == results[2]


def test_words_that_training_has_not_are_not_validated(tmp_path: Path) -> None:
    vectors = task(tmp_path, TEXT + "a strange new word " * 15)
    stream = vectors.stream("valid")
    assert stream is not None
    strange = [vectors.vocabulary.symbols.index(w) + 1 for w in ("strange", "new", "word")]
    assert not set(strange) & set(stream.words.ids_N.tolist())
    assert vectors.sizes()["words"] == 9
    assert vectors.model().input.table[strange].abs().sum() == 0


def test_splits_without_words(tmp_path: Path) -> None:
    assert task(tmp_path).stream("test") is None
    assert task(tmp_path, TEXT + "!? " * 400).stream("valid") is None
    with pytest.raises(DataError, match="no two words"):
        task(tmp_path, "word" + " .!" * 400)


def test_a_batch_of_which_nothing_stays_loses_nothing(tmp_path: Path) -> None:
    vectors = task(tmp_path, stream={"length": 20, "batch": 3, "subsample": 1e-9})
    stream, model = vectors.stream("train"), vectors.model()
    assert stream is not None
    loss = vectors.loss(model, stream.batch(0, CPU), {})
    assert (loss.sum.item(), loss.count.item()) == (0.0, 0)
    loss.objective.backward()
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())
