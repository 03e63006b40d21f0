"""Losses of fixed runs in float64, everything random switched on: a change of structure must leave them as they are.

A change of computation (another initialisation, other draws) moves them: then show what it buys, and renew the figures
here with what the failing test prints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from charrnn.tasks.language import LanguageTask
from charrnn.train.state import TrainState
from charrnn.train.step import update

DROP: dict[str, Any] = {"recurrent_dropout": 0.3}
CORES: dict[str, dict[str, Any]] = {
    "elman": DROP,
    "gru": DROP,
    "lstm": DROP,
    "jordan": DROP | {"outputs": 5},
    "window": DROP,
    "ln-lstm": DROP,
    "mingru": {},
    "minlstm": {},
}

# nats per token at updates 1, 10 and 20
GOLDEN = {
    "elman": [2.772421846569386, 2.6725789424192863, 2.6673970043083997],
    "gru": [2.647120118793931, 2.579240215906081, 2.5307446199391244],
    "lstm": [2.629316428470406, 2.5826661182452995, 2.5251425416480755],
    "jordan": [2.7557364602516006, 2.6214118348949134, 2.5943897242438068],
    "window": [2.876978597138566, 2.8501279005780984, 2.737652467522795],
    "ln-lstm": [2.6086971645232433, 2.5959840512852046, 2.555731073249654],
    "mingru": [2.8855016411469783, 2.6010833813462004, 2.60200185852814],
    "minlstm": [2.769775789173127, 2.690600001396102, 2.5788204003935817],
}


@pytest.mark.parametrize("core", GOLDEN)
def test_losses_are_what_they_were(
    core: str, make_task: Callable[..., LanguageTask], make_state: Callable[[LanguageTask], TrainState]
) -> None:
    task = make_task(
        model={
            "input": {"size": 6, "batchnorm": True, "dropout": 0.1},
            "core": {"kind": core, "hidden": 8, "layers": 2, "dropout": 0.2, **CORES[core]},
            "head": {"hidden": [7], "dropout": 0.2},
        },
        train={"precision": "fp64", "optimizer": {"lr": 1e-2}},
    )
    state = make_state(task)
    state.model.train()
    stream = task.stream("train")
    assert stream is not None
    results = [update(task, state, stream.batch(step, torch.device("cpu")), 1.0) for step in range(20)]
    losses = [result.sum / result.count for result in results]
    assert [losses[0], losses[9], losses[19]] == pytest.approx(GOLDEN[core], rel=1e-9)
