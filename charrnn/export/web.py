"""A model as one HTML file that runs it in a browser: no server, no network, no other file.

The scripts of the page are plain JavaScript in `charrnn/export/page/`. What comes from a text or a user reaches them as
JSON in which nothing can end a script, or stands in the page escaped; it is shown as text and never as HTML.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np

from charrnn import __version__
from charrnn.config.schema import Sample
from charrnn.errors import UsageError
from charrnn.export.heldout import Measure, held_out
from charrnn.export.interface import FORMAT, origin, run_name, text_form
from charrnn.export.tables import Tables, tables_of, with_weights
from charrnn.export.template import rendered, source
from charrnn.files.atomic import make_folder, write_text
from charrnn.files.refusals import storage_errors
from charrnn.runs.use import OpenModel
from charrnn.text.watch import Check, no_check

_SCRIPTS = ("engine.js", "text.js", "reader.js", "app.js", "api.js")
_GENERATOR = "charrnn export --format web"
_MARK = f'<meta name="generator" content="{_GENERATOR}'.encode()
_OPENING = 280  # symbols that the model has written when the page opens
_HEAD = 1 << 12
_CORES = {
    "elman": "Elman",
    "jordan": "Jordan",
    "window": "window model",
    "gru": "GRU",
    "lstm": "LSTM",
    "ln-lstm": "LSTM with layer norm",
    "mingru": "minGRU",
    "minlstm": "minLSTM",
}


def page(model: OpenModel, half: bool = False, title: str | None = None, check: Check = no_check) -> str:
    """The page of a model, as HTML.

    Args:
        model: the model.
        half: keep its weights in 16 bits each: half the size, and scores that differ in the third digit or so.
        title: what stands above it; the name of the run unless given.
        check: called often; it may raise to stop.

    Raises:
        UsageError: a weight is too large for 16 bits.
        CheckpointError: the checkpoint is not what it was when the model was opened.
    """
    tables = tables_of(model)
    about = _about(model, tables, half) | {"opening": _opening(model, check)}
    return rendered(
        "page.html",
        title=title or run_name(model),
        generator=f"{_GENERATOR} {__version__}",
        facts=_facts(model, tables),
        made=_made(about["origin"], half),
        temperature=about["temperature"],
        about=about,
        weights=base64.b64encode(_weights(tables, half)).decode("ascii"),
        style=source("style.css"),
        scripts=[source(name) for name in _SCRIPTS],
    )


def export_web(model: OpenModel, out: Path, half: Measure | None, check: Check) -> dict[str, Any]:
    """Write the page, complete or not at all.

    Args:
        model: the model.
        out: the file; an earlier page there is replaced.
        half: for weights in 16 bits: where the text is that their loss is measured on.
        check: called often; it may raise to stop.

    Returns:
        The file, its size, and with `half` what that costs.

    Raises:
        UsageError: something else is at `out`; no text is found to measure on; a weight is too large for 16 bits.
        DataError: see `held_out`.
        StorageError: a write was refused.
    """
    _check_place(out)
    cost = None
    if half is not None:
        passages = held_out(model, tables_of(model), half)
        narrow = with_weights(model, _rounded)
        cost = passages.cost(passages.nats(model.network, check), passages.nats(narrow, check), "fp16")
    html = page(model, half is not None, check=check)
    make_folder(out.absolute().parent)
    write_text(out, html)
    return {"file": str(out), "bytes": len(html.encode("utf-8")), "fp16": cost}


def _about(model: OpenModel, tables: Tables, half: bool) -> dict[str, Any]:
    """What the scripts of the page read; docs/export.md describes it."""
    layers: list[list[str]] = [[] for _ in tables.layers]
    for name in tables.initial:
        number, _, own = name.partition(".")
        layers[int(number)].append(own)
    return {
        "format": FORMAT,
        "origin": origin(model),
        "step": tables.step,
        "window": tables.window,
        "layers": layers,
        "text": text_form(model),
        "vocabulary": model.vocabulary.to_json(),
        "temperature": min(1.5, max(0.1, model.config.sample.temperature)),
        "type": "float16" if half else "float32",
        "tensors": [[name, list(array.shape)] for name, array in tables.named()],
    }


def _weights(tables: Tables, half: bool) -> bytes:
    """All tensors one after another, little-endian."""
    kind = np.dtype("<f2" if half else "<f4")
    return b"".join((_fitting(array) if half else array).astype(kind).tobytes() for _, array in tables.named())


def _rounded(array: np.ndarray) -> np.ndarray:
    return _fitting(array).astype(np.float16).astype(array.dtype)


def _fitting(array: np.ndarray) -> np.ndarray:
    largest = float(np.finfo(np.float16).max)
    if array.dtype.kind == "f" and array.size and float(np.abs(array).max()) > largest:
        raise UsageError(
            "the model does not fit into 16 bits",
            why=f"one of its weights is {float(np.abs(array).max()):.3g}, and {largest:,.0f} is the largest there is",
            hint="leave --half out",
        )
    return array


def _opening(model: OpenModel, check: Check) -> str:
    """What the model writes after the seed of its config, the same every time; shown when the page opens."""
    options = model.options({"length": _OPENING, "stop": ()})
    known = _known(model, options)
    written = "".join(model.text(known, 0, "skip", check))
    return (known.seed or "") + written.strip("\ufffd")  # a model of bytes may begin or end within a character


def _known(model: OpenModel, options: Sample) -> Sample:
    """The options with a seed that the model can read."""
    seed = model.vocabulary.decode(model.vocabulary.encode(options.seed or "", unknown="skip"))
    return options.model_copy(update={"seed": seed or None})


def _facts(model: OpenModel, tables: Tables) -> str:
    core = model.config.model.core
    weights = sum(array.size for _, array in tables.named())
    size = f"{weights / 1e6:.1f} million" if weights >= 1e6 else f"{weights:,}"
    unit = {"char": "character", "byte": "byte", "word": "word"}[model.vocabulary.unit]
    layers = "one layer" if core.layers == 1 else f"{core.layers} layers"
    sees = "" if tables.window is None else f", sees the last {tables.window} symbols"
    kinds = f"{tables.vocabulary - 1:,} kinds of {unit}s"
    return (
        f"A recurrent network ({_CORES[core.kind]}, {layers} of {core.hidden}; {size} numbers) that knows {kinds}{sees}"
    )


def _made(about: dict[str, Any], half: bool) -> str:
    rounding = ", rounded to 16 bits each" if half else ""
    return (
        f"Made by {about['made_by']} from step {about['step']}. Weights: SHA-256 {about['weights_sha256']}{rounding}."
    )


def _check_place(out: Path) -> None:
    """Refuse to replace what is no page of ours."""
    with storage_errors(out):
        if out.is_dir():
            raise UsageError("this is a folder, and the page is a file", where=out, hint="name a file with --out")
        foreign = out.exists() and _MARK not in _head(out)
    if foreign:
        raise UsageError(
            "the file that is there is no page of charrnn's", where=out, hint="choose another file with --out"
        )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)
