"""The window model of the course of 2016: one input matrix and one hidden matrix, shared by all characters of a window.

Shapes: B rows, G gates × hidden units: one gate.
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

    def step(self, x_BG: Tensor, h_BG: Tensor, state: State) -> State:
        """One step."""
        return {"h": F.relu(x_BG) + (F.relu(h_BG) if self.relu else torch.tanh(h_BG))}
