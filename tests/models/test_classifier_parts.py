"""What a classifier does beside reading: where numbers are dropped, what its head is, what it shares with others.

Shapes: B rows, T steps, D features, F features of a whole sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from charrnn.config.schema.classifier import ClassifierModel
from charrnn.models.classifier import Classifier
from charrnn.models.core import Draws, Dropout, generator_for

V, C = 9, 4
X_BT = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
LENGTH_B = torch.tensor([4, 4])


def classifier(**keys: Any) -> Classifier:
    core = {} if keys.get("kind") == "convolution" else {"core": {"kind": "gru", "hidden": 5}}
    config = TypeAdapter(ClassifierModel).validate_python({**core, **keys})
    return Classifier(config, V, C, generator_for(1, "weights")).double()


def read(model: Classifier, step: int) -> Tensor:
    x = torch.rand(2, 4, V, generator=generator_for(1, "values"), dtype=torch.float64)
    values = not hasattr(model.input, "table")
    return model(x if values else X_BT, LENGTH_B, Draws(1, step, 2))


@pytest.mark.parametrize(
    "keys",
    [
        {"core": {"kind": "gru", "hidden": 5, "layers": 2, "dropout": 0.5}},
        {"head": {"dropout": 0.5}},
        {"head": {"dropout": 0.5, "hidden": [6]}},
        {"input": {"kind": "values", "dropout": 0.5}},
        {"kind": "convolution", "widths": [2], "filters": 6, "head": {"dropout": 0.5}},
    ],
    ids=["between layers", "head", "hidden head", "values", "convolution"],
)
def test_what_the_config_says_is_dropped_in_training_only(keys: dict[str, Any]) -> None:
    model = classifier(**keys)
    assert not torch.equal(read(model.train(), 1), read(model, 2))
    assert torch.equal(read(model.eval(), 1), read(model, 2))


def test_the_two_ways_begin_with_other_weights_and_drop_other_numbers() -> None:
    core = {"kind": "gru", "hidden": 5, "recurrent_dropout": 0.3}
    model = classifier(core=core, bidirectional=True, pool="mean").train()
    assert model.reader.back is not None
    there, back = model.reader.layers.state_dict(), model.reader.back.state_dict()
    assert not torch.equal(there["0.weight_ih"], back["0.weight_ih"])
    model.reader.back.load_state_dict(there)
    same_BTD = torch.ones(2, 3, model.input.features, dtype=torch.float64)
    y_BF = model.reader(same_BTD, torch.tensor([3, 3]), torch.ones(2, 3, dtype=torch.bool), Draws(1, 0, 2))
    assert not torch.equal(*y_BF.chunk(2, 1)), "the same weights and steps, other masks"


def test_no_two_dropouts_drop_the_same_numbers() -> None:
    core = {"kind": "gru", "hidden": 5, "layers": 3, "dropout": 0.5}
    model = classifier(core=core, bidirectional=True, head={"hidden": [5, 5], "dropout": 0.5}, input={"dropout": 0.5})
    names = [module.name for module in model.modules() if isinstance(module, Dropout)]
    assert len(names) == len(set(names)) == 1 + 2 * 2 + 3


def test_a_dense_layer_of_the_head_is_rectified_and_the_scores_are_not() -> None:
    model = classifier(head={"hidden": [6]}).eval()
    x_BF = torch.rand(3, 5, generator=generator_for(1, "features"), dtype=torch.float64) - 0.5
    first, last = model.head.dense
    torch.testing.assert_close(model.head(x_BF, None), last(first(x_BF).relu()), atol=1e-12, rtol=0.0)
    assert (model.head(x_BF, None) < 0).any()
    assert (first(x_BF) < 0).any()
    plain = classifier().eval()
    torch.testing.assert_close(plain.head(x_BF, None), plain.head.dense[0](x_BF), atol=1e-12, rtol=0.0)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_sequence_shorter_than_a_filter_is_read_as_if_zeros_followed(length: int) -> None:
    model = classifier(kind="convolution", widths=[3], filters=8).eval()
    x_BT, length_B = X_BT[:1], torch.tensor([length])
    mask_BT = torch.arange(4) < length_B[:, None]
    x_BTD = model.input(x_BT, mask_BT, None)
    (layer,) = model.reader.filters
    run_DK = torch.zeros(x_BTD.shape[2], 3, dtype=torch.float64)
    run_DK[:, :length] = x_BTD[0, :length].T
    expected = (torch.einsum("fdk,dk->f", layer.weight, run_DK) + layer.bias).relu()
    assert expected.max() > 0
    torch.testing.assert_close(model.reader(x_BTD, length_B, mask_BT, None)[0], expected, atol=1e-12, rtol=0.0)


def test_it_says_which_tensors_have_an_entry_for_each_symbol() -> None:
    for keys, expected in (
        ({}, {"input.table": 0}),
        ({"input": {"kind": "one-hot"}}, {"reader.layers.0.weight_ih": 1}),
        ({"input": {"kind": "values"}}, {}),
    ):
        model = classifier(**keys)
        assert model.symbol_axes() == expected
        for name, axis in expected.items():
            assert model.state_dict()[name].shape[axis] == V


def test_of_a_language_model_it_takes_the_input_and_the_layers() -> None:
    arrays = {name: np.zeros(1) for name in ("input.table", "layers.0.weight_ih", "head.dense.0.weight", "feedback.x")}
    assert list(Classifier.encoder(arrays)) == ["input.table", "reader.layers.0.weight_ih"]
