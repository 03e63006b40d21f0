"""Which functions make up each kind of cell, and which of a layer's tensors they are given.

Shapes: B rows, D input features, H hidden units, G = gates × H, F units that are fed back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.config.schema import model as schema
from charrnn.scratch import backward, cells


@dataclass(frozen=True)
class Cell:
    """One kind of layer.

    Attributes:
        step: one step forward.
        backward: its derivative.
        state_names: the tensors of the state; the first is what the layer puts out, and what is fed back.
        biased: whether the projections add the biases; else the step does.
        fed_back: whether there is a matrix for what is fed back.
    """

    step: cells.Step
    backward: backward.StepBackward
    state_names: tuple[str, ...] = ("h",)
    biased: bool = True
    fed_back: bool = True

    @property
    def shown(self) -> str:
        """The tensor of the state that is put out and fed back."""
        return self.state_names[0]

    def projections(self, own: cells.Arrays, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The matrices and biases that lead to a step: (G, D) and (G) of the input, (G, F) and (G) of what is fed back.

        Biases that the step adds are zeros here. Where nothing is fed back the matrix has no rows.

        Args:
            own: the layer's tensors.
            width: F.
        """
        weight_ih = own["weight_ih"]
        weight_hh = own["weight_hh"] if self.fed_back else np.empty((0, width), weight_ih.dtype)
        if self.biased and self.fed_back:
            return weight_ih, own["bias_ih"], weight_hh, own["bias_hh"]
        bias_ih = own["bias_ih"] if self.biased else np.zeros(len(weight_ih), weight_ih.dtype)
        return weight_ih, bias_ih, weight_hh, np.zeros(len(weight_hh), weight_hh.dtype)


def cell_of(config: schema.Core) -> Cell:
    """The cell that a `model.core:` section asks for."""
    match config:
        case schema.ElmanCore():
            if config.nonlinearity == "relu":
                return Cell(cells.elman_relu, backward.elman_relu)
            return Cell(cells.elman_tanh, backward.elman_tanh)
        case schema.JordanCore():
            return Cell(cells.jordan, backward.jordan, ("o",))
        case schema.WindowCore():
            if config.nonlinearity == "relu":
                return Cell(cells.window_relu, backward.window_relu)
            return Cell(cells.window_tanh, backward.window_tanh)
        case schema.GruCore():
            return Cell(cells.gru, backward.gru)
        case schema.LstmCore():
            return Cell(cells.lstm, backward.lstm, ("h", "c"))
        case schema.LayerNormLstmCore():
            return Cell(cells.layer_norm_lstm, backward.layer_norm_lstm, ("h", "c"), biased=False)
        case schema.MinGruCore():
            return Cell(cells.min_gru, backward.min_gru, fed_back=False)
        case schema.MinLstmCore():
            return Cell(cells.min_lstm, backward.min_lstm, fed_back=False)
