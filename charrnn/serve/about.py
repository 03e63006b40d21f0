"""What the API says of the model and of itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from charrnn import __version__
from charrnn.checkpoint.read import Checkpoint
from charrnn.export.interface import run_name, text_form
from charrnn.runs.use import OpenModel, weights_sha256
from charrnn.serve.limits import Limits


def about(model: OpenModel, limits: Limits) -> dict[str, Any]:
    """Which model it is, what its options are unless told otherwise, and what may be asked for."""
    checkpoint, core = Checkpoint.open(model.folder), model.config.model.core
    return {
        "charrnn": __version__,
        "run": run_name(model),
        "step": checkpoint.step,
        "weights_sha256": weights_sha256(checkpoint),
        "config_sha256": config_sha256(model),
        "core": core.kind,
        "layers": core.layers,
        "hidden": core.hidden,
        "vocabulary": model.vocabulary.size,
        "text": text_form(model),
        "sample": model.config.sample.model_dump(mode="json"),
        "limits": asdict(limits),
    }


def config_sha256(model: OpenModel) -> str:
    """The SHA-256 of the run's whole config as JSON with sorted keys."""
    text = json.dumps(model.config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
