from __future__ import annotations

from typing import Any

import pytest
import torch
from celltable import CELLS, fresh
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from charrnn.config.schema.model import Network as NetworkConfig
from charrnn.models.cells import Elman, GatedLayer, Lstm
from charrnn.models.core import Draws, generator_for
from charrnn.models.network import Network, build_layer
from charrnn.models.padding import makes_persistent, padded, use_padding
from charrnn.models.reduced import Operands

PADDED = ["elman-tanh", "elman-relu", "elman-identity", "lstm"]
SIZES = st.integers(1, 9)


def computed(layer: Any, x_BTD: Tensor, state: dict[str, Tensor]) -> list[Tensor]:
    """Output, state after, and the gradient of every weight, of the input and of the state."""
    leaves = [x_BTD.requires_grad_(), *(tensor.requires_grad_() for tensor in state.values()), *layer.parameters()]
    y_BTH, after = layer(x_BTD, state)
    weights = torch.linspace(-1.0, 1.0, y_BTH.numel(), dtype=torch.float64).view_as(y_BTH)
    target = (y_BTH * weights).sum() + sum(tensor.square().sum() for tensor in after.values())
    return [y_BTH, *after.values(), *torch.autograd.grad(target, leaves)]


@pytest.mark.parametrize("cell", PADDED)
@given(rows=SIZES, steps=SIZES, inputs=SIZES, hidden=SIZES, multiple=st.sampled_from([2, 3, 4, 8]), seed=st.integers())
def test_a_larger_layer_gives_what_the_layer_gives(
    cell: str, rows: int, steps: int, inputs: int, hidden: int, multiple: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed % 2**31)
    core = NetworkConfig.model_validate({"core": CELLS[cell] | {"hidden": hidden}}).core
    layer = build_layer(core, inputs, "layer", generator).double().train()
    for parameter in layer.parameters():
        parameter.data.normal_(0.0, 0.5, generator=generator)
    x_BTD = torch.randn(rows, steps, inputs, generator=generator, dtype=torch.float64)
    state = {
        name: torch.randn(rows, hidden, generator=generator, dtype=torch.float64) for name in layer.initial_state(rows)
    }
    exact = computed(layer, x_BTD, state)
    use_padding(layer, multiple)
    larger = computed(layer, x_BTD, state)
    assert [tensor.shape for tensor in larger] == [tensor.shape for tensor in exact]
    for found, expected in zip(larger, exact, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_kernel_sees_multiples_gate_by_gate() -> None:
    given_ = Operands(
        torch.randn(3, 4, 5),
        [torch.randn(3, 6), torch.randn(3, 6)],
        [torch.randn(24, 5), torch.randn(24, 6), torch.randn(24), torch.randn(24)],
    )
    larger = padded(given_, gates=4, multiple=8)
    assert larger.x_BTD.shape == (3, 4, 8)
    assert [tensor.shape for tensor in larger.state] == [(3, 8), (3, 8)]
    assert [tuple(weight.shape) for weight in larger.weights] == [(32, 8), (32, 8), (32,), (32,)]
    for weight, source in zip(larger.weights, given_.weights, strict=True):
        for block, own in zip(weight.chunk(4), source.chunk(4), strict=True):
            width = own.shape[1:]
            assert torch.equal(block[: len(own)][..., : width[0]] if width else block[: len(own)], own)
            assert block.abs().sum() == pytest.approx(own.abs().sum().item(), rel=1e-6)


def test_only_layers_whose_further_units_stay_at_zero_are_padded_and_in_training_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (Elman.pads, Lstm.pads, GatedLayer.pads) == (True, True, False)
    gru = fresh("gru")
    use_padding(gru)
    assert gru.multiple == 1  # type: ignore[attr-defined]
    config = NetworkConfig.model_validate({"input": {"size": 6}, "core": {"hidden": 7, "layers": 2}})
    network = Network(config, 11, generator_for(1, "weights"))
    use_padding(network)
    seen = []
    real = torch.lstm

    def spy(x: Tensor, start: Any, weights: Any, *rest: Any) -> Any:
        seen.append((x.shape[-1], tuple(weights[1].shape)))
        return real(x, start, weights, *rest)

    monkeypatch.setattr(torch, "lstm", spy)
    ids_BT = torch.ones(2, 3, dtype=torch.int64)
    for training in (True, False):
        network.train(training)
        network(ids_BT, network.initial_state(2), draws=Draws(1, 0, 2))
    assert seen == [(128, (512, 128)), (128, (512, 128)), (6, (28, 7)), (7, (28, 7))]
    assert network.layers[0].weight_hh.shape == (28, 7)


@pytest.mark.parametrize(
    ("layers", "rows", "pays"),
    [
        ([(128, 512), (512, 512)], 64, False),  # they have such sizes
        ([(86, 512), (512, 512)], 64, True),
        ([(128, 500)], 64, True),
        ([(128, 1000)], 128, True),
        ([(128, 1030)], 64, False),  # no kernel has room for it
        ([(86, 512)], 60, False),
        ([(86, 512)], 136, False),
    ],
)
def test_padding_pays_where_a_kernel_takes_what_comes_of_it(
    layers: list[tuple[int, int]], rows: int, pays: bool
) -> None:
    assert makes_persistent(layers, rows) is pays
