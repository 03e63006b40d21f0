"""Numbers on their way from the host to a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor

_PIECE = 1 << 26
"""Long arrays travel in pieces of so many."""


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; to a CUDA device it travels while the host goes on."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def sent_in_pieces(array: Any, device: torch.device, dtype: DTypeLike | None = None) -> Tensor:
    """A one-dimensional array, which may be mapped and not to be written to, or lie in parts, as a tensor on a device.

    Args:
        array: the numbers.
        device: where they go.
        dtype: as what their bits are read there; None for the type that they have.
    """
    kept = np.dtype(dtype or array.dtype)
    there = torch.empty(len(array), dtype=torch.from_numpy(np.empty(0, kept)).dtype, device=device)
    for begin in range(0, len(array), _PIECE):
        there[begin : begin + _PIECE] = torch.from_numpy(np.array(array[begin : begin + _PIECE]).view(kept))
    return there
