"""The table of all recurrent cells, for the tests that hold for every one of them."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from charrnn.config.schema.model import Core
from charrnn.models.cells import Layer
from charrnn.models.core import State, generator_for
from charrnn.models.minimal import ScannedLayer
from charrnn.models.network import build_layer

INPUTS, HIDDEN = 5, 7

CELLS: dict[str, dict[str, Any]] = {
    "elman-tanh": {"kind": "elman"},
    "elman-relu": {"kind": "elman", "nonlinearity": "relu"},
    "elman-identity": {"kind": "elman", "nonlinearity": "relu", "init": "identity"},
    "jordan": {"kind": "jordan", "outputs": 4},
    "window-tanh": {"kind": "window"},
    "window-relu": {"kind": "window", "nonlinearity": "relu", "init": "identity"},
    "gru": {"kind": "gru"},
    "lstm": {"kind": "lstm"},
    "ln-lstm": {"kind": "ln-lstm"},
    "mingru": {"kind": "mingru"},
    "minlstm": {"kind": "minlstm"},
    "mingru-tree": {"kind": "mingru"},
    "minlstm-tree": {"kind": "minlstm"},
}
"""What the config says of each; `-tree` is another form of the same cell."""

GATED = [name for name in CELLS if not name.startswith("min")]


def fresh(name: str, **keys: object) -> Layer:
    """A layer as it begins; `keys` are more of its config."""
    config = TypeAdapter(Core).validate_python({"hidden": HIDDEN, **CELLS[name], **keys})
    layer = build_layer(config, INPUTS, "layer", generator_for(3, "weights"))
    assert isinstance(layer, Layer)
    if isinstance(layer, ScannedLayer):
        layer.form = "tree" if name.endswith("-tree") else "loop"
    return layer


def noisy(name: str, dtype: torch.dtype = torch.float64, **keys: object) -> Layer:
    """A layer in which every parameter matters, what its state begins with too."""
    layer = fresh(name, **keys)
    noise = generator_for(4, "noise")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=noise))
    return layer.to(dtype)


def example(layer: Layer, rows: int, steps: int) -> tuple[Tensor, State]:
    """An input x_BTD and a state in front of it."""
    generator = generator_for(5, "input")
    dtype = layer.weight_ih.dtype
    x_BTD = torch.randn(rows, steps, INPUTS, generator=generator).to(dtype)
    state = {
        key: torch.randn(tensor.shape, generator=generator).to(dtype)
        for key, tensor in layer.initial_state(rows).items()
    }
    return x_BTD, state
