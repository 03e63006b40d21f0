"""What every plan of rows of tokens promises, whatever it reads: lanes or windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from charrnn.stream.gather import gather
from charrnn.stream.lanes import LanePlan
from charrnn.stream.windows import WindowPlan
from charrnn.train.world import World

CPU = torch.device("cpu")


def text(tokens: int) -> np.ndarray:
    """Token i is i + 1, so every token says where it stands and none is `<start>`."""
    return np.arange(1, tokens + 1, dtype=np.uint16)


def is_a_function_of_the_step(plan: Callable[[], LanePlan | WindowPlan], step: int) -> None:
    """A plan that was asked for other steps before gives what a new one gives."""
    used = plan()
    for other in (0, step + 1, 7):
        used.rows(other)
    a, b = used.rows(step), plan().rows(step)
    assert (a.start_B.tolist(), a.length_B.tolist()) == (b.start_B.tolist(), b.length_B.tolist())
    assert (a.width, a.past, a.keep, a.rate) == (b.width, b.past, b.keep, b.rate)
    assert [(c, r.tolist()) for c, r in a.resets.items()] == [(c, r.tolist()) for c, r in b.resets.items()]


def ranks_joined_are_one_process(plan: LanePlan | WindowPlan, step: int, world: int) -> None:
    """The rows of all ranks, one after the other, are the rows of one process."""
    tokens = text(plan.tokens)
    whole = gather(tokens, plan.rows(step), CPU)
    parts = [World(rank, world).own(whole) for rank in range(world)]
    for name in ("x_BT", "y_BT", "mask_BT", "counts_BT"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    for column, rows_B in whole.resets.items():
        assert torch.equal(torch.cat([part.resets[column] for part in parts]), rows_B)
