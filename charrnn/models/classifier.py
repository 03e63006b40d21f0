"""From sequences to scores of labels: recurrent layers with a pool, or convolutions of several widths.

Sequences of different lengths lie in one batch, filled up behind their ends; what lies there never changes a score.

Shapes: B rows (items), T steps, D input features, H hidden units, F features of a whole sequence, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.config.schema.classifier import (
    ClassifierHead,
    ClassifierModel,
    ConvolutionClassifier,
    RecurrentClassifier,
    ValuesInput,
)
from charrnn.models.core import Draws, Dropout, State
from charrnn.models.network import SymbolInput, linear, stack
from charrnn.models.reduced import reduced_type


class Classifier(nn.Module):
    """Input → what reads the sequence → head.

    Args:
        config: the `model:` section.
        inputs: V where items are symbols, D where they are vectors of numbers.
        classes: C.
        generator: draws the initial weights.
    """

    def __init__(self, config: ClassifierModel, inputs: int, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.input: nn.Module
        if isinstance(config.input, ValuesInput):
            self.input = _Values(config.input, inputs)
        else:
            self.input = SymbolInput(config.input, inputs, generator)
        self.reader: nn.Module
        if isinstance(config, RecurrentClassifier):
            self.reader = RecurrentReader(config, self.input.features, generator)
        else:
            self.reader = ConvolutionReader(config, self.input.features, generator)
        self.head = _Head(config.head, self.reader.features, classes, generator)

    def symbol_axes(self) -> dict[str, int]:
        """The tensors that have an entry per symbol, and along which axis."""
        if isinstance(getattr(self.input, "table", None), nn.Parameter):
            return {"input.table": 0}
        return {"reader.layers.0.weight_ih": 1} if isinstance(self.input, SymbolInput) else {}

    @staticmethod
    def encoder(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What a language model knows that a classifier with the same input and layers can begin with, by its names
        here: all but the head, and but for a way back."""
        return {
            f"reader.{name}" if name.startswith("layers.") else name: array
            for name, array in arrays.items()
            if name.startswith(("input.", "layers."))
        }

    def forward(self, x: Tensor, length_B: Tensor, draws: Draws | None = None) -> Tensor:
        """Scores of the labels, logits_BC.

        Args:
            x: symbols x_BT, or vectors x_BTD.
            length_B: how many steps of each row are its sequence; at least one.
            draws: the random numbers of a training step.
        """
        mask_BT = torch.arange(x.shape[1], device=x.device) < length_B[:, None]
        return self.head(self.reader(self.input(x, mask_BT, draws), length_B, mask_BT, draws), draws)


class RecurrentReader(nn.Module):
    """Stacked recurrent layers in one direction or both, pooled over the steps of each sequence.

    Args:
        config: the `model:` section.
        inputs: D.
        generator: draws the initial weights.
    """

    def __init__(self, config: RecurrentClassifier, inputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.pool = config.pool
        self.layers = stack(config.core, inputs, generator)
        self.between = nn.ModuleList(
            Dropout(config.core.dropout, f"after layer {i}") for i in range(len(self.layers) - 1)
        )
        names = ["forwards"]
        self.back: nn.ModuleList | None = None
        if config.bidirectional:
            names.append("backwards")
            self.back = stack(config.core, inputs, generator, name="layer from the end")
            self.between_back = nn.ModuleList(
                Dropout(config.core.dropout, f"after layer {i} from the end") for i in range(len(self.back) - 1)
            )
        self.features = config.core.features * len(names)

    def forward(self, x_BTD: Tensor, length_B: Tensor, mask_BT: Tensor, draws: Draws | None) -> Tensor:
        """pooled_BF."""
        ways = [_through(self.layers, self.between, x_BTD, draws)]
        if self.back is not None:
            # Each row is turned round within its length, so that what fills it up stays behind its end.
            ways.append(_through(self.back, self.between_back, _turned(x_BTD, length_B), draws))
        return torch.cat([self._pooled(y_BTH, length_B, mask_BT) for y_BTH in ways], -1)

    def _pooled(self, y_BTH: Tensor, length_B: Tensor, mask_BT: Tensor) -> Tensor:
        if self.pool == "last":
            return y_BTH[torch.arange(len(y_BTH), device=y_BTH.device), length_B - 1]
        if self.pool == "mean":
            return (y_BTH * mask_BT[..., None]).sum(1) / length_B[:, None]
        return y_BTH.masked_fill(~mask_BT[..., None], -torch.inf).amax(1)


class ConvolutionReader(nn.Module):
    """Filters over 3, 4 and 5 neighbouring steps, say, and the greatest value of each over the sequence (Kim 2014,
    "Convolutional Neural Networks for Sentence Classification").

    A sequence shorter than a filter is read as if zeros followed it.

    Args:
        config: the `model:` section.
        inputs: D.
        generator: draws the initial weights.
    """

    def __init__(self, config: ConvolutionClassifier, inputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.filters = nn.ModuleList()
        for width in config.widths:
            layer = nn.Conv1d(inputs, config.filters, width)
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
            self.filters.append(layer)
        self.features = config.filters * len(config.widths)

    def forward(self, x_BTD: Tensor, length_B: Tensor, mask_BT: Tensor, draws: Draws | None) -> Tensor:
        """pooled_BF; nothing here is drawn."""
        widths = [layer.kernel_size[0] for layer in self.filters]
        x_BDT = (x_BTD * mask_BT[..., None]).transpose(1, 2)
        x_BDT = F.pad(x_BDT, (0, max(0, max(widths) - x_BDT.shape[2])))
        pooled = []
        for layer, width in zip(self.filters, widths, strict=True):
            y_BFT = F.relu(layer(x_BDT).to(x_BDT.dtype))
            places_T = torch.arange(y_BFT.shape[2], device=y_BFT.device)
            whole_BT = places_T < (length_B - width + 1).clamp(min=1)[:, None]
            pooled.append((y_BFT * whole_BT[:, None]).amax(2))  # ReLU has made zero the least
        return torch.cat(pooled, 1)


class _Values(nn.Module):
    def __init__(self, config: ValuesInput, features: int) -> None:
        super().__init__()
        self.features = features
        self.dropout = Dropout(config.dropout, "input")

    def forward(self, x_BTD: Tensor, mask_BT: Tensor, draws: Draws | None) -> Tensor:
        return self.dropout(x_BTD, draws)


class _Head(nn.Module):
    def __init__(self, config: ClassifierHead, inputs: int, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        linears = [linear(i, o, generator) for i, o in pairwise([inputs, *config.hidden, classes])]
        self.dense = nn.ModuleList(linears)
        self.dropout = nn.ModuleList(Dropout(config.dropout, f"head {i}") for i in range(len(linears)))

    def forward(self, x_BF: Tensor, draws: Draws | None) -> Tensor:
        for i, (dense, dropout) in enumerate(zip(self.dense, self.dropout, strict=True)):
            x_BF = dense(dropout(F.relu(x_BF) if i else x_BF, draws))
        return x_BF


def _through(layers: nn.ModuleList, between: nn.ModuleList, x_BTD: Tensor, draws: Draws | None) -> Tensor:
    """The output of the last layer, y_BTH; every state begins anew."""
    y_BTH = x_BTD
    for i, layer in enumerate(layers):
        begun: State = layer.initial_state(len(y_BTH))
        y_BTH, _ = layer(y_BTH, begun, draws)
        if i < len(between):
            y_BTH = between[i](y_BTH, draws)
    return y_BTH if reduced_type(y_BTH) is None else y_BTH.float()


def _turned(x_BTD: Tensor, length_B: Tensor) -> Tensor:
    """Each row's sequence from its end to its beginning; what fills it up stays where it was."""
    place_T = torch.arange(x_BTD.shape[1], device=x_BTD.device)
    from_end_BT = length_B[:, None] - 1 - place_T
    source_BT = torch.where(from_end_BT >= 0, from_end_BT, place_T)
    return x_BTD.gather(1, source_BT[..., None].expand_as(x_BTD))
