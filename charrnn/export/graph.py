"""One step of a network as an ONNX graph: a symbol per row and the state go in, the scores of the next and the state
after come out.

It is put together from the tables of the model and not by PyTorch's exporter. That one exports every core too (tried
with torch 2.13 on LSTM, GRU, layer norm and minGRU, two layers of 256), and the graph from the tables is the better
one to ship: 36 plain nodes for two LSTM layers where the exporter makes 69, 28 of them slices that lay the weights out
anew at every step; BatchNorm and the first matrix folded into one look-up; every product a MatMul, so that all of them
can be quantised; and it is made in a blink without torch, where the exporter takes seconds and has much to say.

Shapes: B rows, V vocabulary, D input features, F numbers that a layer puts out, G = gates × H.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from charrnn.config.schema.model import LAYERNORM_EPS
from charrnn.export.extra import package
from charrnn.export.tables import LayerTables, Tables

OPSET = 17
"""The first that has LayerNormalization; onnxruntime knows it since 1.12."""

_IR = 8
_FOLDED = 1 << 20  # numbers: above this the first matrix stays a product (a vocabulary of words)
_IDS, _SCORES = "ids", "logits"
_States = dict[str, str]
_Step = Callable[["_Graph", LayerTables, str, str, _States], _States]


def tensor_name(state: str) -> str:
    """What the graph calls a tensor of the state as it goes in: `h0` for `0.h`."""
    layer, name = state.split(".")
    return name + layer


def after_name(state: str) -> str:
    """What it is called as it comes out: `h0_next`."""
    return tensor_name(state) + "_next"


def step_graph(tables: Tables, properties: Mapping[str, str]) -> Any:
    """The graph as an `onnx.ModelProto`.

    Args:
        tables: the network.
        properties: what the file says of itself, for `metadata_props`.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    onnx = package("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = _Graph(onnx)
    scores, after = _network(graph, tables)
    graph.add("Identity", scores, to=_SCORES)
    for name, value in after.items():
        graph.add("Identity", value, to=after_name(name))
    widths = {name: len(start) for name, start in tables.initial.items()}
    inputs = [helper.make_tensor_value_info(_IDS, kinds.INT64, ["batch"])]
    outputs = [helper.make_tensor_value_info(_SCORES, kinds.FLOAT, ["batch", tables.vocabulary])]
    for name, width in widths.items():
        inputs.append(helper.make_tensor_value_info(tensor_name(name), kinds.FLOAT, ["batch", width]))
        outputs.append(helper.make_tensor_value_info(after_name(name), kinds.FLOAT, ["batch", width]))
    body = helper.make_graph(graph.nodes, "charrnn_step", inputs, outputs, graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="charrnn")
    model.ir_version = _IR
    helper.set_model_props(model, dict(properties))
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """A node with one output; returns its name."""
        name = to or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(kind, list(inputs), [name], name=f"n_{name}", **attributes))
        return name

    def split(self, value: str, count: int) -> list[str]:
        """The gates that lie side by side in `value`."""
        names = [f"split_{len(self.nodes)}_{i}" for i in range(count)]
        self.nodes.append(self._onnx.helper.make_node("Split", [value], names, name=f"n_{names[0]}", axis=1))
        return names

    def constant(self, name: str, array: np.ndarray) -> str:
        """A tensor of the model."""
        held = self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        self.constants.append(held)
        return name

    def affine(self, value: str, name: str, weight_OD: np.ndarray, bias_O: np.ndarray) -> str:
        """x Wᵀ + b."""
        weight, bias = self.constant(f"{name}.weight", weight_OD.T), self.constant(f"{name}.bias", bias_O)
        return self.add("Add", self.add("MatMul", value, weight), bias)

    def normal(self, value: str, name: str, gain: np.ndarray, bias: np.ndarray) -> str:
        """LayerNorm over the last axis."""
        scale, offset = self.constant(f"{name}.gain", gain), self.constant(f"{name}.bias", bias)
        return self.add("LayerNormalization", value, scale, offset, axis=-1, epsilon=LAYERNORM_EPS)


def _network(graph: _Graph, tables: Tables) -> tuple[str, dict[str, str]]:
    """The scores, and the state after by its own names."""
    value = _brought(graph, tables)
    after: dict[str, str] = {}
    for i, layer in enumerate(tables.layers):
        if i:
            value = graph.affine(value, f"layers.{i}.input", layer.input_GD, layer.input_bias_G)
        names = [name for name in tables.initial if name.startswith(f"{i}.")]
        before = {name.partition(".")[2]: tensor_name(name) for name in names}
        fed = ""
        if len(layer.hidden_GF):
            fed = graph.affine(tensor_name(names[0]), f"layers.{i}.hidden", layer.hidden_GF, layer.hidden_bias_G)
        then = _STEPS[tables.step](graph, layer, value, fed, before)
        after |= {f"{i}.{name}": then[name] for name in before}
        value = after[names[0]]
    for i, (weight, bias) in enumerate(tables.dense):
        value = graph.add("Relu", graph.affine(value, f"dense.{i}", weight, bias))
    return graph.affine(value, "output", tables.output_VO, tables.output_bias_V), after


def _brought(graph: _Graph, tables: Tables) -> str:
    """What the symbols add to the gates of the first layer."""
    first = tables.layers[0]
    if tables.rows_VD is None or tables.vocabulary * len(first.input_GD) <= _FOLDED:
        return graph.add("Gather", graph.constant("symbols.gates", tables.gates_VG()), _IDS)
    rows = graph.add("Gather", graph.constant("symbols.rows", tables.rows_VD), _IDS)
    return graph.affine(rows, "layers.0.input", first.input_GD, first.input_bias_G)


def _plain(kind: str) -> _Step:
    def step(graph: _Graph, layer: LayerTables, x: str, h: str, before: _States) -> _States:
        return {"h": graph.add(kind, graph.add("Add", x, h))}

    return step


def _window(kind: str) -> _Step:
    def step(graph: _Graph, layer: LayerTables, x: str, h: str, before: _States) -> _States:
        return {"h": graph.add("Add", graph.add("Relu", x), graph.add(kind, h))}

    return step


def _jordan(graph: _Graph, layer: LayerTables, x: str, h: str, before: _States) -> _States:
    hidden = graph.add("Tanh", graph.add("Add", x, h))
    name = f"jordan_{len(graph.nodes)}"
    return {"o": graph.add("Tanh", graph.affine(hidden, name, layer.more["weight_ho"], layer.more["bias_ho"]))}


def _gru(graph: _Graph, layer: LayerTables, x: str, h: str, before: _States) -> _States:
    (x_reset, x_update, x_new), (h_reset, h_update, h_new) = graph.split(x, 3), graph.split(h, 3)
    reset = graph.add("Sigmoid", graph.add("Add", x_reset, h_reset))
    update = graph.add("Sigmoid", graph.add("Add", x_update, h_update))
    new = graph.add("Tanh", graph.add("Add", x_new, graph.add("Mul", reset, h_new)))
    gap = graph.add("Sub", before["h"], new)
    return {"h": graph.add("Add", new, graph.add("Mul", update, gap))}


def _lstm(graph: _Graph, layer: LayerTables, x: str, h: str, before: _States) -> _States:
    cell, output = _remember(graph, graph.add("Add", x, h), before["c"])
    return {"h": graph.add("Mul", output, graph.add("Tanh", cell)), "c": cell}


def _layer_norm_lstm(graph: _Graph, layer: LayerTables, x: str, h: str, before: _States) -> _States:
    name, more = f"norm_{len(graph.nodes)}", layer.more
    x = graph.normal(x, f"{name}.ih", more["gain_ih"], more["bias_ih"])
    h = graph.normal(h, f"{name}.hh", more["gain_hh"], more["bias_hh"])
    cell, output = _remember(graph, graph.add("Add", x, h), before["c"])
    shown = graph.normal(cell, f"{name}.c", more["gain_c"], more["bias_c"])
    return {"h": graph.add("Mul", output, graph.add("Tanh", shown)), "c": cell}


def _remember(graph: _Graph, sums: str, cell: str) -> tuple[str, str]:
    inputs, forget, new, output = graph.split(sums, 4)
    kept = graph.add("Mul", graph.add("Sigmoid", forget), cell)
    added = graph.add("Mul", graph.add("Sigmoid", inputs), graph.add("Tanh", new))
    return graph.add("Add", kept, added), graph.add("Sigmoid", output)


def _min_gru(graph: _Graph, layer: LayerTables, x: str, h: str, before: _States) -> _States:
    update, new = graph.split(x, 2)
    keep = graph.add("Sigmoid", graph.add("Neg", update))
    return _mixed(graph, keep, graph.add("Sigmoid", update), new, before["h"])


def _min_lstm(graph: _Graph, layer: LayerTables, x: str, h: str, before: _States) -> _States:
    forget, inputs, new = graph.split(x, 3)
    soft_input = graph.add("Softplus", graph.add("Neg", inputs))
    more = graph.add("Sub", soft_input, graph.add("Softplus", graph.add("Neg", forget)))
    keep, add = graph.add("Sigmoid", more), graph.add("Sigmoid", graph.add("Neg", more))
    return _mixed(graph, keep, add, new, before["h"])


def _mixed(graph: _Graph, keep: str, add: str, new: str, before: str) -> _States:
    """keep · h + add · g(new), g(a) = a + 1/2 from zero on, σ(a) below: max(a, 0) + σ(min(a, 0))."""
    below = graph.add("Neg", graph.add("Relu", graph.add("Neg", new)))
    positive = graph.add("Add", graph.add("Relu", new), graph.add("Sigmoid", below))
    return {"h": graph.add("Add", graph.add("Mul", keep, before), graph.add("Mul", add, positive))}


_STEPS: Mapping[str, _Step] = {
    "elman-tanh": _plain("Tanh"),
    "elman-relu": _plain("Relu"),
    "jordan": _jordan,
    "window-tanh": _window("Tanh"),
    "window-relu": _window("Relu"),
    "gru": _gru,
    "lstm": _lstm,
    "ln-lstm": _layer_norm_lstm,
    "mingru": _min_gru,
    "minlstm": _min_lstm,
}


def node_kinds(model: Any) -> Sequence[str]:
    """The kinds of the nodes of a graph, each as often as it occurs."""
    return [node.op_type for node in model.graph.node]
