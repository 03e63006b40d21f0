"""A trained network, one symbol at a time, in NumPy: the engine of sampling on every machine.

The embedding, its BatchNorm and the first input matrix are folded into one table with a row of gates per symbol, so
the first layer's input costs a look-up.

Shapes: B rows, D input features, H hidden units, G = gates × H, F units that are fed back, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.config.schema import model as schema
from charrnn.scratch.cells import Arrays, State, Step
from charrnn.scratch.kinds import cell_of

_FEW, _LARGE = 4, 700_000
"""Rows, and products of numbers, up to and from which each row is multiplied by itself."""


@dataclass(frozen=True)
class _Layer:
    """One recurrent layer: its step and its matrices, transposed once so that a step is a plain product.

    `names` tells what each tensor of the state is called in the network and in the layer; the first is put out and fed
    back. `own` are the layer's tensors.
    """

    step: Step
    names: tuple[tuple[str, str], ...]
    own: Arrays
    input_DG: np.ndarray
    input_bias_G: np.ndarray
    hidden_FG: np.ndarray
    hidden_bias_G: np.ndarray


class StepNetwork:
    """`initial_state(batch)` and `step(ids_B, state) -> (logits_BV, state)` over trained tensors.

    Args:
        config: the `model:` section.
        arrays: the tensors of the checkpoint's group `model`.
    """

    def __init__(self, config: schema.Network, arrays: Arrays) -> None:
        self._layers = [_layer(config.core, arrays, i) for i in range(config.core.layers)]
        self._initial = initial_states(config.core, arrays)
        first = self._layers[0]
        self._table_VG = input_rows(config, arrays) @ first.input_DG + first.input_bias_G
        self._dense = [_linear(arrays, f"head.dense.{i}.") for i in range(len(config.head.hidden))]
        output_VH = arrays["input.table" if config.head.tie else "head.output.weight"]
        self._output = (np.ascontiguousarray(output_VH.T), arrays["head.output.bias"])

    def initial_state(self, batch: int) -> State:
        """What every layer begins with, named `<layer>.<name>` as in the checkpoint."""
        return {name: np.tile(start_H, (batch, 1)) for name, start_H in self._initial.items()}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Read one symbol per row; returns the scores of the next one and the state after."""
        after: State = {}
        y_BH = np.empty(0)
        for i, layer in enumerate(self._layers):
            before = {name: state[full] for full, name in layer.names}
            shown = layer.names[0][1]
            x_BG = self._table_VG[ids_B] if i == 0 else affine(y_BH, layer.input_DG, layer.input_bias_G)
            h_BG = affine(before[shown], layer.hidden_FG, layer.hidden_bias_G)
            then, _ = layer.step(x_BG, h_BG, before, layer.own)
            after |= {full: then[name] for full, name in layer.names}
            y_BH = then[shown]
        for weight, bias in self._dense:
            y_BH = np.maximum(affine(y_BH, weight, bias), 0.0)
        weight, bias = self._output
        return affine(y_BH, weight, bias), after


def affine(x_BD: np.ndarray, weight_DG: np.ndarray, bias_G: np.ndarray) -> np.ndarray:
    """x W + b. A few rows with a large matrix are multiplied one by one.

    A matrix library rearranges its operands first, which is worth its while for many rows; for two, with 512 × 2048, it
    took four times as long as two products with a vector (OpenBLAS). Small products it has other code for.
    """
    rows = len(x_BD)
    if not 1 < rows <= _FEW or rows * weight_DG.size < _LARGE:
        y_BG: np.ndarray = x_BD @ weight_DG
    else:
        y_BG = np.empty((rows, weight_DG.shape[1]), np.result_type(x_BD, weight_DG))
        for x_D, y_G in zip(x_BD, y_BG, strict=True):
            np.matmul(x_D, weight_DG, out=y_G)
    y_BG += bias_G
    return y_BG


def input_rows(config: schema.Network, arrays: Arrays) -> np.ndarray:
    """What the first layer sees of each symbol, in evaluation: (V, D)."""
    if isinstance(config.input, schema.OneHotInput):
        return np.eye(arrays["layers.0.weight_ih"].shape[1], dtype=arrays["layers.0.weight_ih"].dtype)
    table_VD = arrays["input.table"]
    if not config.input.batchnorm:
        return table_VD
    scale_D = arrays["input.norm.weight"] / np.sqrt(arrays["input.norm.running_var"] + schema.BATCHNORM_EPS)
    return (table_VD - arrays["input.norm.running_mean"]) * scale_D + arrays["input.norm.bias"]


def initial_states(config: schema.Core, arrays: Arrays) -> State:
    """What each tensor of the state begins with: (F,) or (H,), named `<layer>.<name>`."""
    dtype = arrays["layers.0.weight_ih"].dtype
    return {
        f"{i}.{name}": arrays[f"layers.{i}.initial_{name}"]
        if config.initial_state == "trained"
        else np.zeros(config.features, dtype)
        for i in range(config.layers)
        for name in cell_of(config).state_names
    }


def _layer(config: schema.Core, arrays: Arrays, number: int) -> _Layer:
    cell, prefix = cell_of(config), f"layers.{number}."
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    weight_GD, bias_G, hidden_GF, hidden_bias_G = cell.projections(own, config.features)
    names = tuple((f"{number}.{name}", name) for name in cell.state_names)
    return _Layer(
        cell.step,
        names,
        own,
        np.ascontiguousarray(weight_GD.T),
        bias_G,
        np.ascontiguousarray(hidden_GF.T),
        hidden_bias_G,
    )


def _linear(arrays: Arrays, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(arrays[prefix + "weight"].T), arrays[prefix + "bias"]
