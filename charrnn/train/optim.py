"""From the `optimizer:` section to a torch optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from charrnn.config.schema import optimizer as schema
from charrnn.train.eve import Eve


def build_optimizer(config: schema.Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """An optimizer over all parameters of `model`; weight decay falls on matrices only, whatever the kind.

    Call its `step` with a closure that hands back the loss in nats per token.
    """
    parameters = list(model.parameters())
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    match config:
        case schema.Sgd(lr=lr, momentum=momentum, nesterov=nesterov):
            return torch.optim.SGD(groups, lr, momentum, nesterov=nesterov, fused=True)
        case schema.Adagrad(lr=lr, eps=eps):
            return torch.optim.Adagrad(groups, lr, eps=eps, fused=True)
        case schema.RmsProp(lr=lr, alpha=alpha, eps=eps):
            return torch.optim.RMSprop(groups, lr, alpha, eps)  # torch has no fused one
        case schema.Adam(lr=lr, betas=(beta1, beta2), eps=eps):
            return torch.optim.Adam(groups, lr, (beta1, beta2), eps, fused=True)
        case schema.AdamW(lr=lr, betas=(beta1, beta2), eps=eps):
            return torch.optim.AdamW(groups, lr, (beta1, beta2), eps, fused=True)
        case schema.Eve(lr=lr, betas=(beta1, beta2, beta3), eps=eps):
            return Eve(groups, lr, (beta1, beta2, beta3), eps, c=config.max_change, floor=config.floor)


def set_rate(optimizer: torch.optim.Optimizer, lr: float | Tensor) -> None:
    """Give every group the rate of this step."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def rate_type(device: torch.device) -> torch.dtype:
    """As what a rate lies on a device: torch's kernels on CUDA read it in fp32."""
    return torch.float64 if device.type == "cpu" else torch.float32


def rate_on(device: torch.device, lr: float) -> float:
    """A rate as it comes to a device, so that an update which reads it there is the one which is handed it."""
    return float(torch.tensor(lr, dtype=rate_type(device)))
