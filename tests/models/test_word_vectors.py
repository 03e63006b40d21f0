"""Skip-gram and CBOW against sums over pairs, word by word, in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema.vectors import Cbow, SkipGram, WordModel
from charrnn.models.vectors import WordVectors

WINDOW, VOCABULARY = 3, 7


def model_of(config: WordModel) -> WordVectors:
    generator = torch.Generator().manual_seed(3)
    model = WordVectors(config, torch.arange(VOCABULARY) > 0, WINDOW, generator).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def contexts(reach: list[int], document: list[int]) -> list[list[int]]:
    """The places of the context of each place."""
    places = range(len(reach))
    return [
        [q for q in places if q != p and abs(q - p) <= reach[p] and document[p] == document[q] >= 0] for p in places
    ]


def reference(
    kind: str,
    inputs: np.ndarray,
    outputs: np.ndarray,
    ids: list[int],
    around: list[list[int]],
    noise: list[int],
    k: float,
) -> tuple[list[float], list[int]]:
    def cost(score: float) -> float:
        return float(np.log1p(np.exp(-score)))

    nats, pairs = [], []
    for p, context in enumerate(around):
        if kind == "skip-gram":
            read, true = inputs[ids[p]], [outputs[ids[q]] for q in context]
        else:
            read = np.mean([inputs[ids[q]] for q in context], axis=0) if context else None
            true = [outputs[ids[p]]] if context else []
        each = [cost(read @ u) + k * np.mean([cost(-(read @ outputs[w])) for w in noise]) for u in true]
        nats.append(sum(each))
        pairs.append(len(each))
    return nats, pairs


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    columns = draw(st.integers(1, 70))
    rows: tuple[list[list[int]], list[list[int]], list[list[int]]] = ([], [], [])
    for _ in range(draw(st.integers(1, 3))):
        words = draw(st.integers(0, columns))
        rest = columns - words
        ids = draw(st.lists(st.integers(1, VOCABULARY - 1), min_size=words, max_size=words))
        reach = draw(st.lists(st.integers(1, WINDOW), min_size=words, max_size=words))
        document = sorted(draw(st.lists(st.integers(1, 4), min_size=words, max_size=words)))
        for row, of, nothing in zip(rows, (ids, reach, document), (0, 0, -1), strict=True):
            row.append(of + [nothing] * rest)
    return rows


@pytest.mark.parametrize("config", [SkipGram(size=4, negatives=2.5), Cbow(kind="cbow", size=4)], ids=lambda c: c.kind)
@given(batch=batches(), noise=st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=5))
def test_the_loss_is_the_sum_over_the_pairs(
    config: WordModel, batch: tuple[list[list[int]], list[list[int]], list[list[int]]], noise: list[int]
) -> None:
    model = model_of(config)
    nats_BT, pairs_BT = model(*(torch.tensor(part) for part in batch), torch.tensor(noise))
    inputs, outputs = (table.detach().numpy() for table in (model.input.table, model.output.table))
    for row, (ids, reach, document) in enumerate(zip(*batch, strict=True)):
        around = contexts(reach, document)
        nats, pairs = reference(config.kind, inputs, outputs, ids, around, noise, config.negatives)
        assert pairs_BT[row].tolist() == pairs
        np.testing.assert_allclose(nats_BT[row].detach().numpy(), nats, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("config", [SkipGram(size=3), Cbow(kind="cbow", size=3)], ids=lambda c: c.kind)
def test_the_gradient_is_that_of_the_sums(config: WordModel) -> None:
    model = model_of(config)
    ids, reach = torch.tensor([[1, 2, 3, 2, 5]]), torch.tensor([[2, 1, 3, 1, 0]])
    document, noise = torch.tensor([[1, 1, 1, 2, -1]]), torch.tensor([4, 2, 2])

    def loss(*tables: torch.Tensor) -> torch.Tensor:
        named = dict(zip(["input.table", "output.table"], tables, strict=True))
        nats_BT, _ = torch.func.functional_call(model, named, (ids, reach, document, noise))
        return nats_BT.sum()

    assert torch.autograd.gradcheck(loss, tuple(p.detach().requires_grad_() for p in model.parameters()))


def test_what_is_not_learned_has_zeros_and_keeps_them() -> None:
    generator = torch.Generator().manual_seed(1)
    model = WordVectors(SkipGram(size=4), torch.tensor([False, True, True, False]), 2, generator)
    assert model.input.table[[0, 3]].abs().sum() == 0
    assert model.input.table[[1, 2]].abs().max() <= 0.5 / 4
    assert model.output.table.abs().sum() == 0
    nats, _ = model(
        torch.tensor([[1, 2, 1, 0]]), torch.tensor([[2, 2, 2, 0]]), torch.tensor([[1, 1, 1, -1]]), torch.tensor([1, 2])
    )
    nats.sum().backward()
    assert model.output.table.grad is not None
    assert model.output.table.grad[[0, 3]].abs().sum() == 0
