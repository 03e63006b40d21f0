"""An average of the weights beside the weights: what is evaluated, sampled from and kept as the run's model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from charrnn.config.schema.train import Average, EmaAverage


class WeightAverage:
    """The average of a model's weights and running statistics, kept by torch's `AveragedModel`.

    Args:
        config: the `train.average:` section.
        model: the model whose weights are averaged; the average starts as a copy of it.
    """

    def __init__(self, config: Average, model: nn.Module) -> None:
        self.config = config
        moving = _lerp(config.decay) if isinstance(config, EmaAverage) else None
        self._averaged = AveragedModel(model, multi_avg_fn=moving, use_buffers=True)

    @property
    def model(self) -> nn.Module:
        """The model with averaged weights."""
        return self._averaged.module

    @property
    def count(self) -> int:
        """Updates that the average has seen."""
        return int(self._averaged.n_averaged)

    @count.setter
    def count(self, count: int) -> None:
        self._averaged.n_averaged.fill_(count)

    def update(self, model: nn.Module, history: Sequence[Mapping[str, float]]) -> None:
        """Take the weights after an update in, if averaging has begun."""
        if isinstance(self.config, EmaAverage) or self.count or stalled(history, self.config.patience):
            self._averaged.update_parameters(model)


def stalled(history: Sequence[Mapping[str, float]], patience: int) -> bool:
    """Whether some validation was worse than the best of those more than `patience` before it (NT-ASGD's trigger)."""
    nats = [record["loss"] for record in history]
    return any(later > best for later, best in zip(nats[patience + 1 :], accumulate(nats, min), strict=False))


def _lerp(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    def move(averages: list[Tensor], currents: list[Tensor], seen: Tensor | int) -> None:
        n = int(seen)
        weight = 1.0 - min(decay, (1 + n) / (10 + n))
        floats = [(a, c) for a, c in zip(averages, currents, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [c for _, c in floats], weight)

    return move
