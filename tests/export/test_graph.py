"""The ONNX graph of every core against the model that it was made from, with the state carried."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from exporting import CASES, LETTERS, network, saved

from charrnn.errors import CheckpointError
from charrnn.export import graph as graphs
from charrnn.export.graph import node_kinds, step_graph
from charrnn.export.parity import TOLERANCE, largest_difference, sequences
from charrnn.export.quantise import quantised
from charrnn.export.session import graph_stepper
from charrnn.export.tables import tables_of
from charrnn.runs.use import OpenModel


def no_check() -> None:
    pass


def difference(model: OpenModel) -> float:
    tables = tables_of(model)
    data = step_graph(tables, {}).SerializeToString()
    ours = sequences(model, tables, no_check)
    return largest_difference(graph_stepper(data, tables), ours, "model.onnx", no_check)


@pytest.mark.parametrize(("core", "body"), CASES)
def test_onnxruntime_computes_what_we_compute(tmp_path: Path, core: str, body: str) -> None:
    assert difference(saved(tmp_path, network(core, body))) < TOLERANCE


def test_a_first_matrix_too_large_to_fold_stays_a_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = saved(tmp_path, network("gru"))
    folded = node_kinds(step_graph(tables_of(model), {}))
    monkeypatch.setattr(graphs, "_FOLDED", 0)
    assert node_kinds(step_graph(tables_of(model), {})).count("MatMul") == folded.count("MatMul") + 1
    assert difference(model) < 2e-5


def test_a_model_of_windows_reads_its_window_anew(tmp_path: Path) -> None:
    model = saved(tmp_path, network("window-tanh"), stream={"kind": "windows", "length": 5})
    assert tables_of(model).window == 5
    assert difference(model) < 2e-5


def test_a_graph_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    model = saved(tmp_path / "one", network("lstm"))
    other = tables_of(saved(tmp_path / "two", network("lstm"), scale=0.99))
    stepper = graph_stepper(step_graph(other, {}).SerializeToString(), other)
    ours = sequences(model, tables_of(model), no_check)
    with pytest.raises(CheckpointError, match="does not compute what the checkpoint computes"):
        largest_difference(stepper, ours, "model.onnx", no_check)


def test_a_score_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    model = saved(tmp_path, network("lstm"))
    ours = sequences(model, tables_of(model), no_check)

    class Broken:
        def initial_state(self, batch: int) -> dict[str, np.ndarray]:
            return {}

        def step(self, ids_B: np.ndarray, state: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
            return np.full((len(ids_B), LETTERS.size), np.nan, np.float32), state

    with pytest.raises(CheckpointError) as caught:
        largest_difference(Broken(), ours, "model.onnx", no_check)
    assert "differ by nan" in str(caught.value.why)


def test_the_batch_is_open_and_all_names_are_told(tmp_path: Path) -> None:
    graph = step_graph(tables_of(saved(tmp_path, network("lstm"))), {"key": "value"}).graph
    told = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert told == {
        "ids": ["batch"],
        **{f"{name}{layer}": ["batch", 8] for layer in (0, 1) for name in "hc"},
        "logits": ["batch", 12],
        **{f"{name}{layer}_next": ["batch", 8] for layer in (0, 1) for name in "hc"},
    }


@pytest.mark.parametrize("core", ["lstm", "mingru", "jordan"])
def test_eight_bits_leave_no_matrix_behind_and_the_scores_near(tmp_path: Path, core: str) -> None:
    (tmp_path / "files").mkdir()
    model = saved(tmp_path / "run", network(core))
    tables = tables_of(model)
    small = quantised(step_graph(tables, {}), tmp_path / "files")
    assert small.kept == ()
    assert not {"MatMul"} & set(node_kinds(onnx.load_from_string(small.data)))
    stepper = graph_stepper(small.data, tables)
    ids_B = np.array([3, 5])
    ours, _ = model.network.step(ids_B, model.network.initial_state(2))
    theirs, _ = stepper.step(ids_B, stepper.initial_state(2))
    gap = np.abs(ours - theirs).max()
    assert 0.0 < gap < 0.1 * np.abs(ours).max()
