"""The derivatives written by hand: against PyTorch's autograd to 1e-10, and against central differences to 1e-6.

Shapes: B rows, T steps, D input features, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from charrnn.config.schema.model import Core
from charrnn.models.core import RecurrentCore, generator_for
from charrnn.models.network import build_layer
from charrnn.scratch.cells import State
from charrnn.scratch.kinds import Cell, cell_of
from charrnn.scratch.scan import scan, scan_backward

B, T, D, H = 3, 7, 5, 6
KINK = 1e-4

CORES: dict[str, dict[str, Any]] = {
    "elman-tanh": {"kind": "elman"},
    "elman-relu": {"kind": "elman", "nonlinearity": "relu"},
    "gru": {"kind": "gru"},
    "lstm": {"kind": "lstm"},
    "jordan": {"kind": "jordan", "outputs": 4},
    "window-tanh": {"kind": "window"},
    "window-relu": {"kind": "window", "nonlinearity": "relu"},
    "ln-lstm": {"kind": "ln-lstm"},
    "mingru": {"kind": "mingru"},
    "minlstm": {"kind": "minlstm"},
}
Arrays = dict[str, np.ndarray]


class Example:
    """A layer in which every number matters, its input, a state to begin with, and a loss that looks at all it does."""

    def __init__(self, name: str, seed: int = 0, rows: int = B, steps: int = T) -> None:
        config = TypeAdapter(Core).validate_python(CORES[name] | {"hidden": H})
        self.cell: Cell = cell_of(config)
        self.layer: RecurrentCore = build_layer(config, D, "layer", generator_for(seed, "weights")).double()
        random = np.random.default_rng(seed)
        with torch.no_grad():
            for parameter in self.layer.parameters():
                parameter.add_(torch.from_numpy(0.3 * random.standard_normal(parameter.shape)))
        self.params: Arrays = {k: p.detach().numpy().copy() for k, p in self.layer.named_parameters()}
        self.x_BTD = random.standard_normal((rows, steps, D))
        begun = self.layer.initial_state(rows)
        self.state: Arrays = {k: random.standard_normal(begun[k].shape) for k in self.cell.state_names}
        self.weigh_y = random.standard_normal((rows, steps, begun[self.cell.state_names[0]].shape[1]))
        self.weigh: Arrays = {k: random.standard_normal(t.shape) for k, t in self.state.items()}

    def inputs(self) -> Arrays:
        """All that the loss depends on, by name."""
        return {**self.params, "x": self.x_BTD, **{f"state {k}": t for k, t in self.state.items()}}

    def loss(self, inputs: Arrays) -> float:
        """The loss, computed in NumPy."""
        y_BTH, after, _ = self.forward(inputs)
        return float((self.weigh_y * y_BTH).sum() + sum((self.weigh[k] * after[k]).sum() for k in after))

    def forward(self, inputs: Arrays) -> Any:
        state = {k: inputs[f"state {k}"] for k in self.cell.state_names}
        return scan(self.cell, {k: inputs[k] for k in self.params}, inputs["x"], state)

    def gradients(self) -> Arrays:
        """The derivative by each of `inputs`, by hand."""
        _, _, tape = self.forward(self.inputs())
        grads, grad_x, before = scan_backward(self.cell, self.params, tape, self.weigh_y, self.weigh)
        return {**grads, "x": grad_x, **{f"state {k}": t for k, t in before.items()}}


@pytest.fixture(params=CORES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("seed", range(3))
def test_outputs_and_gradients_are_those_of_autograd(name: str, seed: int) -> None:
    ours = Example(name, seed)
    x_BTD = torch.from_numpy(ours.x_BTD).requires_grad_()
    state = {k: torch.from_numpy(t).requires_grad_() for k, t in ours.state.items()}
    y_BTH, after = ours.layer(x_BTD, state)
    loss = (torch.from_numpy(ours.weigh_y) * y_BTH).sum()
    loss = loss + sum((torch.from_numpy(ours.weigh[k]) * after[k]).sum() for k in after)
    loss.backward()
    expected = {k: p.grad for k, p in ours.layer.named_parameters()} | {"x": x_BTD.grad}
    expected |= {f"state {k}": t.grad for k, t in state.items()}

    own_y, own_after, _ = ours.forward(ours.inputs())
    np.testing.assert_allclose(own_y, y_BTH.detach().numpy(), atol=1e-10, rtol=0)
    assert list(own_after) == list(after)
    for key, tensor in after.items():
        np.testing.assert_allclose(own_after[key], tensor.detach().numpy(), atol=1e-10, rtol=0)
    found = ours.gradients()
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        np.testing.assert_allclose(found[key], gradient.numpy(), atol=1e-10, rtol=0, err_msg=key)
        assert np.abs(found[key]).max() > 1e-3, f"a gradient of {key} that is nearly zero would agree too easily"


def along(loss: Callable[[Arrays], float], inputs: Arrays, direction: Arrays, step: float) -> float:
    """The derivative of `loss` along `direction`, by a central difference."""
    there = loss({k: inputs[k] + step * direction[k] for k in inputs})
    back = loss({k: inputs[k] - step * direction[k] for k in inputs})
    return (there - back) / (2.0 * step)


def unit(like: Arrays, random: np.random.Generator) -> Arrays:
    """A random direction of length 1 in the space of all of `like`."""
    raw = {k: random.standard_normal(t.shape) for k, t in like.items()}
    length = np.sqrt(sum((t * t).sum() for t in raw.values()))
    return {k: t / length for k, t in raw.items()}


@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_those_of_central_differences(name: str, seed: int) -> None:
    ours = Example(name, seed)
    away_from_kinks(name, ours)
    inputs, gradients = ours.inputs(), ours.gradients()
    random = np.random.default_rng([seed, 1])
    for _ in range(20):
        direction = unit(inputs, random)
        expected = along(ours.loss, inputs, direction, 1e-5)
        found = sum((gradients[k] * direction[k]).sum() for k in inputs)
        assert abs(found - expected) < 1e-6 * max(1.0, abs(expected))
        assert abs(expected) > 1e-3, "a direction in which nothing changes shows nothing"


def away_from_kinks(name: str, ours: Example) -> None:
    """Across a kink a central difference is no derivative: what goes into a function with one stays clear of zero."""
    _, _, tape = ours.forward(ours.inputs())
    x_BTG = ours.x_BTD @ ours.params["weight_ih"].T + ours.params["bias_ih"]
    kinked = [x_BTG[..., -H:]] if name.startswith(("min", "window")) else []
    if name.endswith("-relu"):
        h_BTG = tape.fed_BTF @ ours.params["weight_hh"].T + ours.params["bias_hh"]
        kinked.append(h_BTG if name == "window-relu" else x_BTG + h_BTG)
    for sums in kinked:
        assert np.abs(sums).min() > KINK
        assert (sums > 0.0).any()
        assert (sums < 0.0).any()


def test_a_sequence_in_chunks_is_the_whole_forward_and_backward(name: str) -> None:
    ours = Example(name)
    whole, y_BTH = ours.gradients(), ours.forward(ours.inputs())[0]
    first, state, tape_1 = scan(ours.cell, ours.params, ours.x_BTD[:, :3], ours.state)
    second, _, tape_2 = scan(ours.cell, ours.params, ours.x_BTD[:, 3:], state)
    np.testing.assert_allclose(np.concatenate([first, second], 1), y_BTH, atol=1e-12, rtol=0)
    grads_2, x_2, between = scan_backward(ours.cell, ours.params, tape_2, ours.weigh_y[:, 3:], ours.weigh)
    grads_1, x_1, before = scan_backward(ours.cell, ours.params, tape_1, ours.weigh_y[:, :3], between)
    np.testing.assert_allclose(np.concatenate([x_1, x_2], 1), whole["x"], atol=1e-12, rtol=0)
    for key in ours.params:
        np.testing.assert_allclose(grads_1[key] + grads_2[key], whole[key], atol=1e-12, rtol=0)
    for key in ours.state:
        np.testing.assert_allclose(before[key], whole[f"state {key}"], atol=1e-12, rtol=0)


def test_rows_do_not_see_each_other(name: str) -> None:
    ours = Example(name)
    gradients = ours.gradients()
    for row in range(B):
        state: State = {k: t[row : row + 1] for k, t in ours.state.items()}
        y_BTH, _, tape = scan(ours.cell, ours.params, ours.x_BTD[row : row + 1], state)
        np.testing.assert_allclose(y_BTH[0], ours.forward(ours.inputs())[0][row], atol=1e-12, rtol=0)
        weigh = {k: t[row : row + 1] for k, t in ours.weigh.items()}
        _, grad_x, _ = scan_backward(ours.cell, ours.params, tape, ours.weigh_y[row : row + 1], weigh)
        np.testing.assert_allclose(grad_x[0], gradients["x"][row], atol=1e-12, rtol=0)


def test_going_back_leaves_what_it_was_given(name: str) -> None:
    ours = Example(name)
    before = {k: t.copy() for k, t in (ours.inputs() | {"y": ours.weigh_y} | ours.weigh).items()}
    first, second = ours.gradients(), ours.gradients()
    for key, array in first.items():
        np.testing.assert_array_equal(second[key], array)
    for key, array in (ours.inputs() | {"y": ours.weigh_y} | ours.weigh).items():
        np.testing.assert_array_equal(array, before[key])


def test_single_precision_stays_single(name: str) -> None:
    ours = Example(name)
    params = {k: p.astype(np.float32) for k, p in ours.params.items()}
    state = {k: t.astype(np.float32) for k, t in ours.state.items()}
    y_BTH, after, tape = scan(ours.cell, params, ours.x_BTD.astype(np.float32), state)
    weigh = {k: t.astype(np.float32) for k, t in ours.weigh.items()}
    grads, grad_x, before = scan_backward(ours.cell, params, tape, ours.weigh_y.astype(np.float32), weigh)
    arrays = [y_BTH, grad_x, *after.values(), *before.values(), *grads.values()]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize("relu", ["elman-relu", "window-relu"])
def test_at_the_kink_the_derivative_of_relu_is_zero(relu: str) -> None:
    ours = Example(relu, rows=1, steps=1)
    zero = {k: np.zeros_like(p) for k, p in ours.params.items()}
    y_BTH, _, tape = scan(ours.cell, zero, ours.x_BTD, ours.state)
    assert not y_BTH.any()
    grads, _, _ = scan_backward(ours.cell, zero, tape, ours.weigh_y, ours.weigh)
    assert not any(grad.any() for grad in grads.values())
