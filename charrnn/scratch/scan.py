"""A recurrent layer as a scan of its step over time, and back-propagation through it.

What a step does with its two projections is the cell's (`cells.py`, `backward.py`); the matrices are the same for all
cells and are handled here. The input is projected for all steps at once, and the gradients of the matrices are one
product each over all rows and steps: a sum of outer products is a matrix product.

Shapes: B rows, T steps, D input features, H hidden units, G = gates × H, F units that are put out and fed back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.scratch import cells
from charrnn.scratch.cells import Arrays, State
from charrnn.scratch.kinds import Cell


@dataclass(frozen=True)
class Tape:
    """What going back needs of a scan.

    Attributes:
        x_BTD: its input.
        fed_BTF: what was fed back at each step.
        steps: the tape of each step.
    """

    x_BTD: np.ndarray
    fed_BTF: np.ndarray
    steps: list[cells.Tape]


def scan(cell: Cell, own: Arrays, x_BTD: np.ndarray, state: State) -> tuple[np.ndarray, State, Tape]:
    """Run over T steps.

    Args:
        cell: what a step does.
        own: the layer's tensors by name, as `charrnn/models/` names them.
        x_BTD: the input.
        state: the state in front of the first step.

    Returns:
        y_BTF, the state after the last step, and the tape.
    """
    weight_GD, bias_G, hidden_GF, hidden_bias_G = cell.projections(own, state[cell.shown].shape[1])
    x_BTG = x_BTD @ weight_GD.T + bias_G
    shown, tapes = [state[cell.shown]], []
    for t in range(x_BTD.shape[1]):
        h_BG = state[cell.shown] @ hidden_GF.T + hidden_bias_G
        state, tape = cell.step(x_BTG[:, t], h_BG, state, own)
        shown.append(state[cell.shown])
        tapes.append(tape)
    return np.stack(shown[1:], axis=1), state, Tape(x_BTD, np.stack(shown[:-1], axis=1), tapes)


def scan_backward(
    cell: Cell, own: Arrays, tape: Tape, grad_y_BTF: np.ndarray, grad_state: State
) -> tuple[dict[str, np.ndarray], np.ndarray, State]:
    """Back-propagation through time: the steps in reverse order, each handing the gradient of its state back.

    Args:
        cell: what a step does.
        own: as in `scan`.
        tape: what `scan` returned.
        grad_y_BTF: the derivative of the loss by each output.
        grad_state: the derivative by each tensor of the state after the last step.

    Returns:
        The derivatives by each tensor of the layer, by x_BTD, and by the state in front of the first step.
    """
    weight_GD, _, hidden_GF, _ = cell.projections(own, tape.fed_BTF.shape[2])
    grad, shown = dict(grad_state), cell.shown
    grads: dict[str, np.ndarray] = {}
    each_x: list[np.ndarray] = []
    each_h: list[np.ndarray] = []
    for t in reversed(range(len(tape.steps))):
        grad[shown] = grad[shown] + grad_y_BTF[:, t]  # the output goes out, and on to the next step
        grad_x_BG, grad_h_BG, grad, more = cell.backward(tape.steps[t], grad, own)
        grad[shown] = grad_h_BG @ hidden_GF + grad.get(shown, 0.0)  # through the matrix, and past it
        grads = {name: grads.get(name, 0.0) + each for name, each in more.items()}
        each_x.append(grad_x_BG)
        each_h.append(grad_h_BG)
    grad_x_BTG, grad_h_BTG = np.stack(each_x[::-1], axis=1), np.stack(each_h[::-1], axis=1)
    grads["weight_ih"] = _all(grad_x_BTG).T @ _all(tape.x_BTD)
    if cell.fed_back:
        grads["weight_hh"] = _all(grad_h_BTG).T @ _all(tape.fed_BTF)
    if cell.biased:
        grads["bias_ih"] = _all(grad_x_BTG).sum(0)
    if cell.biased and cell.fed_back:
        grads["bias_hh"] = _all(grad_h_BTG).sum(0)
    return grads, grad_x_BTG @ weight_GD, grad


def _all(x_BTN: np.ndarray) -> np.ndarray:
    """All rows and steps one under another: (B·T, N)."""
    return x_BTN.reshape(-1, x_BTN.shape[-1])
