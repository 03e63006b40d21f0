"""One step of each cell in NumPy, on the tensors that `charrnn/models/cells.py` trains.

Each function takes the two projections, of the input and of the hidden state, and the state before the step. It returns
the state after, and a tape: what it has computed on the way and its derivative needs (`backward.py`).

Shapes: B rows, H hidden units, G = gates × H.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

State = dict[str, np.ndarray]
Tape = tuple[np.ndarray, ...]
Step = Callable[[np.ndarray, np.ndarray, State], tuple[State, Tape]]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−x), through tanh so that no size of x overflows."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def gates(a_BG: np.ndarray, count: int) -> list[np.ndarray]:
    """The `count` gates that lie side by side in a_BG, each (B, H); views, and sooner had than from `np.split`."""
    hidden = a_BG.shape[1] // count
    return [a_BG[:, i * hidden : (i + 1) * hidden] for i in range(count)]


def elman_tanh(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> tuple[State, Tape]:
    """h' = tanh(x + h)."""
    after_BH = np.tanh(x_BG + h_BG)
    return {"h": after_BH}, (after_BH,)


def elman_relu(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> tuple[State, Tape]:
    """h' = max(x + h, 0)."""
    after_BH = np.maximum(x_BG + h_BG, 0.0)
    return {"h": after_BH}, (after_BH,)


def gru(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> tuple[State, Tape]:
    """Gates reset, update, new; the reset gate acts after the matrix product."""
    x_reset, x_update, x_new = gates(x_BG, 3)
    h_reset, h_update, h_new = gates(h_BG, 3)
    reset, update = sigmoid(x_reset + h_reset), sigmoid(x_update + h_update)
    new = np.tanh(x_new + reset * h_new)
    gap = state["h"] - new
    return {"h": new + update * gap}, (reset, update, new, gap, h_new)


def lstm(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> tuple[State, Tape]:
    """Gates input, forget, new, output."""
    inputs, forget, new, output = gates(x_BG + h_BG, 4)
    inputs, forget, new, output = sigmoid(inputs), sigmoid(forget), np.tanh(new), sigmoid(output)
    c_BH = forget * state["c"] + inputs * new
    bounded = np.tanh(c_BH)
    return {"h": output * bounded, "c": c_BH}, (inputs, forget, new, output, bounded, state["c"])
