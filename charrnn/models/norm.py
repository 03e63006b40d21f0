"""BatchNorm over rows and times, blind to masked positions.

Shapes: B rows, T steps, D features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from charrnn.config.schema.model import BATCHNORM_EPS

_MOMENTUM = 0.1


def _of_this_process(tensor: Tensor) -> Tensor:
    return tensor


class SequenceBatchNorm(nn.Module):
    """BatchNorm (Ioffe and Szegedy 2015) of each feature over all valid positions of the batch.

    Training uses the statistics of the batch and moves the running ones; evaluation uses the running ones.

    Args:
        features: D.

    Attributes:
        add_up: sums over this process's rows to those over the rows of all processes, with a gradient.
    """

    add_up: Callable[[Tensor], Tensor] = staticmethod(_of_this_process)
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, x_BTD: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        """Normalise x_BTD; positions where `mask_BT` is False count for nothing."""
        if not self.training:
            return self._scale(x_BTD, self.running_mean, self.running_var)
        # Sums under a mask, not a gather of the valid rows: shapes stay fixed, and a GPU need not be waited for.
        valid_BT1 = x_BTD.new_ones(x_BTD.shape[:2]) if mask_BT is None else mask_BT.to(x_BTD.dtype)
        valid_BT1 = valid_BT1[..., None]
        count = self.add_up(valid_BT1.sum())
        mean_D = self.add_up((x_BTD * valid_BT1).sum((0, 1))) / count
        var_D = self.add_up(((x_BTD - mean_D).square() * valid_BT1).sum((0, 1))) / count
        with torch.no_grad():
            unbiased_D = var_D * (count / (count - 1).clamp(min=1))
            self.running_mean.lerp_(mean_D, _MOMENTUM)
            self.running_var.lerp_(unbiased_D, _MOMENTUM)
        return self._scale(x_BTD, mean_D, var_D)

    def _scale(self, x_BTD: Tensor, mean_D: Tensor, var_D: Tensor) -> Tensor:
        return (x_BTD - mean_D) * (self.weight * torch.rsqrt(var_D + BATCHNORM_EPS)) + self.bias
