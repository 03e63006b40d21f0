"""Elman, GRU and LSTM layers, and what they share with the layers beside them.

Each has a fused form (PyTorch's own kernel over all steps, with our weights handed in, so that weight-drop costs one
masked copy per chunk and never a re-packed module) and a step form, which the variational dropout needs and which the
tests hold against the fused one. Gates lie in PyTorch's order; `charrnn/scratch/` reads the same tensors in NumPy.
Jordan's network, the window model and the LayerNorm LSTM (`jordan.py`, `window.py`, `layer_norm.py`) are gated layers
for which there is no kernel.

Shapes: B rows, T steps, D input features, H hidden units, G = gates × H.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.config.schema.model import ElmanCore, GatedCore, LayersCore, LstmCore, StateDrop
from charrnn.models.core import Draws, RecurrentCore, State
from charrnn.models.padding import padded
from charrnn.models.reduced import Operands, as_given, once, product, reduced_type


class Layer(RecurrentCore):
    """A layer whose state has a width per name, and begins with zeros or with what was learned.

    Args:
        config: the `model.core:` section.
    """

    state_names: ClassVar[tuple[str, ...]] = ("h",)
    weight_ih: Tensor

    def __init__(self, config: LayersCore) -> None:
        super().__init__()
        self.hidden = config.hidden
        self.features = config.features
        self.trained_state = config.initial_state == "trained"

    def initial_state(self, batch: int) -> State:
        """Zeros, or what was learned to begin with."""
        if self.trained_state:
            return {name: getattr(self, f"initial_{name}").expand(batch, -1) for name in self.state_names}
        return {name: self.weight_ih.new_zeros(batch, self.features) for name in self.state_names}

    def _add_initial_state(self) -> None:
        for name in self.state_names if self.trained_state else ():
            self.register_parameter(f"initial_{name}", nn.Parameter(torch.zeros(self.features)))


class GatedLayer(Layer):
    """What all layers with a hidden matrix share: two matrices, two biases, and the dropout inside the recurrence.

    The first of `state_names` is what the hidden matrix reads at every step, and what the layer puts out.
    Initialisation: input matrices Glorot-uniform per gate, hidden matrices orthogonal per gate, biases zero.

    Args:
        config: the `model.core:` section: H, and the dropout inside the recurrence.
        inputs: D.
        name: tells this layer's masks from those of other layers.
        generator: draws the initial weights.
    """

    gates: ClassVar[int]
    pads: ClassVar[bool] = False
    """Whether units without weights stay at zero, so that a larger kernel can compute the layer (`padding.py`)."""
    multiple: int = 1
    """In training the kernel sees sizes that are multiples of it."""

    def __init__(self, config: GatedCore, inputs: int, name: str, generator: torch.Generator) -> None:
        super().__init__(config)
        self.drop = config.recurrent
        self.name = name
        rows = self.gates * self.hidden
        self.weight_ih = nn.Parameter(torch.empty(rows, inputs))
        self.weight_hh = nn.Parameter(torch.empty(rows, self.features))
        self.bias_ih = nn.Parameter(torch.zeros(rows))
        self.bias_hh = nn.Parameter(torch.zeros(rows))
        self._add_initial_state()
        for gate in self.weight_ih.chunk(self.gates):
            nn.init.xavier_uniform_(gate, generator=generator)
        for gate in self.weight_hh.chunk(self.gates):
            nn.init.orthogonal_(gate, generator=generator)

    def forward(self, x_BTD: Tensor, state: State, draws: Draws | None = None) -> tuple[Tensor, State]:
        """Run over T steps: the fused form, or the step form where each step needs a mask of its own."""
        weight_hh = self.weight_hh
        if not self.training or self.drop.p == 0.0:
            return self.fused(x_BTD, state, weight_hh)
        assert draws is not None, "training with recurrent dropout needs draws"
        if isinstance(self.drop, StateDrop):
            return self.steps(x_BTD, state, weight_hh, draws.keep_rows(self.name, self.drop.p, self._fed(state)))
        mask = draws.keep_weights(self.name, self.drop.p, weight_hh)
        return self.fused(x_BTD, state, weight_hh * mask)

    def fused(self, x_BTD: Tensor, state: State, weight_hh: Tensor) -> tuple[Tensor, State]:
        """All steps, with the hidden matrix that is handed in: in one kernel where there is one, else step by step."""
        return self.steps(x_BTD, state, weight_hh)

    def steps(
        self, x_BTD: Tensor, state: State, weight_hh: Tensor | None = None, keep_BH: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """The step form; `keep_BH` masks what is fed back on its way into the hidden matrix, at every step."""
        weight_hh = once(self.weight_hh if weight_hh is None else weight_hh)
        x_BTG = self.project_input(x_BTD)
        outputs = []
        for x_BG in x_BTG.unbind(1):
            fed_BH = self._fed(state) if keep_BH is None else self._fed(state) * keep_BH
            state = self.step(x_BG, self.project_state(fed_BH, weight_hh), state)
            outputs.append(self._fed(state))
        return torch.stack(outputs, 1), state

    def project_input(self, x_BTD: Tensor) -> Tensor:
        """What the input adds to the gates, x_BTG, of all steps at once."""
        return product(x_BTD, self.weight_ih, self.bias_ih)

    def project_state(self, fed_BH: Tensor, weight_hh: Tensor) -> Tensor:
        """What is fed back adds to the gates of one step: h_BG."""
        return product(fed_BH, weight_hh, self.bias_hh)

    @abstractmethod
    def step(self, x_BG: Tensor, h_BG: Tensor, state: State) -> State:
        """One step from the two projections, of the input and of what is fed back."""

    def _fed(self, state: State) -> Tensor:
        return state[self.state_names[0]]

    def _kernel(
        self, kernel: Callable[..., tuple[Tensor, ...]], x_BTD: Tensor, state: State, weight_hh: Tensor
    ) -> tuple[Tensor, State]:
        """Call one of PyTorch's recurrent functions for one layer, batch first.

        The output is in the type that the kernel computes in, the state in its own. The kernel's own dropout stays at
        0: its masks could not be derived from the step.
        """
        given = Operands(
            x_BTD,
            [state[name] for name in self.state_names],
            [self.weight_ih, weight_hh, self.bias_ih, self.bias_hh],
        )
        reduced = reduced_type(x_BTD)
        with as_given(x_BTD):
            if self.training and self.multiple > 1:
                given = padded(given, self.gates, self.multiple)
            if reduced is not None:
                given = given.to(reduced)
            start = [tensor[None] for tensor in given.state]
            has_biases, layers, dropout, bidirectional, batch_first = True, 1, 0.0, False, True
            y_BTH, *after = kernel(
                given.x_BTD,
                start if len(start) > 1 else start[0],
                given.weights,
                has_biases,
                layers,
                dropout,
                self.training,
                bidirectional,
                batch_first,
            )
        own = {
            name: h_1BH[0, :, : self.hidden].to(state[name].dtype)
            for name, h_1BH in zip(self.state_names, after, strict=True)
        }
        return y_BTH[..., : self.hidden], own


class Elman(GatedLayer):
    """h' = f(W x + U h + b), f = tanh or ReLU (Elman 1990; identity start: Le, Jaitly, Hinton 2015)."""

    gates = 1
    pads = True

    def __init__(self, config: ElmanCore, inputs: int, name: str, generator: torch.Generator) -> None:
        super().__init__(config, inputs, name, generator)
        self.relu = config.nonlinearity == "relu"
        if config.init == "identity":
            nn.init.eye_(self.weight_hh)

    def fused(self, x_BTD: Tensor, state: State, weight_hh: Tensor) -> tuple[Tensor, State]:
        """`torch.rnn_relu` or `torch.rnn_tanh`."""
        kernel = torch.rnn_relu if self.relu else torch.rnn_tanh
        return self._kernel(kernel, x_BTD, state, weight_hh)

    def step(self, x_BG: Tensor, h_BG: Tensor, state: State) -> State:
        """One step."""
        return {"h": F.relu(x_BG + h_BG) if self.relu else torch.tanh(x_BG + h_BG)}


class Gru(GatedLayer):
    """Gated recurrent unit (Cho et al. 2014), the reset gate applied after the matrix product as in cuDNN."""

    gates = 3

    def fused(self, x_BTD: Tensor, state: State, weight_hh: Tensor) -> tuple[Tensor, State]:
        """`torch.gru`."""
        return self._kernel(torch.gru, x_BTD, state, weight_hh)

    def step(self, x_BG: Tensor, h_BG: Tensor, state: State) -> State:
        """One step; gates reset, update, new."""
        x_reset, x_update, x_new = x_BG.chunk(3, 1)
        h_reset, h_update, h_new = h_BG.chunk(3, 1)
        reset, update = torch.sigmoid(x_reset + h_reset), torch.sigmoid(x_update + h_update)
        new = torch.tanh(x_new + reset * h_new)
        return {"h": new + update * (state["h"] - new)}


class Lstm(GatedLayer):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber, Cummins 2000)."""

    gates = 4
    pads = True
    state_names = ("h", "c")

    def __init__(self, config: LstmCore, inputs: int, name: str, generator: torch.Generator) -> None:
        super().__init__(config, inputs, name, generator)
        with torch.no_grad():
            self.bias_ih.chunk(4)[1].fill_(config.forget_bias)

    def fused(self, x_BTD: Tensor, state: State, weight_hh: Tensor) -> tuple[Tensor, State]:
        """`torch.lstm`."""
        return self._kernel(torch.lstm, x_BTD, state, weight_hh)

    def step(self, x_BG: Tensor, h_BG: Tensor, state: State) -> State:
        """One step; gates input, forget, new, output."""
        inputs, forget, new, output = (x_BG + h_BG).chunk(4, 1)
        c_BH = torch.sigmoid(forget) * state["c"] + torch.sigmoid(inputs) * torch.tanh(new)
        return {"h": torch.sigmoid(output) * torch.tanh(c_BH), "c": c_BH}
