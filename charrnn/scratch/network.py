"""A trained network, one symbol at a time, in NumPy: the engine of sampling on every machine.

The embedding, its BatchNorm and the first input matrix are folded into one table with a row of gates per symbol, so
the first layer's input costs a look-up.

Shapes: B rows, D input features, H hidden units, G = gates × H, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from charrnn.config.schema import model as schema
from charrnn.scratch import cells

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class _Layer:
    """One recurrent layer: its step and its matrices, transposed once so that a step is a plain product."""

    step: cells.Step
    input_DG: np.ndarray
    input_bias_G: np.ndarray
    hidden_HG: np.ndarray
    hidden_bias_G: np.ndarray


class StepNetwork:
    """`initial_state(batch)` and `step(ids_B, state) -> (logits_BV, state)` over trained tensors.

    Args:
        config: the `model:` section.
        arrays: the tensors of the checkpoint's group `model`.
    """

    def __init__(self, config: schema.Network, arrays: Arrays) -> None:
        self._layers = [_layer(config.core, arrays, f"layers.{i}.") for i in range(config.core.layers)]
        self._initial = _initial_states(config.core, arrays)
        first = self._layers[0]
        self._table_VG = _input_rows(config, arrays) @ first.input_DG + first.input_bias_G
        self._dense = [_linear(arrays, f"head.dense.{i}.") for i in range(len(config.head.hidden))]
        output_VH = arrays["input.table" if config.head.tie else "head.output.weight"]
        self._output = (np.ascontiguousarray(output_VH.T), arrays["head.output.bias"])

    def initial_state(self, batch: int) -> cells.State:
        """What every layer begins with, named `<layer>.<name>` as in the checkpoint."""
        return {name: np.tile(start_H, (batch, 1)) for name, start_H in self._initial.items()}

    def step(self, ids_B: np.ndarray, state: cells.State) -> tuple[np.ndarray, cells.State]:
        """Read one symbol per row; returns the scores of the next one and the state after."""
        after: cells.State = {}
        y_BH = np.empty(0)
        for i, layer in enumerate(self._layers):
            own = {name.partition(".")[2]: t for name, t in state.items() if name.startswith(f"{i}.")}
            x_BG = self._table_VG[ids_B] if i == 0 else y_BH @ layer.input_DG + layer.input_bias_G
            own = layer.step(x_BG, own["h"] @ layer.hidden_HG + layer.hidden_bias_G, own)
            after |= {f"{i}.{name}": tensor for name, tensor in own.items()}
            y_BH = own["h"]
        for weight, bias in self._dense:
            y_BH = np.maximum(y_BH @ weight + bias, 0.0)
        weight, bias = self._output
        return y_BH @ weight + bias, after


def _input_rows(config: schema.Network, arrays: Arrays) -> np.ndarray:
    """What the first layer sees of each symbol, in evaluation: (V, D)."""
    if isinstance(config.input, schema.OneHotInput):
        return np.eye(arrays["layers.0.weight_ih"].shape[1], dtype=arrays["layers.0.weight_ih"].dtype)
    table_VD = arrays["input.table"]
    if not config.input.batchnorm:
        return table_VD
    scale_D = arrays["input.norm.weight"] / np.sqrt(arrays["input.norm.running_var"] + schema.BATCHNORM_EPS)
    return (table_VD - arrays["input.norm.running_mean"]) * scale_D + arrays["input.norm.bias"]


def _initial_states(config: schema.Core, arrays: Arrays) -> cells.State:
    names = ("h", "c") if isinstance(config, schema.LstmCore) else ("h",)
    dtype = arrays["layers.0.weight_hh"].dtype
    return {
        f"{i}.{name}": arrays[f"layers.{i}.initial_{name}"]
        if config.initial_state == "trained"
        else np.zeros(config.hidden, dtype)
        for i in range(config.layers)
        for name in names
    }


def _layer(config: schema.Core, arrays: Arrays, prefix: str) -> _Layer:
    return _Layer(
        _step_of(config),
        np.ascontiguousarray(arrays[prefix + "weight_ih"].T),
        arrays[prefix + "bias_ih"],
        np.ascontiguousarray(arrays[prefix + "weight_hh"].T),
        arrays[prefix + "bias_hh"],
    )


def _step_of(config: schema.Core) -> cells.Step:
    match config:
        case schema.ElmanCore():
            return cells.elman_relu if config.nonlinearity == "relu" else cells.elman_tanh
        case schema.GruCore():
            return cells.gru
        case schema.LstmCore():
            return cells.lstm
        case schema.WindowCore():
            return cells.window_relu if config.nonlinearity == "relu" else cells.window_tanh


def _linear(arrays: Arrays, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(arrays[prefix + "weight"].T), arrays[prefix + "bias"]
