"""A trained network, one symbol at a time, on any device: what sampling on CUDA is made of.

`charrnn/scratch/network.py` is the same in NumPy, and the engine of sampling on a CPU.

Shapes: B rows, T symbols of a window, D input features, H hidden units, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.models.cells import Elman, GatedLayer, Gru, Lstm
from charrnn.models.core import RecurrentCore, State
from charrnn.models.minimal import ScannedLayer
from charrnn.models.network import Network


class Stepping(Protocol):
    """A model that reads one symbol per row and scores the next; its tensors have the same shapes at every step."""

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol."""

    def step(self, ids_B: Tensor, state: State) -> tuple[Tensor, State]:
        """logits_BV and the state after the symbols. It allocates and computes, and looks at no figure."""


class Carried:
    """A network whose state is carried from symbol to symbol.

    It is not called as a whole: for one symbol cuDNN would gather all weights anew, and round to TF32. LSTM, GRU and
    Elman layers go by PyTorch's functions of one step, which on CUDA join the gates in one kernel; all others by their
    step form.

    Args:
        network: in evaluation mode; its weights are read where they are.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._names = [list(layer.initial_state(1)) for layer in network.layers]
        table_VD = network.input.table
        every_1V = torch.arange(len(table_VD), device=table_VD.device)[None]
        with torch.no_grad():
            self._table_VD: Tensor = network.input(every_1V, None, None)[0].contiguous()

    def initial_state(self, batch: int) -> State:
        """What every layer begins with, named `<layer>.<name>`."""
        return self._network.initial_state(batch)

    def step(self, ids_B: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Stepping.step`."""
        y_BH, after = self.read(ids_B, state)
        return self.scores(y_BH), after

    def read(self, ids_B: Tensor, state: State) -> tuple[Tensor, State]:
        """What the last layer puts out, y_BH, and the state after the symbols."""
        y_BH, after = F.embedding(ids_B, self._table_VD), dict[str, Tensor]()
        for i, (layer, names) in enumerate(zip(self._network.layers, self._names, strict=True)):
            y_BH, own = one_step(layer, y_BH, {name: state[f"{i}.{name}"] for name in names})
            after |= {f"{i}.{name}": tensor for name, tensor in own.items()}
        return y_BH, after

    def scores(self, y_BH: Tensor) -> Tensor:
        """logits_BV from what the last layer puts out."""
        head = self._network.head
        logits_BV: Tensor = head(head.fed(y_BH, None), None)
        return logits_BV


class Windowed:
    """A network that predicts from the last symbols alone, read again from a cold state for every prediction.

    The state is those symbols and how many there are: a window that is not full yet stands at the right edge, and in
    front of it every layer is put back to where it begins. See `charrnn/sample/window.py`, which computes the same.

    Args:
        network: in evaluation mode.
        length: T, the most symbols that a prediction may see.
    """

    def __init__(self, network: Network, length: int) -> None:
        self._network = Carried(network)
        device = network.input.table.device
        self._left_T = torch.arange(length, 0, -1, device=device)

    def initial_state(self, batch: int) -> State:
        """No symbols yet."""
        ids_BT = self._left_T.new_zeros(batch, len(self._left_T))
        return {"window": ids_BT, "seen": ids_BT.new_zeros(batch)}

    def step(self, ids_B: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Stepping.step`."""
        window_BT = torch.cat([state["window"][:, 1:], ids_B[:, None]], 1)
        seen_B = (state["seen"] + 1).clamp(max=len(self._left_T))
        begun_TB1 = (self._left_T[:, None] <= seen_B)[..., None]
        cold = self._network.initial_state(len(ids_B))
        inner: Mapping[str, Tensor] = cold
        for ids, begun_B1 in zip(window_BT.unbind(1), begun_TB1, strict=True):
            y_BH, after = self._network.read(ids, inner)
            inner = {name: torch.where(begun_B1, tensor, cold[name]) for name, tensor in after.items()}
        return self._network.scores(y_BH), {"window": window_BT, "seen": seen_B}


def one_step(layer: RecurrentCore, x_BD: Tensor, state: State) -> tuple[Tensor, State]:
    """One step of one layer: y_BH and the state after."""
    if isinstance(layer, Lstm):
        h_BH, c_BH = torch.lstm_cell(x_BD, [state["h"], state["c"]], *_weights(layer))
        return h_BH, {"h": h_BH, "c": c_BH}
    if isinstance(layer, Gru):
        h_BH = torch.gru_cell(x_BD, state["h"], *_weights(layer))
        return h_BH, {"h": h_BH}
    if isinstance(layer, Elman):
        cell = torch.rnn_relu_cell if layer.relu else torch.rnn_tanh_cell
        h_BH = cell(x_BD, state["h"], *_weights(layer))
        return h_BH, {"h": h_BH}
    assert isinstance(layer, GatedLayer | ScannedLayer), "there are no others"
    y_B1H, after = layer.steps(x_BD[:, None], state)
    return y_B1H[:, 0], after


class HostStepper:
    """A model on a device that takes and gives NumPy arrays, and waits for the device at every step.

    It is for what has to see the scores of every symbol before the next one is read: searching, scoring, strings that
    have to appear.

    Args:
        model: the model.
        device: where it is.
    """

    def __init__(self, model: Stepping, device: torch.device) -> None:
        self._model, self._device = model, device

    def initial_state(self, batch: int) -> dict[str, np.ndarray]:
        """The state before the first symbol."""
        return _arrays(self._model.initial_state(batch))

    def step(self, ids_B: np.ndarray, state: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """logits_BV and the state after the symbols."""
        before = {name: torch.tensor(array, device=self._device) for name, array in state.items()}
        with torch.no_grad():
            logits_BV, after = self._model.step(torch.tensor(ids_B, device=self._device), before)
        return logits_BV.cpu().numpy(), _arrays(after)


def _weights(layer: GatedLayer) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh


def _arrays(state: State) -> dict[str, np.ndarray]:
    # Copies: what a model begins with may be one row of its weights, shown many times.
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}
