"""What training adds to a language model's loss, against the definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from charrnn.config.schema import LanguageConfig
from charrnn.corpus.prepare import prepare
from charrnn.models.core import Draws
from charrnn.stream.gather import TokenBatch
from charrnn.tasks.language import LanguageTask

CPU = torch.device("cpu")
LANES = 3


def task(folder: Path, stream: dict[str, Any] | None = None, **train: Any) -> LanguageTask:
    (folder / "text.txt").write_text("abcdefgh" * 20 + "hgfedcba" * 17, encoding="utf-8")
    config = LanguageConfig.model_validate(
        {
            "corpus": {"source": "text.txt", "split": [0.8, 0.2, 0.0]},
            "stream": {"lanes": LANES, "chunk": 7} | (stream or {}),
            "model": {"core": {"hidden": 5}, "head": {"dropout": 0.3}},
            "train": {"precision": "fp64"} | train,
        }
    )
    return LanguageTask(config, prepare(config.corpus, base=folder, corpora=folder / "corpora").corpus)


def batch_of(language: LanguageTask, step: int) -> TokenBatch:
    stream = language.stream("train")
    assert stream is not None
    return stream.batch(step, CPU)


@pytest.fixture
def awd(tmp_path: Path) -> LanguageTask:
    regularization = {"activation": 2.0, "temporal": 3.0, "label_smoothing": 0.1}
    stream = {"chunk": 5, "reach": 8, "reset_chance": 0.4}
    return task(tmp_path, stream, regularization=regularization)


def test_the_parts_are_those_of_the_papers(awd: LanguageTask) -> None:
    """The last batch of the epoch: some rows have ended, some begin anew, and older symbols are read again."""
    stream = awd.stream("train")
    assert stream is not None
    steps = [k for k in range(stream.steps_per_epoch) if any(c and r.any() for c, r in batch_of(awd, k).resets.items())]
    batch = batch_of(awd, steps[-1])
    model = awd.model().train()
    draws = Draws(1, 3, LANES)
    state = model.initial_state(LANES)
    loss = awd.loss(model, batch, state, draws)
    hidden, _ = model.hidden(batch.x_BT, state, batch.mask_BT, draws, batch.resets, batch.keep)
    fed = model.head.fed(hidden, draws)
    logits = model.head(fed, draws)
    counts = batch.counts_BT

    smoothed = F.cross_entropy(logits[counts], batch.y_BT[counts], label_smoothing=0.1, reduction="sum")
    assert (loss.sum + loss.parts["label_smoothing"]).item() == pytest.approx(smoothed.item(), rel=1e-12)
    ar = 2.0 * fed[counts].square().mean(-1).sum()
    assert loss.parts["activation"].item() == pytest.approx(ar.item(), rel=1e-12)
    tar = 0.0
    for b in range(LANES):
        for t in range(1, counts.shape[1]):
            if counts[b, t] and not (t in batch.resets and batch.resets[t][b]):
                tar += 3.0 * (hidden[b, t] - hidden[b, t - 1]).square().mean().item()
    assert loss.parts["temporal"].item() == pytest.approx(tar, rel=1e-12)
    total = loss.sum + sum(loss.parts.values())
    assert loss.objective.item() == pytest.approx((total / counts.sum()).item(), rel=1e-12)


def test_the_activation_is_penalised_after_dropout(awd: LanguageTask) -> None:
    model = awd.model().train()
    batch, state = batch_of(awd, 0), model.initial_state(LANES)
    one = awd.loss(model, batch, state, Draws(1, 3, LANES)).parts
    other = awd.loss(model, batch, state, Draws(1, 4, LANES)).parts
    assert one["activation"].item() != other["activation"].item()
    assert one["temporal"].item() == other["temporal"].item()


def test_evaluation_adds_nothing(awd: LanguageTask) -> None:
    model = awd.model().eval()
    loss = awd.loss(model, batch_of(awd, 0), model.initial_state(LANES))
    assert loss.parts == {}
    assert loss.objective.item() == (loss.sum / loss.count).item()


def test_scheduled_sampling_shows_the_model_its_own_symbols(tmp_path: Path) -> None:
    feedback = {"kind": "linear", "to": 1.0, "over": 10}
    language = task(tmp_path, scheduled_sampling=feedback)
    model = language.model().train()
    batch, state = batch_of(language, 1), model.initial_state(LANES)
    seen: list[torch.Tensor] = []
    model.input.register_forward_pre_hook(lambda _, args: seen.append(args[0]))

    def shares(step: int) -> float:
        seen.clear()
        language.loss(model, batch, state, Draws(1, step, LANES))
        assert model.training
        assert (seen[-1][:, 0] == batch.x_BT[:, 0]).all()
        return float((seen[-1] != batch.x_BT).double().mean())

    assert shares(0) == 0.0
    assert len(seen) == 1
    assert 0.0 < shares(5) < shares(10)
    assert shares(10) > 0.5
    assert len(seen) == 2
    seen.clear()
    language.loss(model.eval(), batch, state)
    assert [x.tolist() for x in seen] == [batch.x_BT.tolist()]


def test_scheduled_sampling_leaves_running_statistics_to_the_pass_that_trains(tmp_path: Path) -> None:
    feedback = {"kind": "linear", "to": 1.0, "over": 1, "passes": 3}
    language = task(tmp_path, scheduled_sampling=feedback)
    network = language.config.model.model_copy(
        update={"input": language.config.model.input.model_copy(update={"batchnorm": True})}
    )
    language.config = language.config.model_copy(update={"model": network})
    model = language.model().train()
    mean = model.input.norm.running_mean.clone()
    seen: list[torch.Tensor] = []
    model.input.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    language.loss(model, batch_of(language, 1), model.initial_state(LANES), Draws(1, 5, LANES))
    once = language.model().train()
    once.hidden(seen[-1], once.initial_state(LANES), batch_of(language, 1).mask_BT, Draws(1, 5, LANES))
    assert not torch.equal(model.input.norm.running_mean, mean)
    torch.testing.assert_close(model.input.norm.running_mean, once.input.norm.running_mean, atol=0, rtol=0)
