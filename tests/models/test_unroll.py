"""A layer whose state begins anew, or is kept, in the middle of a batch."""

from __future__ import annotations

import pytest
import torch
from celltable import CELLS, GATED, INPUTS, fresh
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.models.cells import Layer
from charrnn.models.core import Draws, generator_for, unroll

ROWS, STEPS = 3, 9
KINDS = [name for name in CELLS if not name.endswith(("-relu", "-identity"))]


def layer(name: str, **keys: object) -> Layer:
    made = fresh(name, **keys).double()
    with torch.no_grad():
        for key, parameter in made.named_parameters():
            if key.startswith("initial_"):
                parameter.normal_(generator=generator_for(3, key))
    return made


@pytest.mark.parametrize("initial", ["zeros", "trained"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(st.lists(st.lists(st.booleans(), min_size=STEPS, max_size=STEPS), min_size=ROWS, max_size=ROWS), st.data())
def test_each_row_is_its_passages_one_after_another(
    kind: str, initial: str, resets: list[list[bool]], data: st.DataObject
) -> None:
    keep = data.draw(st.integers(0, STEPS))
    core = layer(kind, initial_state=initial).eval()
    x_BTD = torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64, generator=generator_for(1, "x"))
    start = {
        name: torch.randn(ROWS, core.features, dtype=torch.float64, generator=generator_for(2, name))
        for name in core.state_names
    }
    reset_BT = torch.tensor(resets)
    cut = {t: reset_BT[:, t] for t in range(STEPS) if reset_BT[:, t].any()}
    y_BTH, kept = unroll(core, x_BTD, start, None, cut, keep)
    for b in range(ROWS):
        state = {name: tensor[b : b + 1] for name, tensor in start.items()}
        for t in range(STEPS):
            if t == keep:
                for name in state:
                    torch.testing.assert_close(kept[name][b : b + 1], state[name], atol=1e-12, rtol=0)
            if resets[b][t]:
                state = dict(core.initial_state(1))
            y_BH, state = core(x_BTD[b : b + 1, t : t + 1], state)
            torch.testing.assert_close(y_BTH[b : b + 1, t : t + 1], y_BH, atol=1e-12, rtol=0)


@pytest.mark.parametrize("drop", [0.4, {"kind": "state", "p": 0.4}], ids=["weights", "state"])
@pytest.mark.parametrize("kind", [name for name in KINDS if name in GATED])
def test_all_pieces_of_a_chunk_share_one_mask(kind: str, drop: object) -> None:
    core = layer(kind, recurrent_dropout=drop).train()
    x_BTD = torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64, generator=generator_for(1, "x"))
    whole, _ = unroll(core, x_BTD, core.initial_state(ROWS), Draws(1, 7, ROWS))
    pieces, _ = unroll(core, x_BTD, core.initial_state(ROWS), Draws(1, 7, ROWS), None, 4)
    torch.testing.assert_close(pieces, whole, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_initial_state_learns_where_rows_begin_anew_and_only_there(kind: str) -> None:
    core = layer(kind, initial_state="trained").train()
    x_BTD = torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64, generator=generator_for(1, "x"))
    start = {name: torch.zeros(ROWS, core.features, dtype=torch.float64) for name in core.state_names}
    for cut, learns in [({}, False), ({4: torch.tensor([False, True, False])}, True)]:
        core.zero_grad(set_to_none=True)
        y_BTH, _ = unroll(core, x_BTD, start, Draws(1, 1, ROWS), cut)
        y_BTH.square().sum().backward()
        for name in core.state_names:
            gradient = getattr(core, f"initial_{name}").grad
            assert (gradient is not None and bool(gradient.abs().min() > 0)) == learns
