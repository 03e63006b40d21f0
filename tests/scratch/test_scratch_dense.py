"""The parts around the recurrent layers: PyTorch's figures and gradients, to 1e-10 in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from charrnn.scratch import dense

RANDOM = np.random.default_rng(0)
IDS = np.array([[3, 0, 3], [1, 3, 0]])


def close(ours: np.ndarray, theirs: torch.Tensor) -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=1e-10, rtol=0)


def test_rows_of_a_table() -> None:
    """Symbol 3 stands in three places, symbol 2 in none."""
    table_VD, grad = RANDOM.standard_normal((5, 4)), RANDOM.standard_normal((2, 3, 4))
    table = torch.from_numpy(table_VD).requires_grad_()
    x = F.embedding(torch.from_numpy(IDS), table)
    x.backward(torch.from_numpy(grad))
    close(dense.rows(table_VD, IDS), x)
    close(dense.rows_backward(table_VD, IDS, grad), table.grad)


def test_an_affine_layer() -> None:
    x_ND, weight_OD, bias_O = (
        RANDOM.standard_normal((2, 3, 4)),
        RANDOM.standard_normal((5, 4)),
        RANDOM.standard_normal(5),
    )
    grad = RANDOM.standard_normal((2, 3, 5))
    tensors = [torch.from_numpy(array).requires_grad_() for array in (x_ND, weight_OD, bias_O)]
    y = F.linear(*tensors)
    y.backward(torch.from_numpy(grad))
    close(dense.affine(x_ND, weight_OD, bias_O), y)
    for ours, tensor in zip(dense.affine_backward(x_ND, weight_OD, grad), tensors, strict=True):
        close(ours, tensor.grad)


def test_relu() -> None:
    values, grad = np.array([-2.0, -0.0, 0.0, 1e-30, 3.0]), np.arange(1.0, 6.0)
    x = torch.from_numpy(values).requires_grad_()
    y = F.relu(x)
    y.backward(torch.from_numpy(grad))
    close(dense.relu(values), y)
    close(dense.relu_backward(dense.relu(values), grad), x.grad)


@pytest.mark.parametrize("size", [1.0, 1e4], ids=["usual", "huge"])
def test_cross_entropy(size: float) -> None:
    """Scores of 1e4 overflow an exponential that is taken of them as they are."""
    logits, grad = size * RANDOM.standard_normal((2, 3, 5)), RANDOM.standard_normal((2, 3))
    scores = torch.from_numpy(logits).requires_grad_()
    nats = F.cross_entropy(scores.flatten(0, 1), torch.from_numpy(IDS).flatten(), reduction="none").view(2, 3)
    nats.backward(torch.from_numpy(grad))
    ours, probs = dense.cross_entropy(logits, IDS)
    close(ours, nats)
    close(dense.cross_entropy_backward(probs, IDS, grad), scores.grad)
    np.testing.assert_allclose(probs.sum(-1), 1.0, atol=1e-12)


def test_single_precision_stays_single() -> None:
    single = {name: RANDOM.standard_normal((4, 5)).astype(np.float32) for name in ("logits", "weight", "x")}
    nats, probs = dense.cross_entropy(single["logits"], np.array([0, 1, 2, 4]))
    back = dense.cross_entropy_backward(probs, np.array([0, 1, 2, 4]), nats)
    y = dense.affine(single["x"], single["weight"], np.zeros(4, np.float32))
    arrays = [nats, probs, back, y, dense.relu(y), dense.relu_backward(y, y)]
    arrays += dense.affine_backward(single["x"], single["weight"], y)
    arrays += [dense.rows_backward(single["x"], np.array([1, 1]), single["x"][:2])]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
