"""The derivative of one step of each cell, by hand: from the gradients of the state after to those of what went in.

Each function takes the tape of its step in `cells.py`, the derivative of the loss by each tensor of the state after the
step, and the layer's tensors. It returns the derivatives by the two projections; by the state before, as far as the
step uses it directly (its way through the hidden matrix is `scan.py`'s); and by those of the layer's tensors that the
step itself uses. docs/scratch.md has the equations.

A slope is the derivative of a squashing function, written by its value: 1 − y² for y = tanh a, y (1 − y) for y = σ(a).

Shapes: B rows, H hidden units, O output units, G = gates × H.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from charrnn.scratch.cells import Arrays, State, Tape, sigmoid

Gradients = tuple[np.ndarray, np.ndarray, State, dict[str, np.ndarray]]
StepBackward = Callable[[Tape, State, Arrays], Gradients]


def tanh_slope(y: np.ndarray) -> np.ndarray:
    """dy / da of y = tanh a."""
    slope: np.ndarray = 1.0 - y * y
    return slope


def sigmoid_slope(y: np.ndarray) -> np.ndarray:
    """dy / da of y = σ(a)."""
    return y * (1.0 - y)


def elman_tanh(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """h' = tanh(a), a = x + h: da = dh' (1 − h'²)."""
    (after_BH,) = tape
    grad_BG = grad["h"] * tanh_slope(after_BH)
    return grad_BG, grad_BG, {}, {}


def elman_relu(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """h' = max(a, 0), a = x + h: da = dh' where h' > 0; at the kink the derivative is taken to be 0."""
    (after_BH,) = tape
    grad_BG = grad["h"] * (after_BH > 0.0)
    return grad_BG, grad_BG, {}, {}


def jordan(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """o' = tanh(b), b = V u + c, u = tanh(a), a = x + h."""
    hidden_BH, after_BO = tape
    grad_BO = grad["o"] * tanh_slope(after_BO)  # db = do' (1 − o'²)
    grad_BG = grad_BO @ own["weight_ho"] * tanh_slope(hidden_BH)  # da = Vᵀ db (1 − u²)
    return grad_BG, grad_BG, {}, {"weight_ho": grad_BO.T @ hidden_BH, "bias_ho": grad_BO.sum(0)}


def window_tanh(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """h' = max(x, 0) + k, k = tanh(h): dh = dh' (1 − k²); dx = dh' where x > 0, at the kink 0."""
    brought_BG, known_BG = tape
    return grad["h"] * (brought_BG > 0.0), grad["h"] * tanh_slope(known_BG), {}, {}


def window_relu(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """h' = max(x, 0) + max(h, 0): each way dh' where there is more than 0; at the kinks 0."""
    brought_BG, known_BG = tape
    return grad["h"] * (brought_BG > 0.0), grad["h"] * (known_BG > 0.0), {}, {}


def gru(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """h' = n + z (h − n), n = tanh(x_n + r h_n), where r and z are sigmoids of sums of projections."""
    reset, update, new, gap, h_new = tape
    grad_new = grad["h"] * (1.0 - update) * tanh_slope(new)  # dn = dh' (1 − z), through the tanh
    grad_reset = grad_new * h_new * sigmoid_slope(reset)  # dr = that, times h_n
    grad_update = grad["h"] * gap * sigmoid_slope(update)  # dz = dh' (h − n)
    grad_x_BG = np.concatenate([grad_reset, grad_update, grad_new], axis=1)
    grad_h_BG = np.concatenate([grad_reset, grad_update, grad_new * reset], axis=1)  # h_n comes in times r
    return grad_x_BG, grad_h_BG, {"h": grad["h"] * update}, {}


def lstm(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """h' = o tanh c', c' = f c + i g."""
    remembered, bounded = tape
    _, _, _, output, _ = remembered
    grad_c_BH = grad["c"] + grad["h"] * output * tanh_slope(bounded)  # both ways on from c'
    grad_BG, grad_before = _remember(remembered, bounded, grad["h"], grad_c_BH)
    return grad_BG, grad_BG, grad_before, {}


def layer_norm_lstm(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """h' = o tanh(LN(c')), c' = f c + i g, and the sums in the gates are LN(x) + LN(h)."""
    remembered, bounded, x_tape, h_tape, c_tape = tape
    _, _, _, output, _ = remembered
    through_BH, gain_c, bias_c = normal(c_tape, own["gain_c"], grad["h"] * output * tanh_slope(bounded))
    grad_BG, grad_before = _remember(remembered, bounded, grad["h"], grad["c"] + through_BH)
    grad_x_BG, gain_ih, bias_ih = normal(x_tape, own["gain_ih"], grad_BG)
    grad_h_BG, gain_hh, bias_hh = normal(h_tape, own["gain_hh"], grad_BG)
    gains = {"gain_ih": gain_ih, "gain_hh": gain_hh, "gain_c": gain_c}
    return grad_x_BG, grad_h_BG, grad_before, gains | {"bias_ih": bias_ih, "bias_hh": bias_hh, "bias_c": bias_c}


def min_gru(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """h' = (1 − z) h + z p, z = σ(a), p = g(n)."""
    keep, add, positive, new, h_BH = tape
    grad_update = grad["h"] * (positive - h_BH) * keep * add  # dz = dh' (p − h), and σ' = z (1 − z)
    grad_x_BG = np.concatenate([grad_update, grad["h"] * add * _positive_slope(new, positive)], axis=1)
    return grad_x_BG, grad_x_BG[:, :0], {"h": grad["h"] * keep}, {}


def min_lstm(tape: Tape, grad: State, own: Arrays) -> Gradients:
    """h' = k h + (1 − k) p, k = σ(m), m = log σ(f) − log σ(i), p = g(n)."""
    keep, add, positive, new, h_BH, forget, inputs = tape
    grad_more = grad["h"] * (h_BH - positive) * keep * add  # dm = dh' (h − p) k (1 − k)
    grad_x_BG = np.concatenate(
        [
            grad_more * sigmoid(-forget),  # (log σ)'(f) = σ(−f)
            -grad_more * sigmoid(-inputs),
            grad["h"] * add * _positive_slope(new, positive),
        ],
        axis=1,
    )
    return grad_x_BG, grad_x_BG[:, :0], {"h": grad["h"] * keep}, {}


def normal(tape: Tape, gain: np.ndarray, grad: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The derivatives of a LayerNorm by its input, its gain and its offset.

    With s = (x − mean) / deviation and ds = dy · gain: dx = (ds − mean(ds) − s · mean(ds · s)) / deviation. The two
    means are what x does to its own mean and deviation.
    """
    standard, per_deviation = tape
    grad_s = grad * gain
    along = (grad_s * standard).mean(-1, keepdims=True)
    grad_x = (grad_s - grad_s.mean(-1, keepdims=True) - standard * along) * per_deviation
    return grad_x, (grad * standard).sum(0), grad.sum(0)


def _remember(
    tape: Tape, bounded: np.ndarray, grad_h_BH: np.ndarray, grad_c_BH: np.ndarray
) -> tuple[np.ndarray, State]:
    """From h' and c' to the sums in the four gates, and to c."""
    inputs, forget, new, output, c_BH = tape
    grad_BG = np.concatenate(
        [
            grad_c_BH * new * sigmoid_slope(inputs),  # di = dc' g
            grad_c_BH * c_BH * sigmoid_slope(forget),  # df = dc' c
            grad_c_BH * inputs * tanh_slope(new),  # dg = dc' i
            grad_h_BH * bounded * sigmoid_slope(output),  # do = dh' tanh c', the tanh as it is put out
        ],
        axis=1,
    )
    return grad_BG, {"c": grad_c_BH * forget}


def _positive_slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # of y = g(x): 1 from zero on, that of the sigmoid below
    return np.where(x >= 0.0, np.ones_like(y), sigmoid_slope(y))
