"""Weights in 8 bits: onnxruntime's dynamic quantisation of an exported graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.export.extra import no_advice, package

_SMALL = 2  # axes: what has fewer is an offset, which stays as it is on purpose


@dataclass(frozen=True)
class Quantised:
    """A graph whose matrices are 8-bit integers.

    Attributes:
        data: the file.
        kept: the matrices that stayed in fp32, as the quantiser does not know the node that uses them.
    """

    data: bytes
    kept: tuple[str, ...]


def quantised(graph: Any, folder: Path) -> Quantised:
    """The graph with the matrices of all its products and look-ups in 8 bits, a scale for each.

    Args:
        graph: what `step_graph` made.
        folder: an empty folder for the quantiser's own files; the caller removes it.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    onnx, runtime = package("onnx"), package("onnxruntime.quantization")
    target = folder / "int8.onnx"
    with no_advice():
        runtime.quantize_dynamic(graph, target, weight_type=runtime.QuantType.QInt8, per_channel=False)
    made = onnx.load(target)
    made.producer_name = "charrnn"
    kept = [t.name for t in made.graph.initializer if t.data_type == onnx.TensorProto.FLOAT and len(t.dims) >= _SMALL]
    return Quantised(made.SerializeToString(), tuple(kept))
