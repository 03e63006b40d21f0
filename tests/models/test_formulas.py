"""Cells without a kernel of PyTorch's to hold them against, against the formulas of their papers."""

from __future__ import annotations

import pytest
import torch
from celltable import HIDDEN, example, noisy
from torch import Tensor, nn

from charrnn.models.cells import Layer


def affine(layer: Layer, x_BD: Tensor) -> Tensor:
    return x_BD @ layer.weight_ih.T + layer.bias_ih


def test_jordan_feeds_back_its_output_and_nothing_else() -> None:
    layer = noisy("jordan")
    x_BTD, state = example(layer, 3, 6)
    assert {key: tensor.shape for key, tensor in state.items()} == {"o": (3, 4)}
    y_BTO, after = layer(x_BTD, state)
    o_BO = state["o"]
    for t in range(6):
        h_BH = torch.tanh(affine(layer, x_BTD[:, t]) + o_BO @ layer.weight_hh.T + layer.bias_hh)
        o_BO = torch.tanh(h_BH @ layer.weight_ho.T + layer.bias_ho)
        torch.testing.assert_close(y_BTO[:, t], o_BO, atol=1e-12, rtol=0)
    torch.testing.assert_close(after["o"], o_BO, atol=1e-12, rtol=0)
    assert layer.weight_ho.shape == (4, HIDDEN)


def test_layer_norm_stands_where_the_paper_has_it() -> None:
    """Equations 20 to 22: on both projections apart, and on the cell in front of its tanh."""
    layer = noisy("ln-lstm")
    x_BTD, state = example(layer, 3, 6)
    y_BTH, after = layer(x_BTD, state)
    norms = {}
    for name, gain, offset in (("x", "gain_ih", "bias_ih"), ("h", "gain_hh", "bias_hh"), ("c", "gain_c", "bias_c")):
        norms[name] = nn.LayerNorm(getattr(layer, gain).shape, dtype=torch.float64)
        norms[name].load_state_dict({"weight": getattr(layer, gain), "bias": getattr(layer, offset)})
    h_BH, c_BH = state["h"], state["c"]
    for t in range(6):
        sums_BG = norms["h"](h_BH @ layer.weight_hh.T) + norms["x"](x_BTD[:, t] @ layer.weight_ih.T)
        i, f, g, o = sums_BG.split(HIDDEN, 1)
        c_BH = f.sigmoid() * c_BH + i.sigmoid() * g.tanh()
        h_BH = o.sigmoid() * norms["c"](c_BH).tanh()
        torch.testing.assert_close(y_BTH[:, t], h_BH, atol=1e-12, rtol=0)
    torch.testing.assert_close(after["c"], c_BH, atol=1e-12, rtol=0)


def test_layer_norm_does_not_see_the_scale_of_the_input() -> None:
    layer = noisy("ln-lstm")
    x_BTD, state = example(layer, 3, 6)
    torch.testing.assert_close(layer(x_BTD, state)[0], layer(1000.0 * x_BTD, state)[0], atol=1e-4, rtol=0)


def g(x: Tensor) -> Tensor:
    return torch.where(x >= 0, x + 0.5, torch.sigmoid(x))


@pytest.mark.parametrize("form", ["loop", "tree"])
def test_min_gru_is_the_paper_s_vanilla_recurrence(form: str) -> None:
    layer = noisy("mingru" if form == "loop" else "mingru-tree")
    x_BTD, state = example(layer, 3, 6)
    y_BTH, _ = layer(x_BTD, state)
    h_BH = state["h"]
    for t in range(6):
        update, new = affine(layer, x_BTD[:, t]).split(HIDDEN, 1)
        z = torch.sigmoid(update)
        h_BH = (1 - z) * h_BH + z * g(new)
        torch.testing.assert_close(y_BTH[:, t], h_BH, atol=1e-12, rtol=0)


@pytest.mark.parametrize("form", ["loop", "tree"])
def test_min_lstm_is_the_paper_s_vanilla_recurrence(form: str) -> None:
    layer = noisy("minlstm" if form == "loop" else "minlstm-tree")
    x_BTD, state = example(layer, 3, 6)
    y_BTH, _ = layer(x_BTD, state)
    h_BH = state["h"]
    for t in range(6):
        forget, inputs, new = affine(layer, x_BTD[:, t]).split(HIDDEN, 1)
        f, i = torch.sigmoid(forget), torch.sigmoid(inputs)
        h_BH = f / (f + i) * h_BH + i / (f + i) * g(new)
        torch.testing.assert_close(y_BTH[:, t], h_BH, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", ["mingru", "minlstm", "mingru-tree", "minlstm-tree"])
def test_gates_that_are_shut_by_far_divide_nothing_by_nothing(name: str) -> None:
    """In fp32 the sigmoid of −1000 is 0: both of minLSTM's gates shut would be 0 / 0."""
    layer = noisy(name, torch.float32)
    x_BTD, state = example(layer, 2, 4)
    for far in (-1000.0, 1000.0):
        with torch.no_grad():
            layer.bias_ih[:-HIDDEN].fill_(far)
        layer.zero_grad()
        y_BTH, _ = layer(x_BTD, state)
        y_BTH.sum().backward()
        assert torch.isfinite(y_BTH).all()
        assert all(torch.isfinite(p.grad).all() for p in layer.parameters())


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_the_paper_s_form_in_logarithms_gives_the_same(name: str) -> None:
    """Its training form (appendix B), which needs a positive state: Heinsen's cumulative sum of logarithms."""
    layer = noisy(name)
    x_BTD, state = example(layer, 3, 20)
    state = {"h": state["h"].abs() + 0.1}
    keep_BTH, new_BTH = layer.terms(affine(layer, x_BTD))
    summed_BTH = keep_BTH.log().cumsum(1)
    values = torch.cat([state["h"].log()[:, None], new_BTH.log()], 1)
    levels = torch.cat([torch.zeros_like(summed_BTH[:, :1]), summed_BTH], 1)
    expected_BTH = (levels + (values - levels).logcumsumexp(1)).exp()[:, 1:]
    torch.testing.assert_close(layer(x_BTD, state)[0], expected_BTH, atol=1e-10, rtol=0)


def test_the_carried_state_does_not_hold_on_to_the_chunk() -> None:
    layer = noisy("mingru")
    x_BTD, state = example(layer, 3, 50)
    _, after = layer(x_BTD, state)
    assert after["h"].untyped_storage().nbytes() == after["h"].nbytes
