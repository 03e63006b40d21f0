"""A network by hand against the same network by PyTorch: parameters, figures, gradients."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from charrnn.config.schema import Network as NetworkConfig
from charrnn.models.build import build_model
from charrnn.models.core import Draws, generator_for
from charrnn.models.network import Network

V, B, T = 11, 3, 9
IDS, TARGETS = torch.randint(0, V, (2, B, T), generator=generator_for(1, "symbols"))
RESETS = {4: torch.tensor([True, False, True])}

CORES: dict[str, dict[str, Any]] = {
    "elman": {"kind": "elman"},
    "elman-identity": {"kind": "elman", "nonlinearity": "relu", "init": "identity"},
    "gru": {"kind": "gru"},
    "lstm": {"kind": "lstm"},
    "jordan": {"kind": "jordan", "outputs": 7},
    "window-tanh": {"kind": "window"},
    "window-relu": {"kind": "window", "nonlinearity": "relu", "init": "identity"},
    "ln-lstm": {"kind": "ln-lstm"},
    "mingru": {"kind": "mingru"},
    "minlstm": {"kind": "minlstm"},
}
SHAPES: dict[str, dict[str, Any]] = {
    "one-hot": {"input": {"kind": "one-hot"}},
    "deep": {"input": {"size": 5, "dropout": 0.2}, "core": {"layers": 3, "dropout": 0.3}, "head": {"dropout": 0.3}},
    "dense": {"input": {"size": 5}, "head": {"hidden": [6, 5], "dropout": 0.2}},
    "tied": {"input": {"size": 7}, "head": {"tie": True}},
    "trained-start": {"input": {"size": 5}, "core": {"initial_state": "trained"}},
}


def config_of(core: str, shape: str) -> NetworkConfig:
    settings = SHAPES[shape]
    return NetworkConfig.model_validate(settings | {"core": CORES[core] | {"hidden": 7} | settings.get("core", {})})


def pair(core: str, shape: str, dtype: torch.dtype = torch.float64) -> tuple[Network, Network]:
    return (
        build_model(config_of(core, shape), V, 1, dtype, "torch"),
        build_model(config_of(core, shape), V, 1, dtype, "scratch"),
    )


def trained(model: Network) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """One training pass with dropout, resets and a state that is kept halfway: nats, state, gradients."""
    draws = Draws(seed=1, step=2, rows=B)
    hidden_BTH, after = model.hidden(IDS, model.initial_state(B), None, draws, RESETS, 6)
    logits_BTV = model.head(model.head.fed(hidden_BTH, draws), draws)
    nats_BT = model.head.nats(logits_BTV, TARGETS)
    (nats_BT.mean() + sum(tensor.square().sum() for tensor in after.values())).backward()
    return nats_BT, dict(after), {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("core", CORES)
def test_it_has_the_parameters_the_figures_and_the_gradients_of_its_twin(core: str, shape: str) -> None:
    torchs, ours = pair(core, shape)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in torchs.named_parameters()]
    assert ours.symbol_axes() == torchs.symbol_axes()
    for (name, one), (_, other) in zip(torchs.named_parameters(), ours.named_parameters(), strict=True):
        assert torch.equal(one, other), name
    expected, found = trained(torchs), trained(ours)
    torch.testing.assert_close(found[0], expected[0], atol=1e-10, rtol=0)
    for one, other in zip(expected[1:], found[1:], strict=True):
        assert list(one) == list(other)
        for name, tensor in one.items():
            torch.testing.assert_close(other[name], tensor, atol=1e-10, rtol=0, msg=name)


def test_it_computes_in_single_precision_too() -> None:
    torchs, ours = pair("lstm", "deep", torch.float32)
    expected, found = trained(torchs), trained(ours)
    assert found[0].dtype == torch.float32
    torch.testing.assert_close(found[0], expected[0], atol=1e-5, rtol=0)
    for name, gradient in expected[2].items():
        torch.testing.assert_close(found[2][name], gradient, atol=1e-5, rtol=0)


def test_pytorch_computes_nothing_but_sums_and_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every function of PyTorch's that a network is made of is away, and the network by hand does not miss it."""
    _, ours = pair("lstm", "dense")
    expected, _, _ = trained(copy.deepcopy(ours))

    def away(*_: object, **__: object) -> None:
        raise AssertionError("PyTorch was asked")

    for place, name in [
        (torch.nn.functional, "linear"),
        (torch.nn.functional, "embedding"),
        (torch.nn.functional, "cross_entropy"),
        (torch.nn.functional, "relu"),
        (torch, "lstm"),
        (torch, "tanh"),
        (torch, "sigmoid"),
        (torch, "matmul"),
    ]:
        monkeypatch.setattr(place, name, away)
    nats, _, _ = trained(ours)
    assert torch.equal(nats, expected)


def test_a_copy_is_a_network_of_its_own() -> None:
    """Averages and dynamic evaluation copy the model and move the copy."""
    _, ours = pair("lstm", "tied")
    copied = copy.deepcopy(ours)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.add_(1.0)
    before, after = trained(ours)[0], trained(copied)[0]
    assert not torch.allclose(before, after)
    assert copied.head.output.weight is copied.input.table
