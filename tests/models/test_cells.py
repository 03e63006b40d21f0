"""One table of tests for every cell: the forms agree, lanes do not see each other, gradients are right."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from charrnn.config.schema.model import ElmanCore, GruCore, LstmCore, StateDrop, WeightDrop, WindowCore
from charrnn.models.cells import Elman, GatedLayer, Gru, Lstm
from charrnn.models.core import Draws, State, generator_for
from charrnn.models.window import WindowLayer

CELLS: dict[str, tuple[type[GatedLayer], Any]] = {
    "elman-tanh": (Elman, ElmanCore(kind="elman", hidden=7)),
    "elman-relu": (Elman, ElmanCore(kind="elman", hidden=7, nonlinearity="relu")),
    "elman-identity": (Elman, ElmanCore(kind="elman", hidden=7, nonlinearity="relu", init="identity")),
    "gru": (Gru, GruCore(kind="gru", hidden=7)),
    "lstm": (Lstm, LstmCore(hidden=7)),
    "window-tanh": (WindowLayer, WindowCore(kind="window", hidden=7)),
    "window-relu": (WindowLayer, WindowCore(kind="window", hidden=7, nonlinearity="relu", init="identity")),
}
D = 5


@pytest.fixture(params=CELLS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def build(name: str, drop: WeightDrop | StateDrop | None = None, dtype: torch.dtype = torch.float64) -> GatedLayer:
    cell, config = CELLS[name]
    layer = cell(config.model_copy(update={"recurrent_dropout": drop or 0.0}), D, "layer", generator_for(3, "weights"))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator_for(4, "noise")))
    return layer.to(dtype)


def example(layer: GatedLayer, rows: int, steps: int) -> tuple[Tensor, State]:
    generator = generator_for(5, "input")
    dtype = layer.weight_hh.dtype
    x_BTD = torch.randn(rows, steps, D, generator=generator).to(dtype)
    state = {
        key: torch.randn(tensor.shape, generator=generator).to(dtype)
        for key, tensor in layer.initial_state(rows).items()
    }
    return x_BTD, state


def same(a: State, b: State, atol: float) -> None:
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(a[key], b[key], atol=atol, rtol=0)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_steps_equal_the_fused_form(name: str, dtype: torch.dtype, atol: float) -> None:
    layer = build(name, dtype=dtype)
    x_BTD, state = example(layer, 3, 11)
    y_fused, after_fused = layer(x_BTD, state)
    y_steps, after_steps = layer.steps(x_BTD, state)
    torch.testing.assert_close(y_fused, y_steps, atol=atol, rtol=0)
    same(after_fused, after_steps, atol)


@pytest.mark.parametrize("cuts", [[4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [5, 6]])
def test_a_sequence_in_chunks_equals_the_whole(name: str, cuts: list[int]) -> None:
    layer = build(name)
    x_BTD, state = example(layer, 3, 11)
    y_whole, after_whole = layer(x_BTD, state)
    pieces, carried = [], state
    for piece in torch.tensor_split(x_BTD, cuts, dim=1):
        y, carried = layer(piece, carried)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, 1), y_whole, atol=1e-10, rtol=0)
    same(carried, after_whole, 1e-10)


def test_the_state_has_the_names_and_shapes_of_the_initial_state(name: str) -> None:
    layer = build(name)
    x_BTD, _ = example(layer, 3, 2)
    initial = layer.initial_state(3)
    _, after = layer(x_BTD, initial)
    assert {k: t.shape for k, t in after.items()} == {k: t.shape for k, t in initial.items()}
    assert all(t.shape[0] == 3 and not t.any() for t in initial.values())


def test_each_lane_alone_equals_the_batch_of_lanes(name: str) -> None:
    layer = build(name)
    x_BTD, state = example(layer, 4, 6)
    y_all, _ = layer(x_BTD, state)
    for b in range(4):
        y_one, _ = layer(x_BTD[b : b + 1], {k: t[b : b + 1] for k, t in state.items()})
        torch.testing.assert_close(y_one[0], y_all[b], atol=1e-10, rtol=0)


def test_gradients_in_float64(name: str) -> None:
    layer = build(name)
    x_BTD, state = example(layer, 2, 3)
    keys = list(state)

    def outputs(x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        y, after = layer(x, dict(zip(keys, tensors, strict=True)))
        return (y, *after.values())

    inputs = [t.clone().requires_grad_() for t in (x_BTD, *state.values())]
    assert torch.autograd.gradcheck(outputs, inputs, atol=1e-6)


def test_weight_drop_takes_one_mask_for_the_chunk_and_all_rows(name: str) -> None:
    layer = build(name, WeightDrop(p=0.4))
    x_BTD, state = example(layer, 3, 6)
    draws = Draws(seed=1, step=2, rows=3)
    layer.train()
    y_dropped, _ = layer(x_BTD, state, draws)
    mask = draws.keep_weights("layer", 0.4, layer.weight_hh)
    assert set(mask.unique().tolist()) == {0.0, 1 / 0.6}
    with torch.no_grad():
        layer.weight_hh.mul_(mask)
    layer.eval()
    y_by_hand, _ = layer(x_BTD, state)
    torch.testing.assert_close(y_dropped, y_by_hand, atol=1e-10, rtol=0)


def test_state_drop_keeps_its_mask_over_the_chunk(name: str) -> None:
    layer = build(name, StateDrop(kind="state", p=0.4))
    x_BTD, state = example(layer, 3, 6)
    draws = Draws(seed=1, step=2, rows=3)
    layer.train()
    y_dropped, _ = layer(x_BTD, state, draws)
    mask_BH = draws.keep_rows("layer", 0.4, state["h"])
    y_by_hand, _ = layer.steps(x_BTD, state, mask_BH)
    torch.testing.assert_close(y_dropped, y_by_hand, atol=0, rtol=0)
    layer.eval()
    assert not torch.equal(layer(x_BTD, state)[0], y_dropped)


def test_initial_weights_are_what_the_docstrings_say(name: str) -> None:
    cell, config = CELLS[name]
    layer = cell(config, D, "layer", generator_for(3, "weights"))
    for gate in layer.weight_hh.chunk(layer.gates):
        torch.testing.assert_close(gate @ gate.T, torch.eye(7), atol=1e-5, rtol=0)
    if name in ("elman-identity", "window-relu"):
        assert torch.equal(layer.weight_hh, torch.eye(7))
    forget = layer.bias_ih.chunk(layer.gates)[1] if name == "lstm" else torch.tensor(1.0)
    assert (forget == 1.0).all()
    assert not layer.bias_hh.any()
