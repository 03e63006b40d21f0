"""What lanes of other texts, and teachers, add to a language model's loss, against the definitions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from charrnn.config.schema import LanguageConfig
from charrnn.corpus.counting import Given
from charrnn.corpus.prepare import prepare
from charrnn.models.core import Draws
from charrnn.stream.gather import TokenBatch
from charrnn.tasks.beside import Beside, Teacher
from charrnn.tasks.language import LanguageTask

CPU = torch.device("cpu")
LANES, OTHER, SOFT = 4, 2, 3


def task(folder: Path, stream: dict[str, Any] | None = None, temperature: float = 3.0, **train: Any) -> LanguageTask:
    """A task over a text of 118 tokens in training, with lanes of a shorter one, and lanes that a teacher teaches."""
    (folder / "text.txt").write_text("abcdefgh" * 12 + "hgfedcba" * 6 + "cab", encoding="utf-8")
    (folder / "other.txt").write_text("hahaabbac" * 5, encoding="utf-8")
    config = LanguageConfig.model_validate(
        {
            "corpus": {"source": "text.txt", "split": [0.8, 0.2, 0.0]},
            "stream": {"lanes": LANES, "chunk": 7} | (stream or {}),
            "model": {"core": {"hidden": 5}},
            "train": {"precision": "fp64"} | train,
        }
    )
    corpus = prepare(config.corpus, base=folder, corpora=folder / "corpora").corpus
    settings = config.corpus.model_copy(update={"source": "other.txt", "split": (1.0, 0.0, 0.0)})
    given = Given(corpus.vocabulary)
    other = prepare(settings, base=folder, corpora=folder / "corpora", given=given).corpus.split("train")
    teacher = LanguageTask(config.model_copy(update={"train": config.train.model_copy(update={"seed": 7})}), corpus)
    beside = {
        "other": Beside(other, "", OTHER, 0.5),
        "soft": Beside(corpus.split("train"), "", SOFT, 2.0, Teacher(teacher.model(), temperature, {})),
    }
    return LanguageTask(config, corpus, beside)


def batch_of(language: LanguageTask, step: int) -> TokenBatch:
    stream = language.stream("train")
    assert stream is not None
    return stream.batch(step, CPU)


def test_each_text_adds_its_mean_loss_by_its_lanes_and_its_weight(tmp_path: Path) -> None:
    """In the last chunk of an epoch too, where the main text has few targets left."""
    language = task(tmp_path)
    model, n = language.model().train(), LANES + OTHER + SOFT
    for step, targets in ((0, 28), (4, 6)):
        batch = batch_of(language, step)
        state = model.initial_state(n)
        loss = language.loss(model, batch, state, Draws(1, step, n))
        logits, _ = model(batch.x_BT, state)
        each = F.cross_entropy(logits.flatten(0, 1), batch.y_BT.flatten(), reduction="none").view(batch.y_BT.shape)
        counts = batch.counts_BT
        main, other = slice(0, LANES), slice(LANES, LANES + OTHER)
        assert loss.count.item() == counts[main].sum().item() == targets
        assert loss.sum.item() == pytest.approx(each[main][counts[main]].sum().item(), rel=1e-12)
        mean = each[other][counts[other]].mean().item()
        total, count = loss.beside["other"]
        assert total.item() / count.item() == pytest.approx(mean, rel=1e-12)
        added = 0.5 * OTHER / LANES * mean
        assert (loss.parts["other"] / loss.count).item() == pytest.approx(added, rel=1e-12)
        soft = loss.beside["soft"][0] / loss.beside["soft"][1]
        expected = loss.sum / loss.count + added + 2.0 * SOFT / LANES * soft
        assert loss.objective.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_teacher_is_followed_as_in_the_paper(tmp_path: Path, temperature: float) -> None:
    """The divergence at the temperature, times its square; at temperature 1 its gradient is p - q."""
    language = task(tmp_path, temperature=temperature)
    teacher = language.beside["soft"].teacher
    assert teacher is not None
    batch = batch_of(language, 0)
    share = batch.shares["soft"]
    model = language.model()
    logits, _ = model(batch.x_BT, model.initial_state(batch.rows))
    scores, _ = teacher.model(batch.x_BT[share.rows], teacher.model.initial_state(SOFT))
    student = logits[share.rows].detach().requires_grad_()
    nats_BT, _ = teacher.nats("soft", student, batch, share, {})
    p = (scores / temperature).softmax(-1)
    hinton = -(p * (student / temperature).log_softmax(-1)).sum(-1) + (p * p.log()).sum(-1)
    torch.testing.assert_close(nats_BT, hinton * temperature**2, rtol=1e-9, atol=1e-12)
    (gradient,) = torch.autograd.grad(nats_BT.sum(), student)
    torch.testing.assert_close(gradient, ((student / temperature).softmax(-1) - p) * temperature, rtol=1e-9, atol=1e-12)
    own, _ = teacher.nats("soft", scores.detach(), batch, share, {})
    assert own.abs().max() < 1e-12


@pytest.mark.parametrize("stream", [{}, {"reach": 11, "reset_chance": 0.3, "offset": "random"}])
def test_a_teacher_reads_on_from_chunk_to_chunk(tmp_path: Path, stream: dict[str, Any]) -> None:
    """Taught chunk by chunk, the student is told what the teacher says after the whole passage."""
    language = task(tmp_path, stream)
    teacher = language.beside["soft"].teacher
    assert teacher is not None
    model = language.model()
    state = {**model.initial_state(LANES + OTHER + SOFT)}
    found: list[list[float]] = [[] for _ in range(SOFT)]
    inputs: list[list[tuple[int, bool]]] = [[] for _ in range(SOFT)]
    for step in range(9):
        batch = batch_of(language, step)
        share = batch.shares["soft"]
        zeros = torch.zeros(SOFT, batch.x_BT.shape[1], language.vocabulary.size, dtype=torch.float64)
        nats_BT, after = teacher.nats("soft", zeros, batch, share, state)
        state |= after
        for b in range(SOFT):
            row = share.rows.start + b
            for column in torch.nonzero(batch.counts_BT[row]).flatten().tolist():
                begins = column in batch.resets and bool(batch.resets[column][row])
                inputs[b].append((int(batch.x_BT[row, column]), begins))
                found[b].append(nats_BT[b, column].item())
    for b in range(SOFT):
        expected, own = [], teacher.model.initial_state(1)
        for symbol, begins in inputs[b]:
            own = teacher.model.initial_state(1) if begins else own
            scores, own = teacher.model(torch.tensor([[symbol]]), own)
            log_p = (scores[0, 0] / 3.0).log_softmax(-1)
            expected.append(9.0 * (log_p.exp() * (log_p + math.log(language.vocabulary.size))).sum().item())
        assert found[b] == pytest.approx(expected, rel=1e-9)
        assert len(expected) > 40


def test_what_steers_the_weights_besides_is_of_the_main_text(tmp_path: Path) -> None:
    """So a run with a mix lowers what the run without it lowers, and what the mix adds."""
    regularization = {"activation": 2.0, "temporal": 3.0, "label_smoothing": 0.1}
    language = task(tmp_path, regularization=regularization)
    alone = LanguageTask(language.config, language.corpus)
    model = language.model().train()
    for step in (0, 1):
        mixed = language.loss(model, batch_of(language, step), model.initial_state(9), Draws(1, step, 9))
        plain = alone.loss(model, batch_of(alone, step), model.initial_state(LANES), Draws(1, step, LANES))
        assert mixed.sum.item() == pytest.approx(plain.sum.item(), rel=1e-12)
        assert list(mixed.parts) == [*plain.parts, "other", "soft"]
        for name, part in plain.parts.items():
            assert mixed.parts[name].item() == pytest.approx(part.item(), rel=1e-12)


def test_evaluation_knows_no_mix(tmp_path: Path) -> None:
    language = task(tmp_path)
    for split, cut in (("valid", None), ("valid", (2, 5)), ("train", (2, 5))):
        stream = language.stream(split, cut)
        assert stream is not None
        assert stream.batch(0, CPU).shares == {}
    model = language.model()
    assert set(language.initial_state(model, 3)) == set(model.initial_state(3))


def test_a_handmade_network_learns_from_a_teacher_too(tmp_path: Path) -> None:
    """The engine `scratch` gives the gradients of PyTorch's."""
    gradients = []
    for engine in ("torch", "scratch"):
        language = task(tmp_path, engine=engine)
        model = language.model().train()
        language.loss(model, batch_of(language, 0), model.initial_state(9), Draws(1, 0, 9)).objective.backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-9, atol=1e-12)
