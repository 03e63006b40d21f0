"""From the `model:` section to a model: the networks over texts, and those over ratings."""

from __future__ import annotations

from typing import Literal

import torch

from charrnn.config.schema import Network as NetworkConfig
from charrnn.config.schema import rate
from charrnn.models.core import generator_for
from charrnn.models.factors import Factors, RatingsNetwork
from charrnn.models.handmade import by_hand
from charrnn.models.histories import Histories
from charrnn.models.network import Network
from charrnn.models.ratings import Known, RatingModel


def build_model(
    config: NetworkConfig, vocabulary: int, seed: int, dtype: torch.dtype, engine: Literal["torch", "scratch"] = "torch"
) -> Network:
    """A model with fresh weights, on the CPU.

    Weights are drawn in fp32 and then converted, so that a model of another precision starts from the same place.

    Args:
        config: the `model:` section.
        vocabulary: V, the number of symbols.
        seed: the run's seed; the weights are a function of it.
        dtype: the precision of weights and activations.
        engine: what computes it; see `train.engine`.
    """
    network = Network(config, vocabulary, generator_for(seed, "initial weights"))
    if engine == "scratch":
        network = by_hand(network, config)
    return network.to(dtype)


def build_rating_model(config: rate.RatingModel, known: Known, seed: int, dtype: torch.dtype) -> RatingModel:
    """A model of ratings with fresh weights, on the CPU; see `build_model`.

    Args:
        config: the `model:` section.
        known: what it is trained on.
        seed: the run's seed.
        dtype: the precision of weights and activations.
    """
    match config:
        case rate.Factors():
            model: RatingModel = Factors(config, known, seed)
        case rate.Histories():
            model = Histories(config, known, seed)
        case rate.RatingsNetwork():
            model = RatingsNetwork(config, known, seed)
    return model.to(dtype)


def parameters_of(model: torch.nn.Module) -> int:
    """The number of trained parameters; a tied table counts once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
