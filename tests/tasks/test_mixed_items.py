"""What `classify` makes of several sources in a batch: which rows, which labels, which loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from labelling import Workplace, idx

from charrnn.config.schema import config_from
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.errors import DataError
from charrnn.models.core import Draws
from charrnn.stream.sequences import SequenceBatch
from charrnn.tasks.classify import ClassifyTask
from charrnn.tasks.mixed_items import at_temperature

CPU = torch.device("cpu")
TABLE = "label,text\n" + "".join(f"{'xyz'[i % 3]},{'ab'[i % 2]} item {i * i}\n" for i in range(60))
SPLIT = {"split": ["rest", 8, 10], "labelled": 12}


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def task(work: Workplace, corpus: LabelledCorpus, mix: dict[str, Any], **train: Any) -> ClassifyTask:
    for part in mix.values():
        if "source" in part:
            part["source"] = str(work.folder / part["source"])
    values = {"kind": "values"} if corpus.features else {"kind": "embedding", "size": 5}
    config = config_from(
        {
            "task": "classify",
            "corpus": corpus.manifest.settings.model_dump(),
            "stream": {"batch": 6, "mix": mix},
            "model": {"input": values, "core": {"hidden": 7}},
            "train": {"precision": "fp64", **train},
        }
    )
    return ClassifyTask(config, corpus)  # type: ignore[arg-type]


def batch(found: ClassifyTask, step: int = 0) -> SequenceBatch:
    stream = found.stream("train")
    assert stream is not None
    read: SequenceBatch = stream.batch(step, CPU)
    return read


def texts(corpus: LabelledCorpus, read: SequenceBatch, share: slice) -> list[str]:
    assert corpus.vocabulary is not None
    rows = zip(read.x[share].tolist(), read.length_B[share].tolist(), strict=True)
    return [corpus.vocabulary.decode(row[:length]) for row, length in rows]


def test_rows_come_on_top_and_are_the_items_and_labels_of_the_file_whatever_their_truth(work: Workplace) -> None:
    corpus = work.corpus(TABLE, **SPLIT)
    hidden, test = corpus.split("unlabelled"), corpus.split("test")
    truths = [corpus.labels[truth] for truth in hidden.truths.tolist()]
    wrong = [next(label for label in corpus.labels if label != truth) for truth in truths]
    rows = {f"unlabelled:{n}": wrong[n] for n in (2, 5, 11)} | {"test:4": "z"}
    table = "".join(f"{item},{label},1\n" for item, label in rows.items())
    work.write("labels.csv", "item,label,kept\n" + table + "unlabelled:7,x,0\n")
    found = task(work, corpus, {"pseudo": {"kind": "labels", "source": "labels.csv", "rows": 4}})
    read = batch(found)
    assert (read.rows, read.shares) == (10, {"pseudo": slice(6, 10)})
    labels = [corpus.labels[y] for y in read.y_B[6:].tolist()]
    given = dict(zip(texts(corpus, read, slice(6, 10)), labels, strict=True))
    expected = {str(hidden.text(n)): wrong[n] for n in (2, 5, 11)} | {str(test.text(4)): "z"}
    assert given == expected
    own = {str(corpus.split("train").text(n)) for n in range(12)}
    assert set(texts(corpus, read, slice(0, 6))) <= own
    assert found.stream("train").steps_per_epoch == 2  # type: ignore[union-attr]
    assert found.mixed["pseudo"].transductive == 1


def test_true_items_of_validation_are_those_with_their_own_labels(work: Workplace) -> None:
    corpus = work.corpus(TABLE, **SPLIT)
    found = task(work, corpus, {"checked": {"kind": "split", "rows": 8}})
    read, valid = batch(found), corpus.split("valid")
    pairs = list(zip(texts(corpus, read, slice(6, 14)), read.y_B[6:].tolist(), strict=True))
    assert sorted(pairs) == sorted((str(valid.text(n)), int(valid.labels[n])) for n in range(8))
    assert found.stream("valid") is None
    assert found.stream("valid", (1, 1)) is not None
    assert found.stream("test") is not None


def test_pictures_are_mixed_too(work: Workplace) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (40, 3, 2))
    work.write("digits", idx(np.arange(40) % 2))
    corpus = work.corpus(idx(pixels), kind="images", labels="digits", split=["rest", 5, 5], labelled=10)
    work.write("labels.csv", "item,label\nunlabelled:3,1\n")
    read = batch(task(work, corpus, {"pseudo": {"source": "labels.csv", "kind": "labels", "rows": 1}}))
    assert corpus.highest is not None
    expected = corpus.split("unlabelled").item(3) / corpus.highest
    np.testing.assert_allclose(read.x[6].numpy(), expected, rtol=1e-6)
    assert read.y_B[6].item() == 1


P = "item,label,p:x,p:y,p:z\nunlabelled:1,y,0.25,0.5,0.25\nunlabelled:2,x,0.75,0.2,0.05\n"


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_soft_targets_are_those_of_distillation(work: Workplace, temperature: float) -> None:
    corpus = work.corpus(TABLE, **SPLIT)
    work.write("labels.csv", P)
    part = {"kind": "labels", "source": "labels.csv", "rows": 2, "targets": "soft", "weight": 0.5}
    found = task(work, corpus, {"pseudo": part | {"temperature": temperature}})
    read, model = batch(found), found.model()
    loss = found.loss(model, read, {}, Draws(1, 0, read.rows))
    with torch.no_grad():
        logits_BC = model(read.x, read.length_B, None).numpy()

    def log_shares(scores_BC: np.ndarray) -> np.ndarray:
        return scores_BC - np.log(np.exp(scores_BC).sum(1, keepdims=True))

    taught = np.array([[0.25, 0.5, 0.25], [0.75, 0.2, 0.05]]) ** (1.0 / temperature)
    taught /= taught.sum(1, keepdims=True)
    order = [0, 1] if read.y_B[6].item() == 1 else [1, 0]
    nats = -(taught[order] * log_shares(logits_BC[6:] / temperature)).sum(1) * temperature**2
    assert loss.parts["pseudo"].item() == pytest.approx(0.5 * nats.sum(), rel=1e-6)
    total, count = loss.beside["pseudo"]
    assert (total.item(), count.item()) == (pytest.approx(nats.sum(), rel=1e-6), 2)
    own = -log_shares(logits_BC[:6])[np.arange(6), read.y_B[:6].numpy()]
    np.testing.assert_allclose(loss.each.detach().numpy(), own, rtol=1e-6)
    assert loss.count.item() == 6


def test_a_gradient_at_a_temperature_is_about_as_large_as_without(work: Workplace) -> None:
    """Of a hot softmax the gradient falls with the square of the temperature, which the loss makes up for."""
    corpus = work.corpus(TABLE, **SPLIT)
    work.write("labels.csv", P)
    found = {}
    for temperature in (20.0, 40.0):
        part = {"kind": "labels", "source": "labels.csv", "rows": 2, "targets": "soft", "temperature": temperature}
        learner = task(work, corpus, {"pseudo": part})
        model = learner.model()
        learner.loss(model, batch(learner), {}, Draws(1, 0, 8)).parts["pseudo"].backward()
        found[temperature] = np.sqrt(
            sum(p.grad.square().sum().item() for p in model.parameters() if p.grad is not None)
        )
    assert found[20.0] == pytest.approx(found[40.0], rel=0.1)


def test_a_temperature_divides_the_scores_behind_the_probabilities() -> None:
    scores = np.array([[2.0, -1.0, 0.5], [900.0, 0.0, -900.0]])
    with np.errstate(under="ignore"):
        shares = np.exp(scores - scores.max(1, keepdims=True))
        hot = np.exp((scores - scores.max(1, keepdims=True)) / 4.0)
    p, expected = shares / shares.sum(1, keepdims=True), hot / hot.sum(1, keepdims=True)
    np.testing.assert_allclose(at_temperature(p.astype(np.float32), 4.0)[0], expected[0], rtol=1e-6)
    assert at_temperature(p.astype(np.float32), 0.01).tolist() == [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]


def test_label_smoothing_is_for_the_true_items(work: Workplace) -> None:
    corpus = work.corpus(TABLE, **SPLIT)
    work.write("labels.csv", "item,label\nunlabelled:3,x\n")
    losses = []
    for rows in (1, 5):
        part = {"kind": "labels", "source": "labels.csv", "rows": rows}
        found = task(work, corpus, {"pseudo": part}, label_smoothing=0.1)
        losses.append(
            found.loss(found.model(), batch(found), {}, Draws(1, 0, 6 + rows)).parts["label_smoothing"].item()
        )
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_an_unlabelled_item_that_also_validates_is_refused_and_one_that_also_tests_is_counted(work: Workplace) -> None:
    corpus = work.corpus(TABLE, **SPLIT)
    also = {part: str(corpus.split(part).text(0)) for part in ("valid", "test")}
    work.write("more", f"text\nnew\n{also['valid']}\n{also['test']}\n")
    corpus = work.corpus(TABLE, unlabelled_source="more", **SPLIT)
    hidden = corpus.split("unlabelled")
    at = {str(hidden.text(n)): n for n in range(len(hidden))}
    work.write("labels.csv", f"item,label\nunlabelled:{at['new']},x\nunlabelled:{at[also['test']]},y\n")
    mix = {"pseudo": {"kind": "labels", "source": "labels.csv", "rows": 2}}
    assert task(work, corpus, mix).mixed["pseudo"].transductive == 1
    line = f"unlabelled:{at[also['valid']]},y"
    work.write("labels.csv", f"item,label,kept\n{line},0\n{line.replace(str(at[also['valid']]), str(at['new']))},1\n")
    assert task(work, corpus, mix).mixed["pseudo"].transductive == 0
    work.write("labels.csv", f"item,label,kept\n{line},1\n")
    with pytest.raises(DataError, match="the same as a validation item") as caught:
        batch(task(work, corpus, mix))
    assert caught.value.where == work.place("labels.csv") + ":2"
