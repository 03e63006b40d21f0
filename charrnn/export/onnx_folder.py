"""The folder of `charrnn export --format onnx`: the graph, its vocabulary, what a stranger must know, and a proof."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from charrnn.errors import UsageError
from charrnn.export.extra import package
from charrnn.export.graph import step_graph
from charrnn.export.heldout import HeldOut, Measure, held_out
from charrnn.export.interface import interface
from charrnn.export.parity import compared, largest_difference, sequences
from charrnn.export.quantise import quantised
from charrnn.export.session import graph_stepper
from charrnn.export.tables import Tables, tables_of
from charrnn.export.template import rendered
from charrnn.files.atomic import new_folder
from charrnn.files.refusals import storage_errors
from charrnn.runs.use import OpenModel
from charrnn.text.watch import Check

MODEL, SMALL, VOCABULARY = "model.onnx", "model.int8.onnx", "vocabulary.json"
INTERFACE, PARITY, README = "interface.json", "parity.json", "README.md"
_FILES = frozenset((MODEL, SMALL, VOCABULARY, INTERFACE, PARITY, README))


def export_onnx(model: OpenModel, out: Path, int8: Measure | None, check: Check) -> dict[str, Any]:
    """Write the folder, complete or not at all, after onnxruntime has computed the same as we do.

    Args:
        model: the model.
        out: the folder; an earlier export in it is replaced.
        int8: for a file in 8 bits too: where the text is that its loss is measured on.
        check: called often; it may raise to stop.

    Returns:
        What was written, with its size and the largest difference of a score; with `int8` what that costs.

    Raises:
        UsageError: the folder holds other things; or no text is found to measure on.
        MissingExtraError: onnx or onnxruntime is not installed.
        CheckpointError: the graph does not compute the same.
        StorageError: a write was refused.
    """
    check_place(out)
    package("onnxruntime")
    tables = tables_of(model)
    passages = None if int8 is None else held_out(model, tables, int8)
    about, words = interface(model, tables), model.vocabulary.to_json()
    graph = step_graph(tables, {"interface": json.dumps(about), "vocabulary": json.dumps(words)})
    files = {MODEL: graph.SerializeToString()}
    ours = sequences(model, tables, check)
    worst = largest_difference(graph_stepper(files[MODEL], tables), ours, MODEL, check)
    report: dict[str, Any] = {"largest_difference": worst, "compared": compared(ours), "int8": None}
    if passages is not None:
        files[SMALL], report["int8"] = _in_int8(graph, tables, files[MODEL], passages, check)
    files[VOCABULARY] = _json(words)
    files[INTERFACE] = _json(about)
    files[PARITY] = _json(ours.told())
    files[README] = rendered("readme.md", about=about, words=words, int8=passages is not None).encode()
    with new_folder(out) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)
    return {"folder": str(out), "files": {name: len(data) for name, data in files.items()}, **report}


def check_place(out: Path) -> None:
    """Refuse a place where something else stands than an earlier export.

    Raises:
        UsageError: it does.
        StorageError: it may not be looked into.
    """
    with storage_errors(out):
        if out.exists() and not out.is_dir():
            raise UsageError("this is a file, not a folder", where=out, hint="choose another folder with --out")
        others = sorted({path.name for path in out.iterdir()} - _FILES) if out.is_dir() else []
    if others:
        raise UsageError(
            "the folder holds other things than an export",
            where=out,
            why=f"for example {others[0]}",
            hint="choose another folder with --out, or empty this one",
        )


def _in_int8(
    graph: Any, tables: Tables, full: bytes, passages: HeldOut, check: Check
) -> tuple[bytes, dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        small = quantised(graph, Path(folder))
    before = passages.nats(graph_stepper(full, tables), check)
    after = passages.nats(graph_stepper(small.data, tables), check)
    return small.data, {**passages.cost(before, after, "int8"), "kept_fp32": list(small.kept)}


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
