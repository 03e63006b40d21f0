"""Whether arrays that were read fit what they are for: kernels trust shapes and types, and crash where these lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.errors import CheckpointError

Arrays = Mapping[str, np.ndarray]

_NAMED = 10


def check_same(ours: Arrays, theirs: Arrays, where: object, converts: bool = False) -> None:
    """Refuse arrays of other names, shapes or types.

    Args:
        ours: arrays as they should be.
        theirs: those of the checkpoint.
        where: the checkpoint.
        converts: whether another type of the same kind will do, such as fp64 for fp32.

    Raises:
        CheckpointError: they differ; the first of them are named.
    """

    def told(arrays: Arrays, name: str) -> str | None:
        if name not in arrays:
            return None
        shapes = [each[name].shape for each in (ours, theirs) if name in each]
        typed = len(shapes) == 2 and shapes[0] == shapes[1]
        return f"{arrays[name].shape}" + (f" of {arrays[name].dtype}" if typed else "")

    def same(name: str) -> bool:
        if name not in ours or name not in theirs or ours[name].shape != theirs[name].shape:
            return False
        one, other = ours[name].dtype, theirs[name].dtype
        return one == other or (converts and one.kind == other.kind)

    odd = sorted(name for name in ours.keys() | theirs.keys() if not same(name))
    if odd:
        lines = [f"{name}: checkpoint {told(theirs, name)}, config {told(ours, name)}" for name in odd[:_NAMED]]
        raise CheckpointError("the checkpoint is of another model", where=where, why="\n".join(lines))


def check_slots(
    slots: Mapping[str, Mapping[str, Tensor]], optimizer: torch.optim.Optimizer, model: nn.Module, where: object
) -> None:
    """Refuse moving averages that the optimizer would not make itself for the parameters of the model.

    A parameter without any is one that has had no gradient yet.

    Raises:
        CheckpointError: names, shapes or types differ.
    """
    parameters = dict(model.named_parameters())
    own, rest = _made_by(optimizer)
    expected: dict[str, np.ndarray] = {}
    for name in slots:
        like = rest.get(name) if name not in parameters else own
        for key, slot in (like or {}).items():
            each = name in parameters and slot.ndim == 1  # a number for each of the parameter's
            expected[f"{name}/{key}"] = _like(parameters[name]) if each else _like(slot)
    found = {f"{name}/{key}": tensor.numpy() for name, named in slots.items() for key, tensor in named.items()}
    check_same(expected, found, where)


def _like(tensor: Tensor) -> np.ndarray:
    return np.broadcast_to(torch.zeros((), dtype=tensor.dtype).numpy(), tuple(tensor.shape))


def _made_by(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[Hashable, dict[str, Tensor]]]:
    """What such an optimizer keeps after its first update of a parameter of two numbers, for that and besides; one
    without momentum keeps nothing."""
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.zeros(2)
    twin = object.__new__(type(optimizer))
    twin.__dict__.update(optimizer.__dict__)
    twin.param_groups = [{**optimizer.param_groups[0], "params": [parameter]}]
    twin.state = defaultdict(dict)
    twin.step(lambda: torch.zeros(()))
    state: dict[Any, dict[str, Tensor]] = dict(twin.state)
    return state.pop(parameter, {}), state
