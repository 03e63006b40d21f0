"""The window model against the graph of the course, written out for each number of characters."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from charrnn.config.schema import Network as NetworkConfig
from charrnn.models.build import build_model, parameters_of
from charrnn.models.core import generator_for

V, FACTORS, HIDDEN, ROWS = 11, 5, 6, 4


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("n", [1, 3, 8])
def test_n_characters_through_shared_matrices_summed_at_each_step(n: int, nonlinearity: str) -> None:
    config = {"input": {"size": FACTORS}, "core": {"kind": "window", "hidden": HIDDEN, "nonlinearity": nonlinearity}}
    model = build_model(NetworkConfig.model_validate(config), V, 1, torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator_for(2, "noise")))
    layer, function = model.layers[0], torch.tanh if nonlinearity == "tanh" else torch.relu
    ids_BT = torch.randint(0, V, (ROWS, n), generator=generator_for(3, "ids"))

    def dense_in(ids_B: torch.Tensor) -> torch.Tensor:
        return torch.relu(model.input.table[ids_B] @ layer.weight_ih.T + layer.bias_ih)

    def dense_hidden(hidden_BH: torch.Tensor) -> torch.Tensor:
        return function(hidden_BH @ layer.weight_hh.T + layer.bias_hh)

    hidden_BH = dense_in(ids_BT[:, 0]) + dense_hidden(torch.zeros(ROWS, HIDDEN, dtype=torch.float64))
    for t in range(1, n):
        hidden_BH = dense_in(ids_BT[:, t]) + dense_hidden(hidden_BH)
    logits_BTV, _ = model(ids_BT, model.initial_state(ROWS))
    torch.testing.assert_close(logits_BTV[:, -1], model.head.output(hidden_BH), atol=1e-12, rtol=0)


def test_untrained_the_first_character_stands_alone_as_in_the_course() -> None:
    config = {"core": {"kind": "window", "hidden": HIDDEN}, "input": {"size": FACTORS}}
    model = build_model(NetworkConfig.model_validate(config), V, 1, torch.float64)
    layer, ids_BT = model.layers[0], torch.arange(ROWS)[:, None]
    y_BTH, _ = layer(model.input.table[ids_BT], layer.initial_state(ROWS))
    torch.testing.assert_close(y_BTH[:, 0], F.relu(model.input.table[ids_BT[:, 0]] @ layer.weight_ih.T))


def test_it_has_the_parameters_of_the_course() -> None:
    """86 symbols, 42 factors, 256 hidden: an embedding, and three dense layers with their biases."""
    config = {"input": {"size": 42}, "core": {"kind": "window", "hidden": 256}}
    model = build_model(NetworkConfig.model_validate(config), 86, 1, torch.float32)
    assert parameters_of(model) == 86 * 42 + (42 + 1) * 256 + (256 + 1) * 256 + (256 + 1) * 86
