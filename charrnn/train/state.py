"""All that continuing a run needs, and its way into and out of a checkpoint.

Shapes: B rows (lanes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.checkpoint.read import Checkpoint
from charrnn.errors import CheckpointError
from charrnn.models.core import State

Arrays = dict[str, np.ndarray]


@dataclass
class Tally:
    """Sums since some moment, for a mean: kept in the checkpoint so that a resumed run reports the same means."""

    nats: float = 0.0
    count: int = 0
    grad_norms: float = 0.0
    steps: int = 0

    def add(self, nats: float, count: int, grad_norm: float) -> None:
        """Count one step in."""
        self.nats += nats
        self.count += count
        self.grad_norms += grad_norm
        self.steps += 1

    @property
    def mean(self) -> float:
        """Nats per token."""
        return self.nats / max(self.count, 1)

    @property
    def mean_grad_norm(self) -> float:
        """The gradient's norm before clipping."""
        return self.grad_norms / max(self.steps, 1)


@dataclass
class TrainState:
    """A run at one moment.

    Attributes:
        model: weights and running statistics.
        optimizer: its moving averages.
        lanes: the state of every lane, in the order of the lanes.
        step: updates done.
        seed: what all random numbers are derived from.
        history: `step` and figures (`nats` among them) of each validation; schedules and early stopping are functions
            of it.
        interval: sums since the last record.
        epoch: sums since the beginning of the epoch.
        ended: why training is over, or None.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    lanes: State
    seed: int
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    interval: Tally = field(default_factory=Tally)
    epoch: Tally = field(default_factory=Tally)
    ended: str | None = None

    @property
    def best(self) -> dict[str, float] | None:
        """The validation with the lowest loss, the first of equals; None before the first."""
        return best_of(self.history)

    def groups(self) -> dict[str, Arrays]:
        """All tensors, as arrays on the CPU."""
        return {
            "model": model_arrays(self.model),
            "optimizer": {
                f"{name}/{key}": _array(value) for name, slots in self._slots().items() for key, value in slots.items()
            },
            "lanes": {name: _array(tensor) for name, tensor in self.lanes.items()},
        }

    def document(self) -> dict[str, Any]:
        """All that is not a tensor."""
        return {
            "step": self.step,
            "seed": self.seed,
            "history": self.history,
            "interval": vars(self.interval),
            "epoch": vars(self.epoch),
            "ended": self.ended,
        }

    def restore(self, checkpoint: Checkpoint, device: torch.device) -> None:
        """Become the run that `checkpoint` holds.

        The learning rate and all other settings of the optimizer stay those of the config: only its moving averages
        come back.

        Raises:
            CheckpointError: the checkpoint is damaged, or of another model.
        """
        load_model(self.model, checkpoint)
        slots: dict[str, dict[str, Tensor]] = {}
        for path, array in checkpoint.tensors("optimizer").items():
            name, _, key = path.rpartition("/")
            slots.setdefault(name, {})[key] = torch.from_numpy(array.copy())
        names = {parameter: name for name, parameter in self.model.named_parameters()}
        order = [names[p] for group in self.optimizer.param_groups for p in group["params"]]
        packed = self.optimizer.state_dict()
        packed["state"] = {i: slots[name] for i, name in enumerate(order) if name in slots}
        self.optimizer.load_state_dict(packed)
        lanes = checkpoint.tensors("lanes")
        self.lanes = {name: torch.from_numpy(array.copy()).to(device) for name, array in lanes.items()}
        self._restore_document(checkpoint.document("train"))

    def _restore_document(self, document: Mapping[str, Any]) -> None:
        self.step, self.seed = document["step"], document["seed"]
        self.history, self.ended = document["history"], document["ended"]
        self.interval, self.epoch = Tally(**document["interval"]), Tally(**document["epoch"])

    def _slots(self) -> dict[str, dict[str, Tensor]]:
        return {
            name: self.optimizer.state[parameter]
            for name, parameter in self.model.named_parameters()
            if parameter in self.optimizer.state
        }


def best_of(history: Sequence[dict[str, float]]) -> dict[str, float] | None:
    """The validation with the lowest loss, the first of equals; None where there is none."""
    return min(history, key=lambda record: record["nats"], default=None)


def model_arrays(model: nn.Module) -> Arrays:
    """The tensors of a model as arrays on the CPU; a tied table appears once, under its first name."""
    return {name: _array(tensor) for name, tensor in _tensors(model).items()}


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    kept = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in kept}
    return dict(model.named_parameters()) | buffers


def load_model(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Put a checkpoint's tensors into `model`.

    Raises:
        CheckpointError: names or shapes differ.
    """
    load_arrays(model, checkpoint.tensors("model"), checkpoint.folder)


def load_arrays(model: nn.Module, arrays: Mapping[str, np.ndarray], where: object) -> None:
    """Put the named arrays of a checkpoint at `where` into `model`.

    Raises:
        CheckpointError: names or shapes differ.
    """
    targets = _tensors(model)
    ours = {name: tuple(tensor.shape) for name, tensor in targets.items()}
    theirs = {name: array.shape for name, array in arrays.items()}
    if ours != theirs:
        odd = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        raise CheckpointError(
            "the checkpoint is of another model",
            where=where,
            why="\n".join(f"{n}: checkpoint {theirs.get(n)}, config {ours.get(n)}" for n in odd[:10]),
        )
    with torch.no_grad():
        for name, tensor in targets.items():
            tensor.copy_(torch.from_numpy(arrays[name].copy()))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
