from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from charrnn.config.schema import LanguageConfig
from charrnn.corpus.prepare import prepare
from charrnn.tasks.language import LanguageTask

CPU = torch.device("cpu")


def task(tmp_path: Path, text: str, **corpus: object) -> LanguageTask:
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    config = LanguageConfig.model_validate(
        {
            "corpus": {"source": "text.txt", "split": [0.8, 0.2, 0.0], **corpus},
            "stream": {"lanes": 3, "chunk": 7},
            "model": {"core": {"hidden": 5}},
            "train": {"precision": "fp64"},
        }
    )
    return LanguageTask(config, prepare(config.corpus, base=tmp_path, corpora=tmp_path / "corpora").corpus)


def test_the_loss_counts_what_the_mask_counts(tmp_path: Path) -> None:
    language = task(tmp_path, "abcdefgh" * 13)
    model = language.model()
    stream = language.stream("train")
    assert stream is not None
    batch = stream.batch(stream.steps_per_epoch - 1, CPU)
    assert not batch.mask_BT.all()
    loss = language.loss(model, batch, language.initial_state(model, 3))
    logits, _ = model(batch.x_BT, language.initial_state(model, 3))
    each = F.cross_entropy(logits[batch.mask_BT], batch.y_BT[batch.mask_BT], reduction="none")
    assert loss.sum.item() == pytest.approx(each.sum().item(), rel=1e-12)
    assert loss.count.item() == len(each)


@pytest.mark.parametrize("unit", ["char", "byte", "word"])
def test_bits_are_per_character_and_per_byte_of_the_text_whatever_the_unit(tmp_path: Path, unit: str) -> None:
    language = task(tmp_path, "größer ist – nicht besser\n" * 40, unit=unit)
    part = language.corpus.split("valid")
    figures = language.metrics(1.5, "valid")
    assert figures["nats"] == 1.5
    assert figures["perplexity"] == pytest.approx(math.exp(1.5))
    assert figures["bits_per_char"] == pytest.approx(1.5 / math.log(2) * len(part.tokens) / part.characters)
    assert figures["bits_per_byte"] < figures["bits_per_char"]
    assert language.metrics(1e6, "valid")["perplexity"] < math.inf


def test_lanes_fit_the_text(tmp_path: Path) -> None:
    language = task(tmp_path, "abcdefgh" * 13)
    train, valid = language.stream("train"), language.stream("valid")
    assert train is not None
    assert valid is not None
    assert (train.rows, valid.rows) == (3, 16)
    assert language.stream("test") is None


def lies_there(language: LanguageTask, split: str, cut: tuple[int, int] | None = None) -> bool:
    stream = language.stream(split, cut)
    assert stream is not None
    return stream.resident is not None


def test_tokens_of_training_and_validation_lie_on_the_device_where_each_fits(tmp_path: Path) -> None:
    language = task(tmp_path, "abcdefgh" * 50)  # 320 and 80 tokens of a byte each, and the beginning of a document
    plain = language.stream("train").batch(3, CPU)  # type: ignore[union-attr]
    assert not lies_there(language, "train")
    assert language.keep_tokens_on(CPU, lambda device: 4 * 328)
    assert [lies_there(language, "train"), lies_there(language, "valid")] == [True, True]
    assert lies_there(language, "train", (2, 9))
    there = language.stream("train").batch(3, CPU)  # type: ignore[union-attr]
    assert torch.equal(there.x_BT, plain.x_BT)
    assert not language.keep_tokens_on(CPU, lambda device: 4 * 88)
    assert [lies_there(language, "train"), lies_there(language, "valid")] == [False, True]


def test_tokens_stay_with_the_host_on_a_cpu(tmp_path: Path) -> None:
    assert not task(tmp_path, "abcdefgh" * 50).keep_tokens_on(CPU)
