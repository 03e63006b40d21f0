"""One step of each cell in NumPy, on the tensors that `charrnn/models/` trains.

Each function takes the two projections, of the input and of what is fed back, the state before the step, and the
layer's tensors by name, for what a step needs of them beyond the projections. It returns the state after, and a tape:
what it has computed on the way and its derivative needs (`backward.py`).

Shapes: B rows, H hidden units, O output units, G = gates × H.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from charrnn.config.schema.model import LAYERNORM_EPS

Arrays = Mapping[str, np.ndarray]
State = dict[str, np.ndarray]
Tape = tuple[Any, ...]
After = tuple[State, Tape]
Step = Callable[[np.ndarray, np.ndarray, State, Arrays], After]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−x), through tanh so that no size of x overflows."""
    y: np.ndarray = np.tanh(0.5 * x)
    y += 1.0  # in place: for many rows a new array costs more than what is computed
    y *= 0.5
    return y


def gates(a_BG: np.ndarray, count: int) -> list[np.ndarray]:
    """The `count` gates that lie side by side in a_BG, each (B, H); views, and sooner had than from `np.split`."""
    hidden = a_BG.shape[1] // count
    return [a_BG[:, i * hidden : (i + 1) * hidden] for i in range(count)]


def elman_tanh(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """h' = tanh(x + h)."""
    after_BH = np.tanh(x_BG + h_BG)
    return {"h": after_BH}, (after_BH,)


def elman_relu(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """h' = max(x + h, 0)."""
    after_BH = np.maximum(x_BG + h_BG, 0.0)
    return {"h": after_BH}, (after_BH,)


def jordan(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """o' = tanh(V tanh(x + h) + c)."""
    hidden_BH = np.tanh(x_BG + h_BG)
    after_BO = np.tanh(hidden_BH @ own["weight_ho"].T + own["bias_ho"])
    return {"o": after_BO}, (hidden_BH, after_BO)


def window_tanh(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """h' = max(x, 0) + tanh(h)."""
    return _added(x_BG, np.tanh(h_BG))


def window_relu(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """h' = max(x, 0) + max(h, 0)."""
    return _added(x_BG, np.maximum(h_BG, 0.0))


def gru(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """Gates reset, update, new; the reset gate acts after the matrix product."""
    x_reset, x_update, x_new = gates(x_BG, 3)
    h_reset, h_update, h_new = gates(h_BG, 3)
    reset, update = sigmoid(x_reset + h_reset), sigmoid(x_update + h_update)
    new = np.tanh(x_new + reset * h_new)
    gap = state["h"] - new
    return {"h": new + update * gap}, (reset, update, new, gap, h_new)


def lstm(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """Gates input, forget, new, output."""
    c_BH, output, tape = _remember(x_BG + h_BG, state["c"])
    bounded = np.tanh(c_BH)
    return {"h": output * bounded, "c": c_BH}, (tape, bounded)


def layer_norm_lstm(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """Gates input, forget, new, output; the projections come without their biases, which belong to the norms."""
    normal_x_BG, x_tape = normal(x_BG, own["gain_ih"], own["bias_ih"])
    normal_h_BG, h_tape = normal(h_BG, own["gain_hh"], own["bias_hh"])
    c_BH, output, tape = _remember(normal_x_BG + normal_h_BG, state["c"])
    shown, c_tape = normal(c_BH, own["gain_c"], own["bias_c"])
    bounded = np.tanh(shown)
    return {"h": output * bounded, "c": c_BH}, (tape, bounded, x_tape, h_tape, c_tape)


def min_gru(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """Gates update, new; the state is projected nowhere."""
    update, new = gates(x_BG, 2)
    keep, add, positive = sigmoid(-update), sigmoid(update), _positive(new)
    return {"h": keep * state["h"] + add * positive}, (keep, add, positive, new, state["h"])


def min_lstm(x_BG: np.ndarray, h_BG: np.ndarray, state: State, own: Arrays) -> After:
    """Gates forget, input, new; forget and input are made to add up to 1."""
    forget, inputs, new = gates(x_BG, 3)
    more = np.logaddexp(0.0, -inputs) - np.logaddexp(0.0, -forget)
    keep, add, positive = sigmoid(more), sigmoid(-more), _positive(new)
    return {"h": keep * state["h"] + add * positive}, (keep, add, positive, new, state["h"], forget, inputs)


def normal(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, Tape]:
    """LayerNorm over the last axis, s · gain + bias with s = (x − mean) / deviation; the tape: s and 1 / deviation."""
    centred = x - x.mean(-1, keepdims=True)
    per_deviation = 1.0 / np.sqrt(np.square(centred).mean(-1, keepdims=True) + LAYERNORM_EPS)
    standard = centred * per_deviation
    return standard * gain + bias, (standard, per_deviation)


def _added(x_BG: np.ndarray, known_BG: np.ndarray) -> After:
    brought_BG = np.maximum(x_BG, 0.0)
    return {"h": brought_BG + known_BG}, (brought_BG, known_BG)


def _remember(sums_BG: np.ndarray, c_BH: np.ndarray) -> tuple[np.ndarray, np.ndarray, Tape]:
    """What an LSTM does up to its cell: c' = σ(f) c + σ(i) tanh(n); the cell, the output gate and the tape."""
    inputs, forget, new, output = gates(sums_BG, 4)
    inputs, forget, new, output = sigmoid(inputs), sigmoid(forget), np.tanh(new), sigmoid(output)
    return forget * c_BH + inputs * new, output, (inputs, forget, new, output, c_BH)


def _positive(x: np.ndarray) -> np.ndarray:
    # x + 1/2 from zero on, sigmoid(x) below
    positive: np.ndarray = np.maximum(x, 0.0) + sigmoid(np.minimum(x, 0.0))
    return positive
