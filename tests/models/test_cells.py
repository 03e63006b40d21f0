"""One table of tests for every cell: the forms agree, lanes do not see each other, gradients are right."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
import torch
from celltable import CELLS, GATED, HIDDEN, example, fresh, noisy
from torch import Tensor

from charrnn.checkpoint.read import Checkpoint
from charrnn.checkpoint.write import write_checkpoint
from charrnn.models.cells import GatedLayer
from charrnn.models.core import Draws, State


@pytest.fixture(params=CELLS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def same(a: State, b: State, atol: float) -> None:
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(a[key], b[key], atol=atol, rtol=0)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_steps_equal_the_fused_form(name: str, dtype: torch.dtype, atol: float) -> None:
    layer = noisy(name, dtype)
    x_BTD, state = example(layer, 3, 11)
    y_fused, after_fused = layer(x_BTD, state)
    y_steps, after_steps = layer.steps(x_BTD, state)
    torch.testing.assert_close(y_fused, y_steps, atol=atol, rtol=0)
    same(after_fused, after_steps, atol)


@pytest.mark.parametrize("cuts", [[4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [5, 6]])
def test_a_sequence_in_chunks_equals_the_whole(name: str, cuts: list[int]) -> None:
    layer = noisy(name)
    x_BTD, state = example(layer, 3, 11)
    y_whole, after_whole = layer(x_BTD, state)
    pieces, carried = [], state
    for piece in torch.tensor_split(x_BTD, cuts, dim=1):
        y, carried = layer(piece, carried)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, 1), y_whole, atol=1e-10, rtol=0)
    same(carried, after_whole, 1e-10)


def test_the_state_has_the_names_and_shapes_of_the_initial_state(name: str) -> None:
    layer = noisy(name)
    x_BTD, _ = example(layer, 3, 2)
    initial = layer.initial_state(3)
    _, after = layer(x_BTD, initial)
    assert {k: t.shape for k, t in after.items()} == {k: t.shape for k, t in initial.items()}
    assert all(t.shape[0] == 3 and not t.any() for t in initial.values())


def test_each_lane_alone_equals_the_batch_of_lanes(name: str) -> None:
    layer = noisy(name)
    x_BTD, state = example(layer, 4, 6)
    y_all, _ = layer(x_BTD, state)
    for b in range(4):
        y_one, _ = layer(x_BTD[b : b + 1], {k: t[b : b + 1] for k, t in state.items()})
        torch.testing.assert_close(y_one[0], y_all[b], atol=1e-10, rtol=0)


def test_gradients_in_float64(name: str) -> None:
    """Of the input, of the state carried in, and of every parameter."""
    layer = noisy(name)
    x_BTD, state = example(layer, 2, 5)
    keys, names = list(state), [name for name, _ in layer.named_parameters()]

    def outputs(x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        start = dict(zip(keys, tensors[: len(keys)], strict=True))
        parameters = dict(zip(names, tensors[len(keys) :], strict=True))
        y, after = torch.func.functional_call(layer, parameters, (x, start))
        return (y, *after.values())

    inputs = [t.detach().clone().requires_grad_() for t in (x_BTD, *state.values(), *layer.parameters())]
    assert torch.autograd.gradcheck(outputs, inputs, atol=1e-6)


def test_a_state_comes_back_from_a_checkpoint_as_it_was(name: str, tmp_path: Path) -> None:
    """Half a sequence, the state into a checkpoint and out of it, the other half: the whole, to the last bit."""
    layer = noisy(name, torch.float32)
    x_BTD, state = example(layer, 3, 8)
    _, half = layer(x_BTD[:, :5], state)
    arrays = {key: tensor.detach().numpy() for key, tensor in half.items()}
    folder = write_checkpoint(tmp_path, 1, {"lanes": arrays}, {})
    back = {key: torch.from_numpy(array.copy()) for key, array in Checkpoint.open(folder).tensors("lanes").items()}
    assert {key: (t.shape, t.dtype) for key, t in back.items()} == {key: (t.shape, t.dtype) for key, t in half.items()}
    rest, after = layer(x_BTD[:, 5:], half)
    rest_back, after_back = layer(x_BTD[:, 5:], back)
    assert torch.equal(rest, rest_back)
    for key in after:
        assert torch.equal(after[key], after_back[key])


def gated(name: str, drop: object) -> GatedLayer:
    layer = noisy(name, recurrent_dropout=drop)
    assert isinstance(layer, GatedLayer)
    return layer.train()


@pytest.mark.parametrize("name", GATED)
def test_weight_drop_takes_one_mask_for_the_chunk_and_all_rows(name: str) -> None:
    layer = gated(name, 0.4)
    x_BTD, state = example(layer, 3, 6)
    draws = Draws(seed=1, step=2, rows=3)
    y_dropped, _ = layer(x_BTD, state, draws)
    mask = draws.keep_weights("layer", 0.4, layer.weight_hh)
    assert set(mask.unique().tolist()) == {0.0, 1 / 0.6}
    with torch.no_grad():
        layer.weight_hh.mul_(mask)
    layer.eval()
    y_by_hand, _ = layer(x_BTD, state)
    torch.testing.assert_close(y_dropped, y_by_hand, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", GATED)
def test_state_drop_keeps_its_mask_over_the_chunk(name: str) -> None:
    layer = gated(name, {"kind": "state", "p": 0.4})
    x_BTD, state = example(layer, 3, 6)
    draws = Draws(seed=1, step=2, rows=3)
    y_dropped, _ = layer(x_BTD, state, draws)
    mask_BH = draws.keep_rows("layer", 0.4, state[layer.state_names[0]])
    y_by_hand, _ = layer.steps(x_BTD, state, keep_BH=mask_BH)
    torch.testing.assert_close(y_dropped, y_by_hand, atol=0, rtol=0)
    layer.eval()
    assert not torch.equal(layer(x_BTD, state)[0], y_dropped)


def test_initial_weights_are_what_the_docstrings_say(name: str) -> None:
    layer = fresh(name)
    given = dict(layer.named_parameters())
    gates = len(layer.weight_ih) // HIDDEN
    for gate in layer.weight_ih.chunk(gates):
        assert gate.abs().max() <= (6 / sum(gate.shape)) ** 0.5
        assert gate.abs().max() > 0.9 * (6 / sum(gate.shape)) ** 0.5
    for gate in given["weight_hh"].chunk(gates) if "weight_hh" in given else ():
        narrow = gate.T @ gate if gate.shape[0] > gate.shape[1] else gate @ gate.T
        torch.testing.assert_close(narrow, torch.eye(min(gate.shape)), atol=1e-5, rtol=0)
    if name in ("elman-identity", "window-relu"):
        assert torch.equal(given["weight_hh"], torch.eye(HIDDEN))
    for key, tensor in given.items():
        if key == "bias_ih" and "lstm" in name and name in GATED:
            assert [gate.unique().tolist() for gate in tensor.chunk(4)] == [[0.0], [1.0], [0.0], [0.0]]
        elif key.startswith(("bias", "gain")):
            assert (tensor == float(key.startswith("gain"))).all()


def test_what_fresh_layers_put_out_differs_from_cell_to_cell() -> None:
    """No two kinds are the same layer under two names."""
    seen = []
    for name in (
        "elman-tanh",
        "elman-relu",
        "window-tanh",
        "window-relu",
        "gru",
        "lstm",
        "ln-lstm",
        "mingru",
        "minlstm",
    ):
        layer = fresh(name)
        seen.append(layer(example(layer, 2, 3)[0], layer.initial_state(2))[0])
    assert not any(torch.allclose(a, b, atol=1e-3) for a, b in combinations(seen, 2))
