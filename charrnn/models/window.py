"""The window model of the course of 2016: one input matrix and one hidden matrix, shared by all characters of a window.

Shapes: B rows, T steps, D input features, H hidden units; G = H, as there is one gate.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.config.schema.model import WindowCore
from charrnn.models.cells import GatedLayer
from charrnn.models.core import State


class WindowLayer(GatedLayer):
    """h' = relu(W x + b) + f(U h + c), f = tanh or ReLU: what the character brings, and what is known so far.

    Over a window of n characters from a cold state this is the course's n-character model. There the first character
    stands alone; here f(c) is added to it, which is what comes from a state of zeros (the course's own sequence model
    has it so).
    """

    gates = 1

    def __init__(self, config: WindowCore, inputs: int, name: str, generator: torch.Generator) -> None:
        super().__init__(config, inputs, name, generator)
        self.relu = config.nonlinearity == "relu"
        if config.init == "identity":
            nn.init.eye_(self.weight_hh)

    def fused(self, x_BTD: Tensor, state: State, weight_hh: Tensor) -> tuple[Tensor, State]:
        """No kernel does this; what the characters bring is at least computed for all of them at once."""
        brought_BTH = F.relu(F.linear(x_BTD, self.weight_ih, self.bias_ih))
        h_BH, outputs = state["h"], []
        for brought_BH in brought_BTH.unbind(1):
            h_BH = brought_BH + self._known(F.linear(h_BH, weight_hh, self.bias_hh))
            outputs.append(h_BH)
        return torch.stack(outputs, 1), {"h": h_BH}

    def step(self, x_BG: Tensor, h_BG: Tensor, state: State) -> State:
        """One step."""
        return {"h": F.relu(x_BG) + self._known(h_BG)}

    def _known(self, h_BG: Tensor) -> Tensor:
        return F.relu(h_BG) if self.relu else torch.tanh(h_BG)
