"""Trained-looking models for both engines of sampling: NumPy, and bursts in torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from charrnn.config.schema import Config, LanguageConfig, Sample, config_from
from charrnn.models.build import build_model
from charrnn.models.core import generator_for
from charrnn.runs.on_device import in_torch
from charrnn.runs.use import Engine, in_numpy
from charrnn.sample.several import several
from charrnn.sample.stream import Drawn
from charrnn.text.vocabulary import Vocabulary
from charrnn.train.state import model_arrays

LETTERS = Vocabulary("char", (), tuple("abcdefghijklmnopqrst"))
H = 6
CORES: dict[str, dict[str, Any]] = {
    "elman-tanh": {"kind": "elman"},
    "elman-relu": {"kind": "elman", "nonlinearity": "relu"},
    "gru": {"kind": "gru", "layers": 2},
    "lstm": {"kind": "lstm", "layers": 2, "initial_state": "trained"},
    "jordan": {"kind": "jordan", "outputs": H},
    "ln-lstm": {"kind": "ln-lstm", "layers": 2},
    "mingru": {"kind": "mingru", "layers": 2, "initial_state": "trained"},
    "minlstm": {"kind": "minlstm"},
    "window": {"kind": "window"},
}


def config_for(core: dict[str, Any], **sections: Any) -> LanguageConfig:
    """A config of a small network."""
    model = {"input": {"size": H}, "core": {"hidden": H} | core, **sections.pop("model", {})}
    config: Config = config_from({"corpus": {"source": "text.txt"}, "model": model, **sections})
    assert isinstance(config, LanguageConfig)
    return config


def engines(
    config: LanguageConfig,
    vocabulary: Vocabulary = LETTERS,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
) -> tuple[Engine, Engine]:
    """A model in which every tensor matters, in NumPy, and in torch on a device."""
    network = build_model(config.model, vocabulary.size, 1, torch.float32)
    noise = generator_for(4, "noise")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=noise))
            if name.endswith("weight_hh"):
                parameter.mul_(0.6)  # so that a state without a squashing function does not grow without end
        if network.input.norm is not None:
            network.input.norm.running_mean.copy_(torch.randn(H, generator=noise))
            network.input.norm.running_var.copy_(0.05 + 2.0 * torch.rand(H, generator=noise))
        network.head.output.weight.mul_(2.0)  # so that some symbols are much likelier than others
    arrays = {name: np.array(array) for name, array in model_arrays(network.to(dtype)).items()}
    return in_numpy(config, vocabulary, arrays), in_torch(config, vocabulary, arrays, torch.device(device))


def texts(
    engine: Engine,
    options: Sample,
    prompt: Sequence[int] = (),
    numbers: Sequence[int] = (0,),
    vocabulary: Vocabulary = LETTERS,
) -> list[list[Drawn]]:
    """What is drawn for each of some samples."""
    found: list[list[Drawn]] = [[] for _ in numbers]
    for one in several(engine.network, vocabulary, prompt, options, numbers, bursts=engine.bursts):
        found[one.stream].append(one)
    return found
