"""`train.engine: scratch`: a network whose every derivative is written by hand, in NumPy.

`by_hand` takes a network and puts a twin in the place of each of its parts: same parameters under the same names, so
that optimizers, checkpoints and the sampler see no difference; the same figures but for rounding; computed by
`charrnn/scratch/`. PyTorch's autograd only carries gradients from one twin to the next. Arrays share memory with the
tensors that they come from: nothing is copied on the way.

Shapes: B rows, T steps, D input features, H hidden units, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from charrnn.config.schema import model as schema
from charrnn.models.core import Draws, RecurrentCore, State
from charrnn.models.network import Network
from charrnn.scratch import dense
from charrnn.scratch.kinds import Cell, cell_of
from charrnn.scratch.scan import scan, scan_backward


def by_hand(network: Network, config: schema.Network) -> Network:
    """Give each part of `network` its twin in NumPy, in place; returns the network.

    Args:
        network: built from `config`, which has no BatchNorm and no dropout inside the recurrence (`check_engine`).
        config: the `model:` section.
    """
    cell = cell_of(config.core)
    network.input = _Input(network.input)
    network.layers = nn.ModuleList(HandmadeLayer(layer, cell) for layer in network.layers)
    network.head = _Head(network.head)
    return network


class HandmadeLayer(RecurrentCore):
    """A recurrent layer as `scan` and `scan_backward` compute it.

    Args:
        layer: the layer whose parameters it takes over.
        cell: what a step does.
    """

    def __init__(self, layer: RecurrentCore, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self.widths = {name: start.shape[1] for name, start in layer.initial_state(1).items()}
        for name, parameter in layer.named_parameters():
            self.register_parameter(name, parameter)
        self.weights = [name for name, _ in layer.named_parameters() if not name.startswith("initial_")]

    def initial_state(self, batch: int) -> State:
        """Zeros, or what was learned to begin with."""
        trained = dict(self.named_parameters())
        return {
            name: trained[f"initial_{name}"].expand(batch, -1)
            if f"initial_{name}" in trained
            else self.weight_ih.new_zeros(batch, width)
            for name, width in self.widths.items()
        }

    def forward(self, x_BTD: Tensor, state: State, draws: Draws | None = None) -> tuple[Tensor, State]:
        """Run over T steps."""
        weights = [getattr(self, name) for name in self.weights]
        states = [state[name] for name in self.cell.state_names]
        y_BTH, *after = _Scan.apply(self.cell, self.weights, x_BTD, *states, *weights)
        return y_BTH, dict(zip(self.cell.state_names, after, strict=True))


class _Input(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        if isinstance(part.table, nn.Parameter):
            self.table = part.table
        else:
            self.register_buffer("table", part.table, persistent=False)
        self.features = part.features
        self.dropout = part.dropout

    def forward(self, ids_BT: Tensor, mask_BT: Tensor | None, draws: Draws | None) -> Tensor:
        return self.dropout(_Rows.apply(self.table, ids_BT), draws)


class _Head(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.dense, self.output, self.dropout = part.dense, part.output, part.dropout

    def fed(self, y_BTH: Tensor, draws: Draws | None) -> Tensor:
        return self.dropout[0](y_BTH, draws)

    def forward(self, fed_BTH: Tensor, draws: Draws | None) -> Tensor:
        for layer, dropout in zip(self.dense, self.dropout[1:], strict=True):
            fed_BTH = dropout(_Relu.apply(_Affine.apply(fed_BTH, layer.weight, layer.bias)), draws)
        return _Affine.apply(fed_BTH, self.output.weight, self.output.bias)

    def nats(self, logits_BTV: Tensor, y_BT: Tensor) -> Tensor:
        return _CrossEntropy.apply(logits_BTV, y_BT)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cell: Cell, names: Sequence[str], x_BTD: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        arrays, split = list(map(_array, tensors)), len(cell.state_names)
        state = dict(zip(cell.state_names, arrays[:split], strict=True))
        ctx.cell, ctx.names, ctx.params = cell, names, dict(zip(names, arrays[split:], strict=True))
        y_BTH, after, ctx.tape = scan(cell, ctx.params, _array(x_BTD), state)
        return tuple(map(torch.from_numpy, (y_BTH, *(after[name] for name in cell.state_names))))

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_y_BTH: Tensor, *grad_state: Tensor) -> tuple[Tensor | None, ...]:
        names = ctx.cell.state_names
        after = dict(zip(names, map(_array, grad_state), strict=True))
        weights, grad_x_BTD, before = scan_backward(ctx.cell, ctx.params, ctx.tape, _array(grad_y_BTH), after)
        arrays = (grad_x_BTD, *(before[name] for name in names), *(weights[name] for name in ctx.names))
        return None, None, *map(torch.from_numpy, arrays)


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table_VD: Tensor, ids_BT: Tensor) -> Tensor:
        ctx.table, ctx.ids = _array(table_VD), _array(ids_BT)
        return torch.from_numpy(dense.rows(ctx.table, ctx.ids))

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_BTD: Tensor) -> tuple[Tensor | None, None]:
        if not ctx.needs_input_grad[0]:
            return None, None
        return torch.from_numpy(dense.rows_backward(ctx.table, ctx.ids, _array(grad_BTD))), None


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.x, ctx.weight = _array(x), _array(weight)
        return torch.from_numpy(dense.affine(ctx.x, ctx.weight, _array(bias)))

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        return tuple(map(torch.from_numpy, dense.affine_backward(ctx.x, ctx.weight, _array(grad))))


class _Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.y = dense.relu(_array(x))
        return torch.from_numpy(ctx.y)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return torch.from_numpy(dense.relu_backward(ctx.y, _array(grad)))


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits_BTV: Tensor, y_BT: Tensor) -> Tensor:
        ctx.targets = _array(y_BT)
        nats_BT, ctx.probs = dense.cross_entropy(_array(logits_BTV), ctx.targets)
        return torch.from_numpy(nats_BT)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_BT: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(dense.cross_entropy_backward(ctx.probs, ctx.targets, _array(grad_BT))), None


def _array(tensor: Tensor) -> np.ndarray:
    """The tensor's own memory as an array."""
    array: np.ndarray = tensor.detach().numpy()
    return array
