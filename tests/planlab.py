"""What every plan of rows of tokens promises, whatever it reads: lanes or windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from charrnn.config.schema.stream import FixedLengths, RandomLengths
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


@st.composite
def settings_of_lanes(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that a plan of lanes can be made of."""
    lanes = draw(st.integers(1, 9))
    tokens = draw(st.integers(lanes, 200))
    chunk = draw(st.integers(1, 30))
    lengths = RandomLengths(
        kind="random", halve=draw(st.sampled_from([0.0, 0.05, 0.5])), spread=3.0, least=draw(st.integers(1, 8))
    )
    others = draw(st.lists(st.integers(1, tokens - 1), unique=True, max_size=12)) if tokens > 1 else []
    return {
        "tokens": tokens,
        "lanes": lanes,
        "chunk": chunk,
        "reach": draw(st.none() | st.integers(chunk, 4 * chunk)),
        "lengths": draw(st.sampled_from([FixedLengths(), lengths])),
        "shifted": draw(st.booleans()),
        "reset_chance": draw(st.sampled_from([0.0, 0.3])),
        "documents": np.array([0, *sorted(others)]),
        "seed": draw(st.integers(0, 5)),
    }


@st.composite
def settings_of_windows(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that a plan of windows can be made of."""
    length = draw(st.integers(1, 20))
    tokens = draw(st.integers(length, 160))
    others = draw(st.lists(st.integers(1, tokens - 1), unique=True, max_size=12)) if tokens > 1 else []
    return {
        "tokens": tokens,
        "length": length,
        "stride": draw(st.integers(1, length) | st.just(length)),
        "batch": draw(st.integers(1, 9)),
        "last": draw(st.booleans()),
        "shuffle": draw(st.booleans()),
        "documents": np.array([0, *sorted(others)]),
        "seed": draw(st.integers(0, 5)),
    }
