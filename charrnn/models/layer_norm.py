"""The LSTM with LayerNorm inside the cell.

PyTorch has no kernel for it, so it runs step by step: the input's share of all steps is projected and normalised at
once, and what is left for a step is `project_state` and `step`. A kernel would become its `fused`, as for the others.

Shapes: B rows, T steps, D input features, H hidden units, G = 4 H.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.config.schema.model import LAYERNORM_EPS, LayerNormLstmCore
from charrnn.models.cells import GatedLayer
from charrnn.models.core import State
from charrnn.models.reduced import product


class LayerNormLstm(GatedLayer):
    """LSTM whose sums are normalised per row (Ba, Kiros, Hinton 2016, equations 20 to 22).

    The input's and the hidden state's share of the gates are normalised apart, each over all 4 H numbers, and the cell
    on its way through the output gate over its H. The offset of each norm is the bias of its matrix; the paper's third
    bias would only be added to those two, and is left out. Gains start at 1, offsets at 0, but the forget gate's.

    Args:
        config: the `model.core:` section: H, the dropout inside the recurrence, and the forget gate's bias.
        inputs: D.
        name: tells this layer's masks from those of other layers.
        generator: draws the initial weights.
    """

    gates = 4
    state_names = ("h", "c")

    def __init__(self, config: LayerNormLstmCore, inputs: int, name: str, generator: torch.Generator) -> None:
        super().__init__(config, inputs, name, generator)
        self.gain_ih = nn.Parameter(torch.ones_like(self.bias_ih))
        self.gain_hh = nn.Parameter(torch.ones_like(self.bias_hh))
        self.gain_c = nn.Parameter(torch.ones(self.hidden))
        self.bias_c = nn.Parameter(torch.zeros(self.hidden))
        with torch.no_grad():
            self.bias_ih.chunk(4)[1].fill_(config.forget_bias)

    def project_input(self, x_BTD: Tensor) -> Tensor:
        """What the input adds to the gates, normalised step by step."""
        return _normal(product(x_BTD, self.weight_ih), self.gain_ih, self.bias_ih)

    def project_state(self, fed_BH: Tensor, weight_hh: Tensor) -> Tensor:
        """What the hidden state adds to the gates, normalised."""
        return _normal(product(fed_BH, weight_hh), self.gain_hh, self.bias_hh)

    def step(self, x_BG: Tensor, h_BG: Tensor, state: State) -> State:
        """One step; gates input, forget, new, output."""
        inputs, forget, new, output = (x_BG + h_BG).chunk(4, 1)
        c_BH = torch.sigmoid(forget) * state["c"] + torch.sigmoid(inputs) * torch.tanh(new)
        shown_BH = _normal(c_BH, self.gain_c, self.bias_c)
        return {"h": torch.sigmoid(output) * torch.tanh(shown_BH), "c": c_BH}


def _normal(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    return F.layer_norm(x, gain.shape, gain, bias, LAYERNORM_EPS)
