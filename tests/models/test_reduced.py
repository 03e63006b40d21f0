"""Layers under autocast: what is multiplied is in fewer bits, what is carried and what comes out is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from celltable import CELLS
from torch import nn

from charrnn.config.schema.classifier import ConvolutionClassifier, RecurrentClassifier
from charrnn.config.schema.model import Network as NetworkConfig
from charrnn.models.classifier import Classifier
from charrnn.models.core import Draws, generator_for
from charrnn.models.network import Network
from charrnn.models.reduced import Operands

TYPES = [torch.bfloat16, torch.float16]


def reduced(dtype: torch.dtype) -> torch.autocast:
    return torch.autocast("cpu", dtype, cache_enabled=False)


def near(close: torch.Tensor, exact: torch.Tensor, share: float = 0.04) -> bool:
    """By the norm of the difference; bf16 has 8 bits."""
    return bool((close - exact).norm() <= share * exact.norm())


def network(core: dict[str, Any], **head: Any) -> Network:
    config = NetworkConfig.model_validate({"input": {"size": 6}, "core": {"layers": 2} | core, "head": head})
    return Network(config, 11, generator_for(1, "weights"))


def run(model: Network, ids_BT: torch.Tensor) -> tuple[torch.Tensor, Any, dict[str, torch.Tensor]]:
    """Two chunks with the carried state between them: scores, state, gradient."""
    model.zero_grad(set_to_none=True)
    draws, state = Draws(1, 0, len(ids_BT)), model.initial_state(len(ids_BT))
    _, state = model(ids_BT[:, :4], state, draws=draws)
    scores_BTV, state = model(ids_BT[:, 4:], state, draws=draws)
    with torch.autocast("cpu", enabled=False):
        scores_BTV.square().mean().backward()
    return scores_BTV, state, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("cell", CELLS)
def test_a_network_in_fewer_bits_is_close_and_carries_fp32(cell: str, dtype: torch.dtype) -> None:
    model = network(CELLS[cell] | {"hidden": 8}, hidden=[7]).train()
    ids_BT = torch.randint(1, 11, (3, 9), generator=torch.Generator().manual_seed(2))
    scores, state, gradient = run(model, ids_BT)
    with reduced(dtype):
        close_scores, close_state, close_gradient = run(model, ids_BT)
    assert not torch.equal(close_scores, scores)  # something was reduced
    assert close_scores.dtype == torch.float32
    assert near(close_scores, scores)
    assert {name: tensor.dtype for name, tensor in close_state.items()} == dict.fromkeys(state, torch.float32)
    for name, tensor in state.items():
        assert near(close_state[name], tensor)
    assert close_gradient.keys() == gradient.keys()
    for name, tensor in gradient.items():
        assert close_gradient[name].dtype == torch.float32
        assert near(close_gradient[name], tensor, 0.1), name


@pytest.mark.parametrize("drop", ["weight", "state"])
def test_dropout_inside_the_recurrence_has_the_masks_of_fp32(drop: str) -> None:
    core = {"hidden": 8, "dropout": 0.3, "recurrent_dropout": {"kind": drop, "p": 0.4}}
    model = network(core, dropout=0.2).train()
    ids_BT = torch.randint(1, 11, (3, 9), generator=torch.Generator().manual_seed(2))
    scores, _, _ = run(model, ids_BT)
    with reduced(torch.bfloat16):
        close, _, _ = run(model, ids_BT)
    assert not torch.equal(close, scores)
    assert near(close, scores)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "recurrent", "core": {"hidden": 8}, "bidirectional": True, "pool": "mean"},
        {"kind": "convolution", "filters": 4},
    ],
)
def test_a_classifier_puts_out_fp32(settings: dict[str, Any], dtype: torch.dtype) -> None:
    kind = RecurrentClassifier if settings["kind"] == "recurrent" else ConvolutionClassifier
    config = kind.model_validate({"input": {"size": 6}} | settings)
    model: nn.Module = Classifier(config, 11, 3, generator_for(1, "weights")).train()
    ids_BT = torch.randint(1, 11, (3, 9), generator=torch.Generator().manual_seed(2))
    length_B, draws = torch.tensor([9, 4, 7]), Draws(1, 0, 3)
    scores_BC = model(ids_BT, length_B, draws)
    with reduced(dtype):
        close_BC = model(ids_BT, length_B, draws)
    assert close_BC.dtype == torch.float32
    assert not torch.equal(close_BC, scores_BC)
    assert near(close_BC, scores_BC)


def test_cast_weights_lie_one_behind_the_other_in_one_piece_of_memory() -> None:
    weights = [torch.randn(8, 3), torch.randn(8, 2), torch.randn(8), torch.randn(8)]
    cast = Operands(torch.randn(1, 2, 3), [torch.zeros(1, 2)], weights).to(torch.float16)
    place = cast.weights[0].data_ptr()
    assert place == cast.weights[0].untyped_storage().data_ptr()
    for weight, given in zip(cast.weights, weights, strict=True):
        assert weight.data_ptr() == place
        assert torch.equal(weight, given.half())
        place += 2 * weight.numel()
    assert (cast.x_BTD.dtype, cast.state[0].dtype) == (torch.float16, torch.float16)
