"""An exported graph in onnxruntime, as a model that reads one symbol per row.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

import numpy as np

from charrnn.export.extra import package
from charrnn.export.graph import after_name, tensor_name
from charrnn.export.tables import Tables
from charrnn.sample.decode import Stepper
from charrnn.sample.window import WindowStepper
from charrnn.scratch.cells import State


class GraphStepper:
    """`initial_state` and `step` of `charrnn.sample.decode.Stepper` over an ONNX file.

    Args:
        data: the file.
        initial: what each tensor of the state begins with.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, data: bytes, initial: State) -> None:
        runtime = package("onnxruntime")
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a step is too small for two
        self._session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._initial = initial
        self._outputs = ["logits", *map(after_name, initial)]

    def initial_state(self, batch: int) -> State:
        """What every row begins with."""
        return {name: np.tile(start, (batch, 1)) for name, start in self._initial.items()}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """logits_BV and the state after the symbols."""
        feed = {tensor_name(name): value for name, value in state.items()}
        logits_BV, *after = self._session.run(self._outputs, {"ids": ids_B.astype(np.int64), **feed})
        return logits_BV, dict(zip(self._initial, after, strict=True))


def graph_stepper(data: bytes, tables: Tables) -> Stepper:
    """The same, given of the past what the model saw of it in training."""
    inner = GraphStepper(data, tables.initial)
    return inner if tables.window is None else WindowStepper(inner, tables.window)
