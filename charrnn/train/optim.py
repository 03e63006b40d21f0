"""From the `optimizer:` section to a torch optimizer."""

from __future__ import annotations

import torch
from torch import nn

from charrnn.config.schema import optimizer as schema


def build_optimizer(config: schema.Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """An optimizer over all parameters of `model`; weight decay falls on matrices only."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    common = {"lr": config.lr, "betas": tuple(config.betas), "eps": config.eps, "fused": True}
    match config:
        case schema.Adam():
            return torch.optim.Adam([*matrices, *others], **common)
        case schema.AdamW():
            groups = [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ]
            return torch.optim.AdamW(groups, **common)


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group the rate of this step."""
    for group in optimizer.param_groups:
        group["lr"] = lr
