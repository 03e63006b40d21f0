"""Products in fewer bits: what the layers do where the forward pass runs under `torch.autocast`.

Weights, sums over gates, the state of a layer and whatever leaves a network are in the weights' own type; only what is
multiplied, and what goes from one fused layer to the next, is in the reduced one. The recurrent kernels get their
operands from here and not from autocast itself: on CUDA that casts them to fp16 whichever type it was asked for, and
one by one, where cuDNN wants all weights in one piece of memory.

Shapes: B rows, T steps, D input features, H hidden units, G = gates × H.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def reduced_type(like: Tensor) -> torch.dtype | None:
    """The type of fewer bits that products on this tensor's device are in here; None where they are in their own."""
    kind = like.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`F.linear`, whose sums come in fp32 where its products are reduced."""
    y = F.linear(x, weight, bias)
    return y if reduced_type(y) is None else y.float()


def once(weight: Tensor) -> Tensor:
    """A weight that many products in a row read, in their type, so that not each of them casts it."""
    dtype = reduced_type(weight)
    return weight if dtype is None else weight.to(dtype)


class Dense(nn.Linear):
    """A dense layer that puts out the weights' own type."""

    def forward(self, x: Tensor) -> Tensor:
        """The layer, see `product`."""
        return product(x, self.weight, self.bias)


@dataclass(frozen=True)
class Operands:
    """What a recurrent kernel takes for one layer.

    Attributes:
        x_BTD: the input.
        state: the states in front of the first step, each (B, H).
        weights: (G, D), (G, H), (G), (G): the matrices of the input and of what is fed back, and their biases.
    """

    x_BTD: Tensor
    state: Sequence[Tensor]
    weights: Sequence[Tensor]

    def to(self, dtype: torch.dtype) -> Operands:
        """The same in another type; the weights one behind the other, as cuDNN reads them, in one piece of memory."""
        sizes = [weight.numel() for weight in self.weights]
        flat = torch.cat([weight.reshape(-1) for weight in self.weights]).to(dtype)
        weights = [part.view_as(weight) for part, weight in zip(flat.split(sizes), self.weights, strict=True)]
        return Operands(self.x_BTD.to(dtype), [tensor.to(dtype) for tensor in self.state], weights)


def as_given(like: Tensor) -> AbstractContextManager[object]:
    """A block in which nothing is cast on the way into a kernel."""
    return nullcontext() if reduced_type(like) is None else torch.autocast(like.device.type, enabled=False)
