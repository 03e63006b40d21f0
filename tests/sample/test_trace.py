"""The states of units over a text, and the file of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from charrnn.config.schema import Network
from charrnn.errors import UsageError
from charrnn.sample import trace as module
from charrnn.sample.trace import check_trace, trace, write_trace
from charrnn.sample.window import WindowStepper
from charrnn.scratch.network import StepNetwork
from charrnn.text.vocabulary import Vocabulary

LETTERS = Vocabulary("char", (), ("\n", " ", "a", "漢"))
H = 3


def network() -> StepNetwork:
    config = Network.model_validate({"core": {"kind": "lstm", "hidden": H}, "input": {"size": 2}})
    shapes = {"input.table": (5, 2), "layers.0.weight_ih": (4 * H, 2), "layers.0.weight_hh": (4 * H, H)}
    shapes |= {"layers.0.bias_ih": (4 * H,), "layers.0.bias_hh": (4 * H,)}
    shapes |= {"head.output.weight": (5, H), "head.output.bias": (5,)}
    shapes |= {f"input.norm.{name}": (2,) for name in ("weight", "bias", "running_mean", "running_var")}
    random = np.random.default_rng(1)
    return StepNetwork(config, {name: random.random(shape).astype(np.float32) for name, shape in shapes.items()})


@pytest.mark.parametrize("from_start", [True, False])
def test_every_state_is_that_of_stepping_by_hand(from_start: bool) -> None:
    model, ids = network(), [2, 1, 4, 4, 3]
    traced = trace(model, ids, from_start)
    assert list(traced) == ["0.h", "0.c"]
    state = model.initial_state(1)
    if from_start:
        _, state = model.step(np.array([Vocabulary.START]), state)
    for n, symbol in enumerate(ids):
        _, state = model.step(np.array([symbol]), state)
        for name, array in state.items():
            np.testing.assert_array_equal(traced[name][n], array[0])


def test_the_file_is_read_by_numpy_alone_and_always_the_same(tmp_path: Path) -> None:
    ids = [2, 1, 4]
    traced = trace(network(), ids, True)
    for name in ("one.npz", "folder/two.npz"):
        write_trace(tmp_path / name, ids, LETTERS, traced)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "folder" / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as arrays:
        assert list(arrays) == ["ids", "symbols", "0.h", "0.c"]
        assert arrays["ids"].tolist() == ids
        assert arrays["symbols"].tolist() == ["<space>", "\\n", "漢"]
        np.testing.assert_array_equal(arrays["0.c"], traced["0.c"])


def test_another_suffix_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\.npz") as error:
        check_trace(Path("cells.csv"))
    assert error.value.hint == "name it cells.npz"


def test_a_model_without_a_state_and_a_text_beyond_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no state"):
        trace(WindowStepper(network(), 3), [1, 2], True)
    monkeypatch.setattr(module, "MOST_BYTES", 2 * H * 4 * 3)
    assert len(trace(network(), [1, 2, 3], True)["0.h"]) == 3
    with pytest.raises(UsageError, match="4 symbols") as error:
        trace(network(), [1, 2, 3, 4], True)
    assert error.value.hint == "trace at most 3 symbols"


def test_a_check_comes_before_every_step() -> None:
    looks: list[int] = []
    trace(network(), [1, 2, 3], True, lambda: looks.append(1))
    assert len(looks) == 3
