"""One step of each cell in NumPy, on the tensors that `charrnn/models/cells.py` trains.

Each function takes the two projections, of the input and of the hidden state, and the state before the step.

Shapes: B rows, H hidden units, G = gates × H.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

State = dict[str, np.ndarray]
Step = Callable[[np.ndarray, np.ndarray, State], State]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−x), through tanh so that no size of x overflows."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def elman_tanh(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> State:
    """h' = tanh(x + h)."""
    return {"h": np.tanh(x_BG + h_BG)}


def elman_relu(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> State:
    """h' = max(x + h, 0)."""
    return {"h": np.maximum(x_BG + h_BG, 0.0)}


def window_tanh(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> State:
    """h' = max(x, 0) + tanh(h)."""
    return {"h": np.maximum(x_BG, 0.0) + np.tanh(h_BG)}


def window_relu(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> State:
    """h' = max(x, 0) + max(h, 0)."""
    return {"h": np.maximum(x_BG, 0.0) + np.maximum(h_BG, 0.0)}


def gru(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> State:
    """Gates reset, update, new; the reset gate acts after the matrix product."""
    x_reset, x_update, x_new = np.split(x_BG, 3, axis=1)
    h_reset, h_update, h_new = np.split(h_BG, 3, axis=1)
    reset, update = sigmoid(x_reset + h_reset), sigmoid(x_update + h_update)
    new = np.tanh(x_new + reset * h_new)
    return {"h": new + update * (state["h"] - new)}


def lstm(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> State:
    """Gates input, forget, new, output."""
    inputs, forget, new, output = np.split(x_BG + h_BG, 4, axis=1)
    c_BH = sigmoid(forget) * state["c"] + sigmoid(inputs) * np.tanh(new)
    return {"h": sigmoid(output) * np.tanh(c_BH), "c": c_BH}
