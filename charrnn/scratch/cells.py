"""One step of each cell in NumPy, on the tensors that `charrnn/models/` trains.

Each function takes the two projections, of the input and of what is fed back, and the state before the step.

Shapes: B rows, H hidden units, O output units, G = gates × H.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from charrnn.config.schema.model import LAYERNORM_EPS

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


def jordan(x_BG: np.ndarray, h_BG: np.ndarray, state: State, output_HO: np.ndarray, bias_O: np.ndarray) -> State:
    """o' = tanh(tanh(x + h) V + c)."""
    return {"o": np.tanh(np.tanh(x_BG + h_BG) @ output_HO + bias_O)}


def layer_norm_lstm(x_BG: np.ndarray, h_BG: np.ndarray, state: State, norms: dict[str, np.ndarray]) -> State:
    """Gates input, forget, new, output; the projections come without their biases, which belong to the norms."""
    sums_BG = normal(x_BG, norms["gain_ih"], norms["bias_ih"]) + normal(h_BG, norms["gain_hh"], norms["bias_hh"])
    inputs, forget, new, output = np.split(sums_BG, 4, axis=1)
    c_BH = sigmoid(forget) * state["c"] + sigmoid(inputs) * np.tanh(new)
    return {"h": sigmoid(output) * np.tanh(normal(c_BH, norms["gain_c"], norms["bias_c"])), "c": c_BH}


def min_gru(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> State:
    """Gates update, new; the state is projected nowhere."""
    update, new = np.split(x_BG, 2, axis=1)
    return {"h": sigmoid(-update) * state["h"] + sigmoid(update) * _positive(new)}


def min_lstm(x_BG: np.ndarray, h_BG: np.ndarray, state: State) -> State:
    """Gates forget, input, new; forget and input are made to add up to 1."""
    forget, inputs, new = np.split(x_BG, 3, axis=1)
    more = np.logaddexp(0.0, -inputs) - np.logaddexp(0.0, -forget)
    return {"h": sigmoid(more) * state["h"] + sigmoid(-more) * _positive(new)}


def normal(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """LayerNorm over the last axis."""
    centred: np.ndarray = x - x.mean(-1, keepdims=True)
    normed: np.ndarray = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + LAYERNORM_EPS) * gain + bias
    return normed


def _positive(x: np.ndarray) -> np.ndarray:
    # x + 1/2 from zero on, sigmoid(x) below
    positive: np.ndarray = np.maximum(x, 0.0) + sigmoid(np.minimum(x, 0.0))
    return positive
