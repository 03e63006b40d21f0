"""What a stranger must know to run an exported model: its tensors, what the state begins with, and what ids stand for.

`docs/export.md` describes the form; it is in the ONNX file, in a file beside it, and in the page.
"""

from __future__ import annotations

from typing import Any

from charrnn import __version__
from charrnn.checkpoint.read import Checkpoint
from charrnn.export.graph import OPSET, after_name, tensor_name
from charrnn.export.tables import Tables
from charrnn.runs.use import OpenModel, weights_sha256
from charrnn.text.vocabulary import Vocabulary

FORMAT = 1


def origin(model: OpenModel) -> dict[str, Any]:
    """Which checkpoint a model is, and what made the export."""
    checkpoint, core = Checkpoint.open(model.folder), model.config.model.core
    return {
        "made_by": f"charrnn {__version__}",
        "run": run_name(model),
        "step": checkpoint.step,
        "weights_sha256": weights_sha256(checkpoint),
        "core": core.kind,
        "layers": core.layers,
        "hidden": core.hidden,
    }


def run_name(model: OpenModel) -> str:
    """The name of the run that a checkpoint lies in, or its own where it lies in none."""
    parts = model.folder.absolute().parts
    return parts[-3] if len(parts) > 3 and parts[-2] == "checkpoints" else parts[-1]


def text_form(model: OpenModel) -> dict[str, Any]:
    """What is done to a text before its symbols are looked up; `byte` leaves it as it is."""
    corpus = model.config.corpus
    return {
        "unit": corpus.unit,
        "bom": corpus.bom,
        "newlines": corpus.newlines,
        "normal_form": corpus.normal_form,
        "case": corpus.case,
    }


def interface(model: OpenModel, tables: Tables) -> dict[str, Any]:
    """The whole description as a JSON object."""
    state = [
        {
            "input": tensor_name(name),
            "output": after_name(name),
            "shape": ["batch", len(start)],
            "initial": _told(start),
        }
        for name, start in tables.initial.items()
    ]
    return {
        "format": FORMAT,
        "origin": origin(model),
        "opset": OPSET,
        "symbols": {"input": "ids", "type": "int64", "shape": ["batch"], "start": Vocabulary.START},
        "scores": {"output": "logits", "type": "float32", "shape": ["batch", tables.vocabulary]},
        "state": state,
        "window": tables.window,
        "text": text_form(model),
    }


def _told(start: Any) -> list[float] | None:
    """The numbers that a tensor begins with; None means zeros."""
    return [float(value) for value in start] if start.any() else None
