"""A recurrent layer as a scan of its step over time, and back-propagation through it.

What a step does with its two projections is the cell's (`cells.py`, `backward.py`); the matrices are the same for all
cells and are handled here. The input is projected for all steps at once, and the gradients of the matrices are one
product each over all rows and steps: Σ over b, t of an outer product is a matrix product.

Shapes: B rows, T steps, D input features, H hidden units, G = gates × H.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from charrnn.config.schema import model as schema
from charrnn.scratch import backward, cells
from charrnn.scratch.cells import State

Params = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Cell:
    """One kind of layer.

    Attributes:
        step: one step forward.
        backward: its derivative.
        state_names: the tensors of the state; `h` is what the layer puts out and what its hidden matrix is fed with.
    """

    step: cells.Step
    backward: backward.StepBackward
    state_names: tuple[str, ...] = ("h",)


@dataclass(frozen=True)
class Tape:
    """What going back needs of a scan.

    Attributes:
        x_BTD: its input.
        fed_BTH: what the hidden matrix was fed with at each step.
        steps: the tape of each step.
    """

    x_BTD: np.ndarray
    fed_BTH: np.ndarray
    steps: list[cells.Tape]


def cell_of(config: schema.Core) -> Cell:
    """The cell that a `model.core:` section asks for."""
    match config:
        case schema.ElmanCore():
            if config.nonlinearity == "relu":
                return Cell(cells.elman_relu, backward.elman_relu)
            return Cell(cells.elman_tanh, backward.elman_tanh)
        case schema.GruCore():
            return Cell(cells.gru, backward.gru)
        case schema.LstmCore():
            return Cell(cells.lstm, backward.lstm, ("h", "c"))


def scan(cell: Cell, params: Params, x_BTD: np.ndarray, state: State) -> tuple[np.ndarray, State, Tape]:
    """Run over T steps.

    Args:
        cell: what a step does.
        params: `weight_ih` (G, D), `weight_hh` (G, H), `bias_ih` and `bias_hh` (G).
        x_BTD: the input.
        state: the state in front of the first step.

    Returns:
        y_BTH, the state after the last step, and the tape.
    """
    x_BTG = x_BTD @ params["weight_ih"].T + params["bias_ih"]
    hidden_HG, hidden_bias_G = params["weight_hh"].T, params["bias_hh"]
    fed, outputs, tapes = [], [], []
    for t in range(x_BTD.shape[1]):
        fed.append(state["h"])
        state, tape = cell.step(x_BTG[:, t], state["h"] @ hidden_HG + hidden_bias_G, state)
        outputs.append(state["h"])
        tapes.append(tape)
    return np.stack(outputs, axis=1), state, Tape(x_BTD, np.stack(fed, axis=1), tapes)


def scan_backward(
    cell: Cell, params: Params, tape: Tape, grad_y_BTH: np.ndarray, grad_state: State
) -> tuple[dict[str, np.ndarray], np.ndarray, State]:
    """Back-propagation through time: the steps in reverse order, each handing the gradient of its state back.

    Args:
        cell: what a step does.
        params: as in `scan`.
        tape: what `scan` returned.
        grad_y_BTH: the derivative of the loss by each output.
        grad_state: the derivative by each tensor of the state after the last step.

    Returns:
        The derivatives by each of `params`, by x_BTD, and by the state in front of the first step.
    """
    grad, weight_hh_GH = dict(grad_state), params["weight_hh"]
    grads_x: list[np.ndarray] = []
    grads_h: list[np.ndarray] = []
    for t in reversed(range(len(tape.steps))):
        grad["h"] = grad["h"] + grad_y_BTH[:, t]  # h goes out, and on to the next step
        grad_x_BG, grad_h_BG, grad = cell.backward(tape.steps[t], grad)
        grad["h"] = grad_h_BG @ weight_hh_GH + grad.get("h", 0.0)  # through the matrix, and past it
        grads_x.append(grad_x_BG)
        grads_h.append(grad_h_BG)
    grad_x_BTG, grad_h_BTG = np.stack(grads_x[::-1], axis=1), np.stack(grads_h[::-1], axis=1)
    weights = {
        "weight_ih": over_all(grad_x_BTG).T @ over_all(tape.x_BTD),
        "weight_hh": over_all(grad_h_BTG).T @ over_all(tape.fed_BTH),
        "bias_ih": over_all(grad_x_BTG).sum(0),
        "bias_hh": over_all(grad_h_BTG).sum(0),
    }
    return weights, grad_x_BTG @ params["weight_ih"], grad


def over_all(x_BTF: np.ndarray) -> np.ndarray:
    """All rows and steps one under another: (B·T, F)."""
    return x_BTF.reshape(-1, x_BTF.shape[-1])
