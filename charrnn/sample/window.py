"""Sampling from a model that was trained on windows: it is given what it has learned from, and no more.

Shapes: B rows, T symbols of the window, V vocabulary.
"""

from __future__ import annotations

import numpy as np

from charrnn.sample.decode import Stepper
from charrnn.scratch.cells import State


class WindowStepper:
    """A model that predicts from the last symbols alone, read again from a cold state for every prediction.

    The state is those symbols. Until there are `length` of them it predicts from as many as there are. A step costs
    `length` steps of the model.

    Args:
        model: the model.
        length: the most symbols that a prediction may see.
    """

    def __init__(self, model: Stepper, length: int) -> None:
        self._model = model
        self._length = length

    def initial_state(self, batch: int) -> State:
        """No symbols yet."""
        return {"window": np.zeros((batch, 0), dtype=np.int64)}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Read one more symbol per row; returns the scores of the next one and the last symbols."""
        window_BT = np.concatenate([state["window"], ids_B[:, None]], axis=1)[:, -self._length :]
        cold = self._model.initial_state(len(ids_B))
        logits_BV, inner = self._model.step(window_BT[:, 0], cold)
        for ids in window_BT[:, 1:].T:
            logits_BV, inner = self._model.step(ids, inner)
        return logits_BV, {"window": window_BT}
