"""Classifiers: what fills sequences up never counts, and each reader is what its formula says.

Shapes: B rows, T steps, D features, C classes.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import Tensor

from charrnn.config.schema.classifier import ClassifierModel
from charrnn.models.classifier import Classifier, _turned
from charrnn.models.core import Draws, generator_for

V, C = 9, 4
CORE = {"kind": "gru", "hidden": 5, "layers": 2}
MODELS: dict[str, dict[str, Any]] = {
    "last": {"core": CORE},
    "mean": {"core": CORE, "pool": "mean", "bidirectional": True},
    "max": {"core": CORE, "pool": "max", "bidirectional": True, "head": {"hidden": [6]}},
    "lstm": {"core": {"kind": "lstm", "hidden": 4}, "bidirectional": True, "input": {"kind": "one-hot"}},
    "scan": {"core": {"kind": "mingru", "hidden": 4, "layers": 2}, "bidirectional": True},
    "convolution": {"kind": "convolution", "widths": [1, 3, 5], "filters": 3},
}


def classifier(name: str, **keys: object) -> Classifier:
    config = TypeAdapter(ClassifierModel).validate_python(MODELS[name] | keys)
    return Classifier(config, V, C, generator_for(1, "weights")).double()


def batch(lengths: list[int], width: int, fill: int = 0) -> tuple[Tensor, Tensor]:
    x_BT = torch.full((len(lengths), width), fill)
    for row, length in enumerate(lengths):
        x_BT[row, :length] = torch.randint(0, V, (length,), generator=generator_for(row, "symbols"))
    return x_BT, torch.tensor(lengths)


@pytest.mark.parametrize("name", MODELS)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), more=st.integers(0, 4), fill=st.integers(0, V - 1))
def test_what_fills_up_changes_nothing(name: str, lengths: list[int], more: int, fill: int) -> None:
    model = classifier(name).eval()
    x_BT, length_B = batch(lengths, max(lengths) + more, fill)
    together = model(x_BT, length_B)
    rows = [slice(row, row + 1) for row in range(len(lengths))]
    alone = torch.cat([model(x_BT[row, : length_B[row]], length_B[row]) for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-12, rtol=0.0)


@pytest.mark.parametrize("name", MODELS)
def test_what_fills_up_gets_no_gradient_and_weights_get_the_same(name: str) -> None:
    gradients = []
    for width, fill in ((6, 0), (11, 3)):
        model = classifier(name).train()
        x_BT, length_B = batch([6, 2, 4], width, fill)
        model(x_BT, length_B, Draws(1, 0, 3)).square().sum().backward()
        gradients.append({key: p.grad for key, p in model.named_parameters()})
    for key in gradients[0]:
        torch.testing.assert_close(gradients[0][key], gradients[1][key], atol=1e-12, rtol=0.0)


def test_every_sequence_is_turned_round_within_its_length() -> None:
    x_BTD = torch.arange(10.0).reshape(2, 5, 1)
    assert _turned(x_BTD, torch.tensor([3, 5]))[..., 0].tolist() == [[2, 1, 0, 3, 4], [9, 8, 7, 6, 5]]


def test_the_way_back_reads_the_sequence_from_its_end() -> None:
    model = classifier("max").eval()
    assert model.reader.back is not None
    model.reader.back.load_state_dict(model.reader.layers.state_dict())
    x_BT, length_B = batch([5], 5)
    mask_BT = torch.ones(1, 5, dtype=torch.bool)
    x_BTD = model.input(x_BT, mask_BT, None)
    forwards = model.reader(x_BTD, length_B, mask_BT, None)
    backwards = model.reader(x_BTD.flip(1), length_B, mask_BT, None)
    torch.testing.assert_close(forwards, backwards.roll(5, 1), atol=1e-12, rtol=0.0)


def test_pools_are_what_they_are_called() -> None:
    x_BT, length_B = batch([4, 2], 4)
    outputs = {}
    for pool in ("last", "mean", "max"):
        reader = classifier("last", pool=pool).eval()
        mask_BT = torch.arange(4) < length_B[:, None]
        x_BTD = reader.input(x_BT, mask_BT, None)
        outputs[pool] = reader.reader(x_BTD, length_B, mask_BT, None)
        y_BTH = x_BTD
        for layer in reader.reader.layers:
            y_BTH, _ = layer(y_BTH, layer.initial_state(2))
        rows = [y_BTH[row, : length_B[row]] for row in range(2)]
        expected = {
            "last": [row[-1] for row in rows],
            "mean": [row.mean(0) for row in rows],
            "max": [row.max(0).values for row in rows],
        }[pool]
        torch.testing.assert_close(outputs[pool], torch.stack(expected), atol=1e-12, rtol=0.0)


def test_filters_are_a_product_with_each_run_of_steps() -> None:
    model = classifier("convolution", widths=[2], filters=3).eval()
    x_BT, length_B = batch([4], 4)
    x_TD = model.input(x_BT, torch.ones(1, 4, dtype=torch.bool), None)[0]
    (layer,) = model.reader.filters
    runs = torch.stack([x_TD[t : t + 2] for t in range(3)])
    scores = torch.einsum("tkd,fdk->tf", runs, layer.weight) + layer.bias
    pooled = model.reader(x_TD[None], length_B, torch.ones(1, 4, dtype=torch.bool), None)[0]
    torch.testing.assert_close(pooled, scores.relu().max(0).values, atol=1e-12, rtol=0.0)


def test_numbers_need_no_table() -> None:
    model = classifier("last", input={"kind": "values"}).eval()
    x_BTD = torch.rand(2, 3, V, dtype=torch.float64)
    assert model(x_BTD, torch.tensor([3, 1])).shape == (2, C)
    assert "input.table" not in model.state_dict()


def test_masks_are_functions_of_the_step() -> None:
    model = classifier("max", head={"dropout": 0.5}, input={"dropout": 0.2}).train()
    x_BT, length_B = batch([4, 3], 4)
    one, same, other = (model(x_BT, length_B, Draws(1, step, 2)) for step in (7, 7, 8))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    part = model(x_BT[1:], length_B[1:], Draws(1, 7, 2, first=1))
    torch.testing.assert_close(part, one[1:], atol=1e-12, rtol=0.0)
