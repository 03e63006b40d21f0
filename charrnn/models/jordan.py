"""Jordan's network: what a layer puts out is what it remembers.

Shapes: B rows, H hidden units, O output units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from charrnn.config.schema.model import JordanCore
from charrnn.models.cells import GatedLayer
from charrnn.models.core import State
from charrnn.models.reduced import product


class Jordan(GatedLayer):
    """h = tanh(W x + U o + b), o' = tanh(V h + c); o' is put out and fed back (Jordan 1986).

    The hidden units h are forgotten after every step, so all memory passes through the O output units. In Jordan's
    networks those stand for features of an action, as of a phoneme, and the action itself lies outside; here the head
    reads the next symbol from them. With O as large as the vocabulary, memory is as wide as the network's prediction.
    His context units also keep a fading trace of older outputs, which is left out, as in most networks that bear the
    name. The gradient flows through the outputs fed back, as through the state of other cells.

    U is `weight_hh`; V and c are `weight_ho` and `bias_ho`. V starts Glorot-uniform, c at zero.

    Args:
        config: the `model.core:` section: H, O, and the dropout inside the recurrence.
        inputs: D.
        name: tells this layer's masks from those of other layers.
        generator: draws the initial weights.
    """

    gates = 1
    state_names = ("o",)

    def __init__(self, config: JordanCore, inputs: int, name: str, generator: torch.Generator) -> None:
        super().__init__(config, inputs, name, generator)
        self.weight_ho = nn.Parameter(torch.empty(config.outputs, config.hidden))
        self.bias_ho = nn.Parameter(torch.zeros(config.outputs))
        nn.init.xavier_uniform_(self.weight_ho, generator=generator)

    def step(self, x_BG: Tensor, h_BG: Tensor, state: State) -> State:
        """One step."""
        return {"o": torch.tanh(product(torch.tanh(x_BG + h_BG), self.weight_ho, self.bias_ho))}
