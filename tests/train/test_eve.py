"""Eve against its formulas: by hand, in NumPy, and as Adam where its divisor is 1."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from charrnn.train.eve import Eve

LOSSES = [3.0, 2.0, 2.5, 2.5, 0.1]


def divisors(losses: Sequence[float], **settings: float) -> list[float]:
    """The divisor after each of `losses`, with beta3 = 1/2."""
    optimizer = Eve([nn.Parameter(torch.zeros(1))], betas=(0.9, 0.999, 0.5), **settings)
    seen = []
    for loss in losses:
        optimizer.step(lambda loss=loss: torch.tensor(loss, dtype=torch.float64))
        seen.append(float(optimizer.state["eve"]["divisor"]))
    return seen


def test_both_moving_parts_by_hand() -> None:
    """The relative change, clipped to [1/10, 10], and the average of it; halves all along, so that the numbers are
    short:

    step  f    |f - last|  min(f, last)  d     clipped  divisor = last divisor / 2 + clipped / 2
    1     3.0                                           1
    2     2.0  1.0         2.0           0.5   0.5      0.75
    3     2.5  0.5         2.0           0.25  0.25     0.5
    4     2.5  0.0         2.5           0     0.1      0.3
    5     0.1  2.4         0.1           24    10       5.15
    """
    by_hand = [1.0, 0.75, 0.5, 0.3, 5.15]
    assert divisors(LOSSES) == pytest.approx(by_hand, rel=1e-12)

    # Under a constant gradient of 1 both moments of Adam are 1 once corrected: it takes a step of lr / (1 + eps).
    weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = Eve([weight], lr=0.1, betas=(0.9, 0.999, 0.5), eps=1e-12)
    expected = 1.0
    for loss, divisor in zip(LOSSES, by_hand, strict=True):
        weight.grad = torch.ones_like(weight)
        optimizer.step(lambda loss=loss: torch.tensor(loss, dtype=torch.float64))
        expected -= 0.1 / divisor
        assert weight.item() == pytest.approx(expected, rel=1e-9)
        assert optimizer.param_groups[0]["lr"] == 0.1  # the schedule's, not the divided one
    assert expected == pytest.approx(1 - 0.1 * (1 + 4 / 3 + 2 + 10 / 3 + 1 / 5.15))


def test_change_is_relative_to_the_distance_from_the_floor() -> None:
    # (3 - 2) / (2 - 1.5) = 2; then (2.5 - 2) / (2 - 1.5) = 1.
    assert divisors([3.0, 2.0, 2.5], floor=1.5) == pytest.approx([1.0, 1.5, 1.25], rel=1e-12)
    # On the floor and below it every change counts as c.
    assert divisors([3.0, 1.5, 1.0], floor=1.5) == pytest.approx([1.0, 5.5, 7.75], rel=1e-12)


def test_the_clip_is_c() -> None:
    # 24 becomes 4 and 0 becomes 1/4.
    assert divisors([2.5, 0.1, 0.1], c=4.0) == pytest.approx([1.0, 2.5, 1.375], rel=1e-12)


def reference(start: np.ndarray, grads: np.ndarray, losses: Sequence[float]) -> np.ndarray:
    """The algorithm of the paper in NumPy: lr 0.05, betas 0.8, 0.9, 0.7, eps 1e-8, c 5, f* 0.2."""
    weight, m, v, divisor = start.copy(), np.zeros_like(start), np.zeros_like(start), 1.0
    for t, (grad, loss) in enumerate(zip(grads, losses, strict=True), 1):
        m = 0.8 * m + 0.2 * grad
        v = 0.9 * v + 0.1 * grad**2
        if t > 1:
            last = losses[t - 2]
            change = abs(loss - last) / (min(loss, last) - 0.2)
            divisor = 0.7 * divisor + 0.3 * min(max(change, 1 / 5), 5.0)
        weight -= 0.05 / divisor * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
    return weight


@given(st.lists(st.floats(0.25, 6.0), min_size=1, max_size=8), st.integers(0, 99))
def test_the_algorithm_of_the_paper(losses: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    start, grads = rng.normal(size=(2, 3)), rng.normal(size=(len(losses), 2, 3))
    weight = nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = Eve([weight], lr=0.05, betas=(0.8, 0.9, 0.7), eps=1e-8, c=5.0, floor=0.2)
    for grad, loss in zip(grads, losses, strict=True):
        weight.grad = torch.from_numpy(grad)
        optimizer.step(lambda loss=loss: torch.tensor(loss, dtype=torch.float64))
    np.testing.assert_allclose(weight.detach().numpy(), reference(start, grads, losses), rtol=1e-10, atol=1e-12)


def follow(optimizer: torch.optim.Optimizer, model: nn.Module, steps: int) -> list[torch.Tensor]:
    x = torch.linspace(-1, 1, 15, dtype=torch.float32).reshape(5, 3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(x.to(next(model.parameters()))).square().mean()
        loss.backward()
        optimizer.step(lambda loss=loss: loss.detach())
    return [parameter.detach().cpu() for parameter in model.parameters()]


@pytest.mark.parametrize("still", [{"betas": (0.9, 0.99, 1.0)}, {"betas": (0.9, 0.99, 0.5), "c": 1.0}])
def test_with_a_divisor_of_1_it_is_adam(still: dict[str, float]) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    twin = copy.deepcopy(model)
    ours = follow(Eve(model.parameters(), lr=0.03, weight_decay=0.1, **still), model, 6)
    adam = torch.optim.Adam(twin.parameters(), lr=0.03, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    for a, b in zip(ours, follow(adam, twin, 6), strict=True):
        assert torch.equal(a, b)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_takes_the_same_steps_and_is_never_waited_for() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    twin = copy.deepcopy(model).cuda()
    on_cpu = follow(Eve(model.parameters(), lr=0.03), model, 6)
    optimizer = Eve(twin.parameters(), lr=0.03)
    for a, b in zip(on_cpu, follow(optimizer, twin, 6), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    loss = torch.ones((), device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        optimizer.step(lambda: loss)
    finally:
        torch.cuda.set_sync_debug_mode("default")
