from __future__ import annotations

from typing import Any

import pytest
import torch

from charrnn.config.schema import Network as NetworkConfig
from charrnn.models.build import build_model, parameters_of
from charrnn.models.core import Draws
from charrnn.models.minimal import use_form
from charrnn.models.network import Network

V = 11


def network(dtype: torch.dtype = torch.float64, seed: int = 1, **config: Any) -> Network:
    return build_model(NetworkConfig.model_validate(config), V, seed, dtype)


def symbols(rows: int, steps: int) -> torch.Tensor:
    return torch.randint(0, V, (rows, steps), generator=torch.Generator().manual_seed(2))


def test_an_embedding_is_exactly_a_one_hot_product() -> None:
    embedded = network(input={"size": V}, core={"hidden": 6})
    one_hot = network(input={"kind": "one-hot"}, core={"hidden": 6})
    one_hot.load_state_dict(embedded.state_dict(), strict=False)
    with torch.no_grad():
        embedded.input.table.copy_(torch.eye(V))
    ids_BT = symbols(3, 5)
    a, _ = embedded(ids_BT, embedded.initial_state(3))
    b, _ = one_hot(ids_BT, one_hot.initial_state(3))
    assert torch.equal(a, b)
    assert "input.table" not in dict(one_hot.named_parameters())


def test_any_embedding_is_a_one_hot_product() -> None:
    """The table's rows are picked by a product with one-hot vectors, to the last bit; so a network with an embedding is
    one with one-hot input whose first matrix is the product of table and matrix."""
    embedded = network(input={"size": 4}, core={"hidden": 6})
    ids_BT, table_VD = symbols(3, 5), embedded.input.table.detach()
    one_hot_BTV = torch.nn.functional.one_hot(ids_BT, V).double()
    assert torch.equal(embedded.input(ids_BT, None, None), one_hot_BTV @ table_VD)
    one_hot = network(input={"kind": "one-hot"}, core={"hidden": 6})
    state = {name: tensor for name, tensor in embedded.state_dict().items() if name != "input.table"}
    state["layers.0.weight_ih"] = state["layers.0.weight_ih"] @ table_VD.T
    one_hot.load_state_dict(state)
    a, _ = embedded(ids_BT, embedded.initial_state(3))
    b, _ = one_hot(ids_BT, one_hot.initial_state(3))
    torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


def test_chunks_with_the_state_carried_equal_the_whole_sequence() -> None:
    model = network(core={"hidden": 6, "layers": 3}, head={"hidden": [5]}).eval()
    ids_BT = symbols(3, 9)
    whole, after_whole = model(ids_BT, model.initial_state(3))
    state, pieces = model.initial_state(3), []
    for t in range(0, 9, 4):
        logits, state = model(ids_BT[:, t : t + 4], state)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, 1), whole, atol=1e-10, rtol=0)
    for name, tensor in after_whole.items():
        torch.testing.assert_close(state[name], tensor, atol=1e-10, rtol=0)


def test_the_state_of_eleven_layers_is_told_apart() -> None:
    model = network(core={"hidden": 3, "layers": 11})
    state = model.initial_state(2)
    assert list(state) == [f"{i}.{name}" for i in range(11) for name in ("h", "c")]
    _, after = model(symbols(2, 4), state)
    assert len({tuple(t.flatten().tolist()) for t in after.values()}) == 22


def test_dropout_layers_do_not_share_masks_and_evaluation_has_none() -> None:
    model = network(
        input={"dropout": 0.5}, core={"hidden": 6, "layers": 3, "dropout": 0.5}, head={"hidden": [5], "dropout": 0.5}
    )
    names = [module.name for module in model.modules() if hasattr(module, "p") and module.p > 0]
    assert len(names) == len(set(names)) == 5
    ids_BT = symbols(3, 4)
    state = model.initial_state(3)
    model.train()
    one, _ = model(ids_BT, state, draws=Draws(1, 1, 3))
    again, _ = model(ids_BT, state, draws=Draws(1, 1, 3))
    other, _ = model(ids_BT, state, draws=Draws(1, 2, 3))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    model.eval()
    assert torch.equal(model(ids_BT, state)[0], model(ids_BT, state)[0])


def test_the_form_of_the_scan_reaches_every_layer() -> None:
    model = network(core={"kind": "mingru", "hidden": 6, "layers": 3})
    assert [layer.form for layer in model.layers] == ["loop"] * 3
    use_form(model, "tree")
    use_form(model, None)
    assert [layer.form for layer in model.layers] == ["tree"] * 3


def test_tied_weights_are_one_parameter() -> None:
    tied = network(input={"size": 6}, core={"hidden": 6}, head={"tie": True})
    untied = network(input={"size": 6}, core={"hidden": 6})
    assert tied.head.output.weight is tied.input.table
    assert parameters_of(untied) - parameters_of(tied) == V * 6


def test_the_seed_decides_the_weights_whatever_the_precision() -> None:
    a, b, c = network(seed=1), network(seed=1, dtype=torch.float32), network(seed=2)
    assert all(torch.equal(p.float(), q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.head.output.weight, c.head.output.weight)


@pytest.mark.parametrize(("core", "expected"), [("lstm", 4), ("gru", 3), ("elman", 1)])
def test_the_number_of_parameters(core: str, expected: int) -> None:
    model = network(input={"size": 5}, core={"kind": core, "hidden": 6})
    assert parameters_of(model) == V * 5 + expected * 6 * (5 + 6 + 2) + V * (6 + 1)


def test_fresh_vectors_have_the_spread_that_is_asked_for() -> None:
    small = network(input={"size": 64, "std": 0.1}).input.table
    assert torch.allclose(small, 0.1 * network(input={"size": 64}).input.table)
    tied = network(input={"size": 6, "std": 0.5}, core={"hidden": 6}, head={"tie": True}).input.table
    assert torch.allclose(tied, 0.5 * network(input={"size": 6}, core={"hidden": 6}).input.table)
