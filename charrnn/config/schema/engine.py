"""What `train.engine: scratch` cannot compute: refused with the config, at the keys that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from charrnn.config.schema.model import EmbeddingInput, GatedCore, Network
from charrnn.config.schema.train import LanguageTrain


def check_engine(model: Network, train: LanguageTrain) -> None:
    """Hold the network and the device against the engine.

    Raises:
        ValidationError: the engine is `scratch`, and something asks for what is not written by hand.
    """
    refused = list(_beyond_scratch(model, train)) if train.engine == "scratch" else []
    if refused:
        raise ValidationError.from_exception_data("engine", refused)


def _beyond_scratch(model: Network, train: LanguageTrain) -> Iterator[InitErrorDetails]:
    core = model.core
    if isinstance(model.input, EmbeddingInput) and model.input.batchnorm:
        yield _beyond("BatchNorm", True, "model", "input", model.input.kind, "batchnorm")
    if isinstance(core, GatedCore) and core.recurrent.p:
        yield _beyond(
            "dropout inside the recurrence", core.recurrent.p, "model", "core", core.kind, "recurrent_dropout"
        )
    if train.device.startswith("cuda"):
        yield _beyond("CUDA", train.device, "train", "device")
    if train.scan in ("tree", "kernel"):
        yield _beyond(f"scans in the form of a {train.scan}", train.scan, "train", "scan")


def _beyond(what: str, value: object, *place: str) -> InitErrorDetails:
    text = f"train.engine `scratch` does not know {what}: leave it out, or take the engine `torch`"
    return InitErrorDetails(type=PydanticCustomError("value_error", text, {"error": text}), loc=place, input=value)
