"""The state of every unit after every symbol of a text.

Shapes: N symbols, U units.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from charrnn.errors import UsageError
from charrnn.files.atomic import make_folder, write_bytes
from charrnn.sample.decode import Stepper
from charrnn.sample.window import WindowStepper
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check

MOST_BYTES = 1 << 31
SUFFIX = ".npz"


def trace(model: Stepper, ids: Sequence[int], from_start: bool, check: Check = no_check) -> dict[str, np.ndarray]:
    """What each tensor of the state holds after each symbol: (N, U), by its name in the checkpoint, `<layer>.<name>`.

    Args:
        model: the model.
        ids: the text.
        from_start: whether `<start>` comes in front of it, as in training; else the first symbol meets the first state,
            as a seed does.
        check: called before every step; it may raise to stop.

    Raises:
        UsageError: the model carries no state, or what would be kept takes more than 2 GiB.
    """
    if isinstance(model, WindowStepper):
        raise UsageError(
            "this model has no state that could be traced",
            why="it was trained on windows (stream.kind: windows), and begins anew for every symbol",
        )
    state = model.initial_state(1)
    size = sum(array[0].nbytes for array in state.values())
    if size * len(ids) > MOST_BYTES:
        raise UsageError(
            f"the state of {len(ids):,} symbols takes {size * len(ids) / 1e9:.1f} GB",
            why=f"{size:,} bytes for each",
            hint=f"trace at most {MOST_BYTES // size:,} symbols",
        )
    kept = {name: np.empty((len(ids), array.shape[1]), array.dtype) for name, array in state.items()}
    if from_start:
        _, state = model.step(np.array([Vocabulary.START]), state)
    for n, symbol in enumerate(ids):
        check()
        _, state = model.step(np.array([symbol]), state)
        for name, array in state.items():
            kept[name][n] = array[0]
    return kept


def check_trace(path: Path) -> None:
    """Raise a UsageError where `path` does not end in `.npz`."""
    if path.suffix != SUFFIX:
        raise UsageError(
            f"a trace is a file of NumPy arrays, {SUFFIX}", where=path, hint=f"name it {path.with_suffix(SUFFIX)}"
        )


def write_trace(path: Path, ids: Sequence[int], vocabulary: Vocabulary, traced: Mapping[str, np.ndarray]) -> None:
    """Write what was traced, so that `numpy.load(path)` reads it: `ids` and `symbols` (N,), and each tensor (N, U).

    Raises:
        StorageError: a write was refused.
    """
    buffer = io.BytesIO()
    symbols = np.array([vocabulary.symbol(id_) for id_ in ids], dtype=np.str_)
    arrays: dict[str, np.ndarray] = {"ids": np.array(ids, np.int64), "symbols": symbols, **traced}
    np.savez(buffer, allow_pickle=False, **arrays)
    make_folder(path.parent)
    write_bytes(path, buffer.getvalue())
