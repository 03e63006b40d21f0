"""minGRU and minLSTM: layers that are linear in their state, so that a scan runs all steps at once.

Both are convex sums, h' = a h + (1 − a) n, with a and n functions of the input alone. The paper writes its training
form in logarithms, which is why n = g(·) is positive there, and here; our scan (`scan.py`) needs none, and takes
the state that a lane carries in as it is, zeros too. For language the paper wraps each layer in a block of convolution,
normalisation, dense net and skip connections; a stack here is the layers alone.

Shapes: B rows, T steps, D input features, H hidden units, G = gates × H.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.config.schema.model import ScannedCore
from charrnn.models.cells import Layer
from charrnn.models.core import Draws, State
from charrnn.models.reduced import product
from charrnn.models.scan import Form, linear_scan


class ScannedLayer(Layer):
    """What minGRU and minLSTM share: one matrix, one bias, and the scan.

    Initialisation: the matrix Glorot-uniform per gate, the bias zero. `form` is how the scan is computed.

    Args:
        config: the `model.core:` section: H.
        inputs: D.
        generator: draws the initial weights.
    """

    gates: ClassVar[int]

    def __init__(self, config: ScannedCore, inputs: int, generator: torch.Generator) -> None:
        super().__init__(config)
        self.form: Form = "loop"
        rows = self.gates * self.hidden
        self.weight_ih = nn.Parameter(torch.empty(rows, inputs))
        self.bias_ih = nn.Parameter(torch.zeros(rows))
        self._add_initial_state()
        for gate in self.weight_ih.chunk(self.gates):
            nn.init.xavier_uniform_(gate, generator=generator)

    def forward(self, x_BTD: Tensor, state: State, draws: Draws | None = None) -> tuple[Tensor, State]:
        """Run over T steps; nothing here is drawn."""
        keep_BTH, new_BTH = self.terms(product(x_BTD, self.weight_ih, self.bias_ih))
        y_BTH = linear_scan(keep_BTH, new_BTH, state["h"], self.form)
        # A copy: a view would hold on to the whole chunk's memory for as long as the state is carried.
        return y_BTH, {"h": y_BTH[:, -1].clone()}

    def steps(self, x_BTD: Tensor, state: State) -> tuple[Tensor, State]:
        """The step form, by PyTorch's own arithmetic and gradient: what the scan is held against."""
        keep_BTH, new_BTH = self.terms(product(x_BTD, self.weight_ih, self.bias_ih))
        h_BH, outputs = state["h"], []
        for keep_BH, new_BH in zip(keep_BTH.unbind(1), new_BTH.unbind(1), strict=True):
            h_BH = keep_BH * h_BH + new_BH
            outputs.append(h_BH)
        return torch.stack(outputs, 1), {"h": h_BH}

    @abstractmethod
    def terms(self, x_BTG: Tensor) -> tuple[Tensor, Tensor]:
        """What each step keeps of the state, and what it adds, from the projection of the input."""


class MinGru(ScannedLayer):
    """h' = (1 − z) h + z g(n) (Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, "Were RNNs All We Needed?")."""

    gates = 2

    def terms(self, x_BTG: Tensor) -> tuple[Tensor, Tensor]:
        """Gates update, new."""
        update, new = x_BTG.chunk(2, -1)
        return torch.sigmoid(-update), torch.sigmoid(update) * _positive(new)


class MinLstm(ScannedLayer):
    """h' = (f h + i g(n)) / (f + i), f and i sigmoids (the same paper, the form independent of the length)."""

    gates = 3

    def terms(self, x_BTG: Tensor) -> tuple[Tensor, Tensor]:
        """Gates forget, input, new."""
        forget, inputs, new = x_BTG.chunk(3, -1)
        # f / (f + i) = sigmoid(log f − log i): two gates that are both closed do not divide zero by zero.
        more = F.logsigmoid(forget) - F.logsigmoid(inputs)
        return torch.sigmoid(more), torch.sigmoid(-more) * _positive(new)


def _positive(x: Tensor) -> Tensor:
    """g(x) = x + 1/2 from zero on, sigmoid(x) below (the paper's appendix B)."""
    return torch.where(x >= 0.0, x + 0.5, torch.sigmoid(x))


def use_form(model: nn.Module, form: Form | None) -> None:
    """Let all scans in `model` be computed by `form`; None leaves them as they are."""
    for layer in model.modules():
        if form is not None and isinstance(layer, ScannedLayer):
            layer.form = form
