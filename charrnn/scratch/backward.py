"""The derivative of one step of each cell, by hand: from the gradients of the state after to those of what went in.

Each function takes the tape of its step in `cells.py`, and for each tensor of the state after the step the derivative
of the loss by it. It returns the derivatives by the two projections, and by the state before as far as the step uses it
directly: its way through the hidden matrix is `scan.py`'s.

`slope` is the derivative of a squashing function, written by its value: 1 − y² for y = tanh a, y (1 − y) for y = σ(a).

Shapes: B rows, H hidden units, G = gates × H.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from charrnn.scratch.cells import State, Tape

Gradients = tuple[np.ndarray, np.ndarray, State]
StepBackward = Callable[[Tape, State], Gradients]


def tanh_slope(y: np.ndarray) -> np.ndarray:
    """dy / da of y = tanh a."""
    return 1.0 - y * y


def sigmoid_slope(y: np.ndarray) -> np.ndarray:
    """dy / da of y = σ(a)."""
    return y * (1.0 - y)


def elman_tanh(tape: Tape, grad: State) -> Gradients:
    """h' = tanh(a), a = x + h: da = dh' (1 − h'²)."""
    (after_BH,) = tape
    grad_BG = grad["h"] * tanh_slope(after_BH)
    return grad_BG, grad_BG, {}


def elman_relu(tape: Tape, grad: State) -> Gradients:
    """h' = max(a, 0), a = x + h: da = dh' where h' > 0; at the kink the derivative is taken to be 0."""
    (after_BH,) = tape
    grad_BG = grad["h"] * (after_BH > 0.0)
    return grad_BG, grad_BG, {}


def gru(tape: Tape, grad: State) -> Gradients:
    """h' = n + z (h − n), n = tanh(x_n + r h_n), where r and z are sigmoids of sums of projections."""
    reset, update, new, gap, h_new = tape
    grad_new = grad["h"] * (1.0 - update) * tanh_slope(new)  # dn = dh' (1 − z), through the tanh
    grad_reset = grad_new * h_new * sigmoid_slope(reset)  # dr = that, times h_n
    grad_update = grad["h"] * gap * sigmoid_slope(update)  # dz = dh' (h − n)
    grad_x_BG = np.concatenate([grad_reset, grad_update, grad_new], axis=1)
    grad_h_BG = np.concatenate([grad_reset, grad_update, grad_new * reset], axis=1)  # h_n comes in times r
    return grad_x_BG, grad_h_BG, {"h": grad["h"] * update}


def lstm(tape: Tape, grad: State) -> Gradients:
    """h' = o tanh c', c' = f c + i g, where i, f, o are sigmoids and g a tanh of sums of projections."""
    inputs, forget, new, output, bounded, c_BH = tape
    grad_c_BH = grad["c"] + grad["h"] * output * tanh_slope(bounded)  # both ways on from c'
    grad_BG = np.concatenate(
        [
            grad_c_BH * new * sigmoid_slope(inputs),  # di = dc' g
            grad_c_BH * c_BH * sigmoid_slope(forget),  # df = dc' c
            grad_c_BH * inputs * tanh_slope(new),  # dg = dc' i
            grad["h"] * bounded * sigmoid_slope(output),  # do = dh' tanh c'
        ],
        axis=1,
    )
    return grad_BG, grad_BG, {"c": grad_c_BH * forget}
