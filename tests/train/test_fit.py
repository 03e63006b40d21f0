"""Moving averages of another shape or type never reach torch's kernels, which would read beside their memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from charrnn.config.schema import optimizer as schema
from charrnn.errors import CheckpointError
from charrnn.train.fit import check_same, check_slots
from charrnn.train.optim import build_optimizer

KINDS: dict[str, Any] = {
    "sgd": schema.Sgd(kind="sgd", momentum=0.9),
    "plain sgd": schema.Sgd(kind="sgd", momentum=0.0),
    "adagrad": schema.Adagrad(kind="adagrad"),
    "rmsprop": schema.RmsProp(kind="rmsprop"),
    "adam": schema.Adam(kind="adam"),
    "adamw": schema.AdamW(),
    "eve": schema.Eve(kind="eve"),
}
Slots = dict[str, dict[str, Tensor]]


def slots_of(kind: str, updates: int = 2) -> tuple[Slots, torch.optim.Optimizer, nn.Module]:
    """What an optimizer of this kind keeps for a small model, and both."""
    model = nn.Linear(3, 2)
    optimizer = build_optimizer(KINDS[kind], model)
    for _ in range(updates):
        loss = model(torch.ones(1, 3)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(lambda loss=loss: loss.detach())
    names: dict[Any, str] = {parameter: name for name, parameter in model.named_parameters()}
    slots = {names.get(key, str(key)): dict(kept) for key, kept in optimizer.state.items()}
    return (
        {name: {k: v for k, v in kept.items() if torch.is_tensor(v)} for name, kept in slots.items()},
        optimizer,
        model,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("updates", [0, 1, 2])
def test_its_own_are_taken(kind: str, updates: int) -> None:
    slots, optimizer, model = slots_of(kind, updates)
    before = dict(optimizer.state)
    check_slots(slots, optimizer, model, "here")
    assert list(optimizer.state.items()) == list(before.items()), "the optimizer itself does nothing"
    assert optimizer.param_groups[0]["params"] == [model.weight]


SPOILS: list[Callable[[Slots, str, str], Any]] = [
    lambda slots, name, key: slots[name].pop(key),
    lambda slots, name, key: slots[name].update({key: slots[name][key].reshape(-1)[:1].reshape(1, 1, 1)}),
    lambda slots, name, key: slots[name].update({key: slots[name][key].to(torch.float16)}),
    lambda slots, name, key: slots[name].update({"x": torch.zeros(2)}),
    lambda slots, name, key: slots.update({"of nothing": slots[name]}),
]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"plain sgd"}))
@pytest.mark.parametrize("number", range(len(SPOILS)), ids=["missing", "shape", "type", "another", "no parameter"])
def test_all_others_are_refused(kind: str, number: int) -> None:
    names = [(name, key) for name, kept in slots_of(kind)[0].items() for key in kept]
    for name, key in names:
        slots, optimizer, model = slots_of(kind)
        SPOILS[number](slots, name, key)
        with pytest.raises(CheckpointError, match="of another model"):
            check_slots(slots, optimizer, model, "here")


def test_a_type_is_told_where_it_is_what_differs() -> None:
    ours, theirs = {"w": np.zeros((2, 3), np.float32)}, {"w": np.zeros((2, 3), np.int64)}
    with pytest.raises(CheckpointError) as caught:
        check_same(ours, theirs, "here", converts=True)
    assert caught.value.why == "w: checkpoint (2, 3) of int64, config (2, 3) of float32"
    check_same(ours, {"w": np.zeros((2, 3))}, "here", converts=True)
    with pytest.raises(CheckpointError):
        check_same(ours, {"w": np.zeros((2, 3))}, "here")
