"""The sampler's network against the one that was trained: same tensors, same scores."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.config.schema import Network as NetworkConfig
from charrnn.models.build import build_model
from charrnn.models.core import generator_for
from charrnn.models.network import Network
from charrnn.scratch import cells
from charrnn.scratch.network import StepNetwork, affine
from charrnn.train.state import model_arrays

V, B, T, H = 11, 3, 9, 6

CORES: dict[str, dict[str, Any]] = {
    "elman-tanh": {"kind": "elman"},
    "elman-relu": {"kind": "elman", "nonlinearity": "relu"},
    "elman-identity": {"kind": "elman", "nonlinearity": "relu", "init": "identity"},
    "gru": {"kind": "gru"},
    "lstm": {"kind": "lstm"},
    "jordan": {"kind": "jordan", "outputs": H},
    "ln-lstm": {"kind": "ln-lstm"},
    "mingru": {"kind": "mingru"},
    "minlstm": {"kind": "minlstm"},
    "window-tanh": {"kind": "window"},
    "window-relu": {"kind": "window", "nonlinearity": "relu", "init": "identity"},
    "gru-trained-start": {"kind": "gru", "initial_state": "trained"},
    "lstm-trained-start": {"kind": "lstm", "initial_state": "trained"},
    "jordan-trained-start": {"kind": "jordan", "outputs": H, "initial_state": "trained"},
    "mingru-trained-start": {"kind": "mingru", "initial_state": "trained"},
}
INPUTS: dict[str, dict[str, Any]] = {
    "embedding": {"size": H},
    "batchnorm": {"size": H, "batchnorm": True},
    "one-hot": {"kind": "one-hot"},
}
HEADS: dict[str, dict[str, Any]] = {
    "bare": {},
    "dense": {"hidden": [5, 6]},
    "bare-tied": {"tie": True},
    "dense-tied": {"hidden": [5, 6], "tie": True},
}
LEGAL = [
    (core, source, layers, head)
    for core, source, layers, head in product(CORES, INPUTS, (1, 3), HEADS)
    if not ("tied" in head and source == "one-hot")
]


def pair(
    core: str, source: str, layers: int, head: str, dtype: torch.dtype = torch.float64
) -> tuple[Network, StepNetwork]:
    """A model in which every tensor matters, running statistics too, and the same in NumPy."""
    config = NetworkConfig.model_validate(
        {"input": INPUTS[source], "core": CORES[core] | {"hidden": H, "layers": layers}, "head": HEADS[head]}
    )
    model = build_model(config, V, 1, dtype).eval()
    noise = generator_for(4, "noise")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=noise))
        for dense in model.head.dense:
            dense.bias.add_(0.5)  # so that its ReLUs are not all asleep
        if source == "batchnorm":
            model.input.norm.running_mean.copy_(torch.randn(H, generator=noise))
            model.input.norm.running_var.copy_(0.05 + 2.0 * torch.rand(H, generator=noise))
    return model, StepNetwork(config, model_arrays(model))


def symbols() -> np.ndarray:
    return np.random.default_rng(2).integers(0, V, (B, T))


def teach(network: StepNetwork, ids_BT: np.ndarray) -> tuple[np.ndarray, cells.State]:
    """The scores of all positions, symbol by symbol, and the state after the last."""
    state = network.initial_state(len(ids_BT))
    scores = []
    for t in range(ids_BT.shape[1]):
        logits_BV, state = network.step(ids_BT[:, t], state)
        scores.append(logits_BV)
    return np.stack(scores, 1), state


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=["fp32", "fp64"])
@pytest.mark.parametrize(("core", "source", "layers", "head"), LEGAL)
def test_scores_and_state_are_those_of_the_trained_model(
    core: str, source: str, layers: int, head: str, dtype: torch.dtype, atol: float
) -> None:
    model, network = pair(core, source, layers, head, dtype)
    ids_BT = symbols()
    with torch.no_grad():
        expected_BTV, after = model(torch.from_numpy(ids_BT), model.initial_state(B))
    logits_BTV, state = teach(network, ids_BT)
    assert logits_BTV.dtype == expected_BTV.numpy().dtype
    # Without a squashing function the scores can be large, and so is their rounding then.
    atol *= max(1.0, expected_BTV.abs().max().item())
    np.testing.assert_allclose(logits_BTV, expected_BTV.numpy(), atol=atol, rtol=0)
    assert list(state) == list(after) == list(network.initial_state(B))
    for name, tensor in after.items():
        np.testing.assert_allclose(state[name], tensor.numpy(), atol=atol, rtol=0)
        assert state[name].dtype == tensor.numpy().dtype
    assert np.ptp(logits_BTV, axis=(0, 1)).max() > 0.1, "scores that never change would agree too easily"


@pytest.mark.parametrize("core", CORES)
def test_every_row_is_what_it_is_alone(core: str) -> None:
    _, network = pair(core, "batchnorm", 3, "dense-tied")
    ids_BT = symbols()
    logits_BTV, state = teach(network, ids_BT)
    for row in range(B):
        alone_BTV, own = teach(network, ids_BT[row : row + 1])
        np.testing.assert_allclose(alone_BTV[0], logits_BTV[row], atol=1e-12, rtol=0)
        for name in state:
            np.testing.assert_allclose(own[name][0], state[name][row], atol=1e-12, rtol=0)


@pytest.mark.parametrize("core", CORES)
def test_a_step_leaves_the_state_that_it_was_given(core: str) -> None:
    _, network = pair(core, "embedding", 3, "bare")
    _, state = teach(network, symbols())
    before = {name: array.copy() for name, array in state.items()}
    one, _ = network.step(np.zeros(B, np.int64), state)
    again, _ = network.step(np.zeros(B, np.int64), state)
    np.testing.assert_array_equal(one, again)
    for name, array in before.items():
        np.testing.assert_array_equal(state[name], array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(3, 5), (512, 1024), (700, 900)])
def test_few_rows_of_a_product_are_what_each_is_by_itself(size: tuple[int, int], dtype: type) -> None:
    random = np.random.default_rng(1)
    weight_DG, bias_G = random.normal(size=size).astype(dtype), random.normal(size=size[1]).astype(dtype)
    for rows in range(1, 7):
        x_BD = random.normal(size=(rows, size[0])).astype(dtype)
        y_BG = affine(x_BD, weight_DG, bias_G)
        assert (y_BG.shape, y_BG.dtype) == ((rows, size[1]), dtype)
        np.testing.assert_allclose(y_BG, x_BD @ weight_DG + bias_G, atol=1e-3 if dtype == np.float32 else 1e-11, rtol=0)
        if size[0] == 512 and rows in (2, 3, 4):
            alone_BG = np.concatenate([affine(x_BD[b : b + 1], weight_DG, bias_G) for b in range(rows)])
            assert y_BG.tobytes() == alone_BG.tobytes()


def test_the_layers_of_a_deep_stack_are_told_apart() -> None:
    model, network = pair("lstm", "embedding", 12, "bare")
    ids_BT = symbols()
    with torch.no_grad():
        expected_BTV, _ = model(torch.from_numpy(ids_BT), model.initial_state(B))
    np.testing.assert_allclose(teach(network, ids_BT)[0], expected_BTV.numpy(), atol=1e-10, rtol=0)


def test_a_jordan_layer_is_as_wide_as_its_outputs() -> None:
    core = {"kind": "jordan", "hidden": H, "outputs": 4, "layers": 2}
    config = NetworkConfig.model_validate({"core": core, "input": {"size": 4}, "head": {"tie": True}})
    model = build_model(config, V, 1, torch.float64).eval()
    ids_BT = symbols()
    with torch.no_grad():
        expected_BTV, _ = model(torch.from_numpy(ids_BT), model.initial_state(B))
    logits_BTV, state = teach(StepNetwork(config, model_arrays(model)), ids_BT)
    np.testing.assert_allclose(logits_BTV, expected_BTV.numpy(), atol=1e-10, rtol=0)
    assert {name: t.shape for name, t in state.items()} == {"0.o": (B, 4), "1.o": (B, 4)}


def test_a_symbol_beyond_the_vocabulary_is_an_error() -> None:
    _, network = pair("gru", "embedding", 1, "bare")
    with pytest.raises(IndexError):
        network.step(np.array([V]), network.initial_state(1))


def test_sigmoid_takes_numbers_of_any_size() -> None:
    x = np.array([-1e30, -40.0, -1.0, 0.0, 1.0, 1e30])
    expected = [0.0, np.exp(-40.0), 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1.0]
    np.testing.assert_allclose(cells.sigmoid(x), expected, atol=1e-15, rtol=0)
    assert cells.sigmoid(x.astype(np.float32)).dtype == np.float32


def test_one_step_of_each_cell_by_hand() -> None:
    state = {"h": np.array([[0.5]]), "c": np.array([[0.25]])}
    s = cells.sigmoid

    def step(cell: cells.Step, x: list[float], h: list[float], **own: np.ndarray) -> cells.State:
        return cell(np.array([x]), np.array([h]), state, own)[0]

    assert step(cells.elman_tanh, [0.1], [0.2])["h"] == pytest.approx(np.tanh(0.3))
    assert step(cells.elman_relu, [0.1], [-0.2])["h"] == 0.0
    assert step(cells.elman_relu, [0.1], [0.2])["h"] == pytest.approx(0.3)
    assert step(cells.window_tanh, [0.1], [0.2])["h"] == pytest.approx(0.1 + np.tanh(0.2))
    assert step(cells.window_tanh, [-0.1], [0.2])["h"] == pytest.approx(np.tanh(0.2))
    assert step(cells.window_relu, [0.1], [-0.2])["h"] == pytest.approx(0.1)
    assert step(cells.window_relu, [-0.1], [0.2])["h"] == pytest.approx(0.2)
    after = step(cells.gru, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    new = np.tanh(0.3 + s(np.array(0.5)) * 0.6)
    update = s(np.array(0.7))
    assert after["h"] == pytest.approx((1 - update) * new + update * 0.5)
    after = step(cells.lstm, [0.1, 0.2, 0.3, 0.4], [0.0, 0.1, 0.2, 0.3])
    cell = s(np.array(0.3)) * 0.25 + s(np.array(0.1)) * np.tanh(0.5)
    assert after["c"] == pytest.approx(cell)
    assert after["h"] == pytest.approx(s(np.array(0.7)) * np.tanh(cell))
    after = step(cells.min_gru, [0.1, 0.2], [])
    assert after["h"] == pytest.approx((1 - s(np.array(0.1))) * 0.5 + s(np.array(0.1)) * 0.7)
    after = step(cells.min_lstm, [0.1, 0.2, -0.3], [])
    f, i = s(np.array(0.1)), s(np.array(0.2))
    assert after["h"] == pytest.approx((f * 0.5 + i * s(np.array(-0.3))) / (f + i))
    assert step(cells.min_lstm, [-1e4, -1e4, 1.0], [])["h"] == pytest.approx((0.5 + 1.5) / 2)
    output = step(cells.jordan, [0.1], [0.2], weight_ho=np.array([[0.5]]), bias_ho=np.array([0.25]))["o"]
    assert output == pytest.approx(np.tanh(0.5 * np.tanh(0.3) + 0.25))


def test_normal_is_the_layer_norm_of_torch() -> None:
    x = np.random.default_rng(1).normal(3.0, 2.0, (4, 6))
    gain, bias = np.arange(6.0), np.arange(6.0, 12.0)
    expected = torch.nn.functional.layer_norm(torch.from_numpy(x), (6,), torch.from_numpy(gain), torch.from_numpy(bias))
    np.testing.assert_allclose(cells.normal(x, gain, bias)[0], expected.numpy(), atol=1e-12, rtol=0)
