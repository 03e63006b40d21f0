"""Sizes that cuDNN's persistent kernels take: a layer computed as a larger one, whose further units stay at zero.

In fp16 cuDNN keeps the weights of a layer in the registers of the GPU over all steps if its input and its hidden size
are multiples of 128 (PERSIST_STATIC); others take a kernel that reads them again at every step. Here weights, input
and state get zeros up to the next multiple, the weights gate by gate, and what comes out is cut back. A unit without
weights puts out zero, and no gradient flows through it: an LSTM keeps half of a cell that is zero and adds σ(0) ·
tanh(0), and tanh and ReLU of zero are zero. So the figures are the layer's own but for the order of sums; parameters
and checkpoints never see it. PyTorch never asks for that kernel for a GRU.

Shapes: B rows, T steps, D input features, H hidden units.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.models.reduced import Operands

MULTIPLE = 128
LARGEST = 1024
"""Hidden units that a persistent kernel has room for."""
MOST_ROWS, ROWS = 128, 8
"""It takes at most so many rows, and multiples of so many."""


def padded(given: Operands, gates: int, multiple: int) -> Operands:
    """The operands of the larger layer.

    Args:
        given: those of the layer.
        gates: how many blocks of H rows the weights have.
        multiple: what D and H become multiples of.
    """
    weight_ih, weight_hh, *biases = given.weights
    more_d, more_h = (-size % multiple for size in (given.x_BTD.shape[-1], weight_hh.shape[1]))

    def by_gate(weight: Tensor, more_columns: int) -> Tensor:
        blocks = weight.view(gates, -1, weight.shape[1])
        return F.pad(blocks, (0, more_columns, 0, more_h)).flatten(0, 1)

    return Operands(
        F.pad(given.x_BTD, (0, more_d)),
        [F.pad(tensor, (0, more_h)) for tensor in given.state],
        [by_gate(weight_ih, more_d), by_gate(weight_hh, more_h)]
        + [F.pad(bias.view(gates, -1), (0, more_h)).flatten() for bias in biases],
    )


def makes_persistent(layers: Iterable[tuple[int, int]], rows: int) -> bool:
    """Whether padding gives some layer sizes of a persistent kernel that it does not have already.

    Args:
        layers: D and H of each.
        rows: B, as the kernel sees it.
    """
    if rows % ROWS or rows > MOST_ROWS:
        return False
    odd = [(d, h) for d, h in layers if d % MULTIPLE or h % MULTIPLE]
    return any(h + -h % MULTIPLE <= LARGEST for _, h in odd)


def use_padding(model: nn.Module, multiple: int = MULTIPLE) -> None:
    """Let all layers of `model` that can be computed as larger ones be so, in training; 1 for as they are."""
    for layer in model.modules():
        if getattr(layer, "pads", False):
            layer.multiple = multiple
