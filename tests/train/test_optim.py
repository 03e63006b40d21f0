"""Every kind against the formulas of its paper, in NumPy; and where the decay falls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from charrnn.config.schema.optimizer import AdamW, Optimizer
from charrnn.train.optim import build_optimizer, set_rate

Array = np.ndarray
Steps = Iterator[Array]
"""From gradient to gradient: what is taken from the weight."""

STEPS = 5


def settings(**keys: Any) -> Any:
    return TypeAdapter(Optimizer).validate_python(keys)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


def sgd(grads: Array, lr: float) -> Steps:
    for grad in grads:
        yield lr * grad


def momentum(grads: Array, lr: float, mu: float) -> Steps:
    """Polyak's heavy ball."""
    velocity = np.zeros_like(grads[0])
    for grad in grads:
        velocity = mu * velocity + grad
        yield lr * velocity


def nesterov(grads: Array, lr: float, mu: float) -> Steps:
    """Sutskever and others, section 2, for w, the point where gradients are taken.

    Theirs: v' = mu v - lr g(x + mu v), x' = x + v'. With w = x + mu v: w' = x + v' + mu v' = w - mu v + (1 + mu) v'.
    """
    velocity = np.zeros_like(grads[0])
    for grad in grads:
        last, velocity = velocity, mu * velocity - lr * grad
        yield mu * last - (1 + mu) * velocity


def adagrad(grads: Array, lr: float, eps: float) -> Steps:
    total = np.zeros_like(grads[0])
    for grad in grads:
        total += grad**2
        yield lr * grad / (np.sqrt(total) + eps)


def rmsprop(grads: Array, lr: float, alpha: float, eps: float) -> Steps:
    square = np.zeros_like(grads[0])
    for grad in grads:
        square = alpha * square + (1 - alpha) * grad**2
        yield lr * grad / (np.sqrt(square) + eps)


def adam(grads: Array, lr: float, beta1: float, beta2: float, eps: float) -> Steps:
    m, v = np.zeros_like(grads[0]), np.zeros_like(grads[0])
    for t, grad in enumerate(grads, 1):
        m = beta1 * m + (1 - beta1) * grad
        v = beta2 * v + (1 - beta2) * grad**2
        yield lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


KINDS: dict[str, tuple[dict[str, Any], Callable[[Array], Steps]]] = {
    "sgd": ({"kind": "sgd", "lr": 0.3}, lambda g: sgd(g, 0.3)),
    "momentum": ({"kind": "sgd", "lr": 0.3, "momentum": 0.8}, lambda g: momentum(g, 0.3, 0.8)),
    "nesterov": (
        {"kind": "sgd", "lr": 0.3, "momentum": 0.8, "nesterov": True},
        lambda g: nesterov(g, 0.3, 0.8),
    ),
    "adagrad": ({"kind": "adagrad", "lr": 0.3, "eps": 1e-4}, lambda g: adagrad(g, 0.3, 1e-4)),
    "rmsprop": (
        {"kind": "rmsprop", "lr": 0.3, "alpha": 0.8, "eps": 1e-4},
        lambda g: rmsprop(g, 0.3, 0.8, 1e-4),
    ),
    "adam": (
        {"kind": "adam", "lr": 0.3, "betas": (0.8, 0.9), "eps": 1e-4},
        lambda g: adam(g, 0.3, 0.8, 0.9, 1e-4),
    ),
    "adamw": (
        {"kind": "adamw", "lr": 0.3, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.0},
        lambda g: adam(g, 0.3, 0.8, 0.9, 1e-4),
    ),
    "eve": (  # a steady loss: see test_eve.py for one that moves
        {"kind": "eve", "lr": 0.3, "betas": (0.8, 0.9, 0.7), "eps": 1e-4, "max_change": 1.0},
        lambda g: adam(g, 0.3, 0.8, 0.9, 1e-4),
    ),
}


def stepped(model: nn.Module, optimizer: torch.optim.Optimizer, grads: list[Array]) -> None:
    """Hand each parameter its gradients, one step after another."""
    for t in range(STEPS):
        for parameter, grad in zip(model.parameters(), grads, strict=True):
            parameter.grad = torch.from_numpy(grad[t].copy())
        optimizer.step(lambda: torch.tensor(2.0))


def random_gradients(model: nn.Module) -> list[Array]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(STEPS, *parameter.shape)) for parameter in model.parameters()]


def values(model: nn.Module) -> list[Array]:
    return [parameter.detach().numpy().copy() for parameter in model.parameters()]


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_are_those_of_the_paper(model: nn.Module, kind: str) -> None:
    keys, formula = KINDS[kind]
    grads, before = random_gradients(model), values(model)
    stepped(model, build_optimizer(settings(**keys), model), grads)
    for start, grad, after in zip(before, grads, values(model), strict=True):
        np.testing.assert_allclose(after, start - sum(formula(grad)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_decay_moves_matrices_only(model: nn.Module, kind: str) -> None:
    """Without gradients nothing but decay moves a weight: matrices move, the rest stays bit for bit."""
    keys, _ = KINDS[kind]
    grads, before = [0 * grad for grad in random_gradients(model)], values(model)
    stepped(model, build_optimizer(settings(**keys | {"weight_decay": 0.1}), model), grads)
    for start, after in zip(before, values(model), strict=True):
        if start.ndim == 2:
            assert (after != start).all()
        else:
            np.testing.assert_array_equal(after, start)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "adamw"])
def test_decay_is_added_to_the_gradient(model: nn.Module, kind: str) -> None:
    """A first gradient g under a decay of 0.1 does what g + 0.1 w does without; `adamw` is the exception, below."""
    keys, formula = KINDS[kind]
    grads, before = random_gradients(model), values(model)
    optimizer = build_optimizer(settings(**keys | {"weight_decay": 0.1}), model)
    for parameter, grad in zip(model.parameters(), grads, strict=True):
        parameter.grad = torch.from_numpy(grad[0])
    optimizer.step(lambda: torch.tensor(2.0))
    for start, grad, after in zip(before, grads, values(model), strict=True):
        decay = 0.1 * start if start.ndim == 2 else 0 * start
        np.testing.assert_allclose(after, start - next(formula(grad[:1] + decay)), rtol=0, atol=1e-12)


def test_decoupled_decay_is_a_share_of_the_weight(model: nn.Module) -> None:
    """Loshchilov and Hutter, algorithm 2: w - lr decay w beside Adam's step."""
    keys, formula = KINDS["adamw"]
    grads, expected = random_gradients(model), values(model)
    for i, grad in enumerate(grads):
        for step in formula(grad):
            expected[i] = expected[i] - (0.3 * 0.5 * expected[i] if expected[i].ndim == 2 else 0) - step
    stepped(model, build_optimizer(settings(**keys | {"weight_decay": 0.5}), model), grads)
    for want, after in zip(expected, values(model), strict=True):
        np.testing.assert_allclose(after, want, rtol=0, atol=1e-12)


def test_the_rate_reaches_every_group(model: nn.Module) -> None:
    optimizer = build_optimizer(AdamW(), model)
    set_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValidationError, match="give `momentum` too"):
        settings(kind="sgd", nesterov=True)


@pytest.mark.parametrize("betas", [[0.9, 0.999], [0.9, 0.999, 0.999, 0.9], [0.9, 0.999, 1.0]])
def test_eve_has_three_betas_below_1(betas: list[float]) -> None:
    with pytest.raises(ValidationError, match=r"betas"):
        settings(kind="eve", betas=betas)
