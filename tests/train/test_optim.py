from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from charrnn.config.schema.optimizer import Adam, AdamW
from charrnn.train.optim import build_optimizer, set_rate


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()


def one_step(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
    optimizer.zero_grad()
    model(x).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_the_arithmetic_is_that_of_torchs_plain_optimizer(model: nn.Module, kind: str) -> None:
    twin = copy.deepcopy(model)
    x = torch.randn(5, 3, dtype=torch.float64)
    if kind == "adam":
        ours = build_optimizer(Adam(kind="adam", lr=0.01), model)
        plain: torch.optim.Optimizer = torch.optim.Adam(twin.parameters(), lr=0.01, foreach=False)
    else:
        ours = build_optimizer(AdamW(lr=0.01, weight_decay=0.5), model)
        groups = [{"params": [p], "weight_decay": 0.5 if p.ndim == 2 else 0.0} for p in twin.parameters()]
        plain = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.99), foreach=False)
    for _ in range(5):
        one_step(model, ours, x)
        one_step(twin, plain, x)
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


def test_decay_falls_on_matrices_only(model: nn.Module) -> None:
    optimizer = build_optimizer(AdamW(weight_decay=0.3), model)
    for group in optimizer.param_groups:
        assert {p.ndim for p in group["params"]} == ({2} if group["weight_decay"] else {1})
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


def test_the_rate_reaches_every_group(model: nn.Module) -> None:
    optimizer = build_optimizer(AdamW(), model)
    set_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]
