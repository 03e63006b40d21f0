"""Write a checkpoint: beside its place, flushed, renamed; the manifest last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from charrnn.checkpoint.layout import DOCUMENT, FORMAT, MANIFEST, TENSORS, step_name
from charrnn.errors import DivergedError
from charrnn.files import digest
from charrnn.files.atomic import make_folder, new_folder

Tensors = Mapping[str, np.ndarray]


def write_checkpoint(
    parent: Path,
    step: int,
    groups: Mapping[str, Tensors],
    documents: Mapping[str, Any],
) -> Path:
    """Write one checkpoint below `parent` and return its folder.

    Args:
        parent: the folder of all checkpoints of a run.
        step: updates done.
        groups: named groups of named arrays; each becomes `<group>.safetensors`.
        documents: JSON values; each becomes `<name>.json`.

    Raises:
        DivergedError: an array holds NaN or infinity; nothing is written.
        StorageError: the disk refused; earlier checkpoints are untouched.
    """
    for group, tensors in groups.items():
        _refuse_non_finite(group, tensors)
    make_folder(parent)
    folder = parent / step_name(step)
    with new_folder(folder) as beside:
        files = {}
        for name, data in _serialise(groups, documents):
            # Through Python's own file object, so that the cause of a failed write (disk full) survives.
            (beside / name).write_bytes(data)
            files[name] = {"bytes": len(data), "sha256": digest.of_bytes(data)}
        manifest = {"format": FORMAT, "kind": "checkpoint", "step": step, "files": files}
        (beside / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return folder


def _serialise(groups: Mapping[str, Tensors], documents: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    tensors = [
        (group + TENSORS, save({name: np.asarray(array, order="C") for name, array in arrays.items()}))
        for group, arrays in groups.items()
    ]
    texts = [
        (name + DOCUMENT, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8"))
        for name, value in documents.items()
    ]
    return tensors + texts


def _refuse_non_finite(group: str, tensors: Tensors) -> None:
    for name, array in tensors.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise DivergedError(
                f"refusing to save: {group} {name!r} holds NaN or infinity",
                hint="go on from the last checkpoint with a lower train.optimizer.lr",
            )
