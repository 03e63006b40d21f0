"""The recurrent network: input → optional BatchNorm → stacked layers → optional dense layers → output.

Shapes: B rows, T steps, D input features, H hidden units, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.config.schema import model as schema
from charrnn.models.cells import Elman, Gru, Lstm
from charrnn.models.core import Draws, Dropout, RecurrentCore, State, unroll
from charrnn.models.jordan import Jordan
from charrnn.models.layer_norm import LayerNormLstm
from charrnn.models.minimal import MinGru, MinLstm
from charrnn.models.norm import SequenceBatchNorm
from charrnn.models.reduced import Dense, reduced_type
from charrnn.models.window import WindowLayer


class Network(nn.Module):
    """A recurrent network over symbols.

    Args:
        config: the `model:` section.
        vocabulary: V.
        generator: draws the initial weights.
    """

    def __init__(self, config: schema.Network, vocabulary: int, generator: torch.Generator) -> None:
        super().__init__()
        self.input = SymbolInput(config.input, vocabulary, generator, tied=config.head.tie)
        self.layers = stack(config.core, self.input.features, generator)
        self.between = nn.ModuleList(
            Dropout(config.core.dropout, f"after layer {i}") for i in range(len(self.layers) - 1)
        )
        self.head = _Head(config, vocabulary, generator)
        if config.head.tie:
            self.head.output.weight = self.input.table

    def symbol_axes(self) -> dict[str, int]:
        """The tensors that have an entry per symbol, and along which axis; a tied table appears once."""
        axes = {"head.output.bias": 0}
        if self.head.output.weight is not self.input.table:
            axes["head.output.weight"] = 0
        if isinstance(self.input.table, nn.Parameter):
            axes["input.table"] = 0
        else:
            axes["layers.0.weight_ih"] = 1
        return axes

    def initial_state(self, batch: int) -> State:
        """The state of all layers for `batch` rows, named `<layer>.<name>`."""
        return {
            f"{i}.{name}": tensor
            for i, layer in enumerate(self.layers)
            for name, tensor in layer.initial_state(batch).items()
        }

    def forward(
        self,
        ids_BT: Tensor,
        state: State,
        mask_BT: Tensor | None = None,
        draws: Draws | None = None,
    ) -> tuple[Tensor, State]:
        """Scores of the next symbol at every position, logits_BTV, and the state after the last; see `hidden`."""
        y_BTH, after = self.hidden(ids_BT, state, mask_BT, draws)
        return self.head(self.head.fed(y_BTH, draws), draws), after

    def hidden(
        self,
        ids_BT: Tensor,
        state: State,
        mask_BT: Tensor | None = None,
        draws: Draws | None = None,
        resets: Mapping[int, Tensor] | None = None,
        keep: int | None = None,
    ) -> tuple[Tensor, State]:
        """What the last recurrent layer puts out.

        Args:
            ids_BT: symbols.
            state: where each row begins.
            mask_BT: False where a row has ended; BatchNorm leaves those positions out.
            draws: the random numbers of a training step.
            resets: for each position in front of which rows begin anew: which rows, as a mask over B.
            keep: return the state after so many positions; None for all.

        Returns:
            y_BTH and the new state.
        """
        y_BTH = self.input(ids_BT, mask_BT, draws)
        after: dict[str, Tensor] = {}
        for i, layer in enumerate(self.layers):
            prefix = f"{i}."
            own: State = {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
            y_BTH, own = unroll(layer, y_BTH, own, draws, resets, keep)
            after |= {prefix + name: tensor for name, tensor in own.items()}
            if i < len(self.between):
                y_BTH = self.between[i](y_BTH, draws)
        return y_BTH if reduced_type(y_BTH) is None else y_BTH.float(), after


class SymbolInput(nn.Module):
    """Symbols as vectors: looked up, perhaps normalised, in training with dropout.

    Args:
        config: the `model.input:` section.
        vocabulary: V.
        generator: draws the initial weights.
        tied: whether the table is the output matrix too.
    """

    def __init__(
        self,
        config: schema.EmbeddingInput | schema.OneHotInput,
        vocabulary: int,
        generator: torch.Generator,
        tied: bool = False,
    ) -> None:
        super().__init__()
        self.norm = None
        if isinstance(config, schema.EmbeddingInput):
            self.table = nn.Parameter(torch.empty(vocabulary, config.size))
            # A tied table is an output matrix too, and must not start with scores of the size of sqrt(D).
            usual = config.size**-0.5 if tied else 1.0
            nn.init.normal_(self.table, std=config.std or usual, generator=generator)
            self.table.requires_grad_(not config.frozen)
            if config.batchnorm:
                self.norm = SequenceBatchNorm(config.size)
        else:
            # One-hot rows are gathered from the identity, batch by batch; the text is never blown up to a cube.
            self.register_buffer("table", torch.eye(vocabulary), persistent=False)
        self.features = self.table.shape[1]
        self.dropout = Dropout(config.dropout, "input")

    def forward(self, ids_BT: Tensor, mask_BT: Tensor | None, draws: Draws | None) -> Tensor:
        """x_BTD of the symbols ids_BT."""
        x_BTD = F.embedding(ids_BT, self.table)
        if self.norm is not None:
            x_BTD = self.norm(x_BTD, mask_BT)
        return self.dropout(x_BTD, draws)


class _Head(nn.Module):
    def __init__(self, config: schema.Network, vocabulary: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = [config.core.features, *config.head.hidden, vocabulary]
        linears = [linear(i, o, generator) for i, o in pairwise(sizes)]
        self.dense = nn.ModuleList(linears[:-1])
        self.output = linears[-1]
        self.dropout = nn.ModuleList(Dropout(config.head.dropout, f"head {i}") for i in range(len(linears)))

    def fed(self, y_BTH: Tensor, draws: Draws | None) -> Tensor:
        """The last layer's output as the head receives it, in training with dropout."""
        return self.dropout[0](y_BTH, draws)

    def forward(self, fed_BTH: Tensor, draws: Draws | None) -> Tensor:
        for dense, dropout in zip(self.dense, self.dropout[1:], strict=True):
            fed_BTH = dropout(F.relu(dense(fed_BTH)), draws)
        return self.output(fed_BTH)

    def nats(self, logits_BTV: Tensor, y_BT: Tensor) -> Tensor:
        """The cross-entropy of each target."""
        return F.cross_entropy(logits_BTV.flatten(0, 1), y_BT.flatten(), reduction="none").view(y_BT.shape)


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A dense layer: Glorot-uniform weights, biases zero."""
    layer = Dense(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def stack(config: schema.Core, inputs: int, generator: torch.Generator, name: str = "layer") -> nn.ModuleList:
    """Recurrent layers on one another, D features into the first; `name` tells their masks from another stack's."""
    layers = nn.ModuleList()
    for i in range(config.layers):
        layers.append(build_layer(config, inputs if i == 0 else config.features, f"{name} {i}", generator))
    return layers


def build_layer(config: schema.Core, inputs: int, name: str, generator: torch.Generator) -> RecurrentCore:
    """One recurrent layer, with fresh weights from `generator`; `name` tells its masks from those of other layers."""
    match config:
        case schema.ElmanCore():
            return Elman(config, inputs, name, generator)
        case schema.GruCore():
            return Gru(config, inputs, name, generator)
        case schema.LstmCore():
            return Lstm(config, inputs, name, generator)
        case schema.JordanCore():
            return Jordan(config, inputs, name, generator)
        case schema.WindowCore():
            return WindowLayer(config, inputs, name, generator)
        case schema.LayerNormLstmCore():
            return LayerNormLstm(config, inputs, name, generator)
        case schema.MinGruCore():
            return MinGru(config, inputs, generator)
        case schema.MinLstmCore():
            return MinLstm(config, inputs, generator)
