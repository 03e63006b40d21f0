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
from charrnn.train.average import WeightAverage
from charrnn.train.fit import check_same, check_slots
from charrnn.train.precision import Precision
from charrnn.train.recall import OfHistory

Arrays = dict[str, np.ndarray]


@dataclass
class Tally:
    """Sums since some moment, for means: kept in the checkpoint so that a resumed run reports the same means.

    Attributes:
        sum: the loss of all targets.
        count: those targets.
        grad_norms: sum of the gradients' norms before clipping.
        state_norms: sum of the norms of the state that was carried on.
        steps: updates done.
        skipped: updates that the guard refused; they count for nothing else.
        parts: sums of what training added to its loss, by name.
        beside: of parts that are losses of other targets: the sum and the count of those.
    """

    sum: float = 0.0
    count: int = 0
    grad_norms: float = 0.0
    state_norms: float = 0.0
    steps: int = 0
    skipped: int = 0
    parts: dict[str, float] = field(default_factory=dict)
    beside: dict[str, list[float]] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """The loss per target."""
        return self.sum / max(self.count, 1)

    def means(self) -> dict[str, float]:
        """Figures for a record, the loss not among them."""
        steps = max(self.steps, 1)
        norms = {"grad_norm": self.grad_norms / steps, "state_norm": self.state_norms / steps}
        parts = {name: value / max(self.count, 1) for name, value in self.parts.items()}
        beside = {name: total / max(count, 1) for name, (total, count) in self.beside.items()}
        return norms | {"skipped": self.skipped} | parts | beside


@dataclass
class TrainState:
    """A run at one moment.

    Attributes:
        model: weights and running statistics.
        optimizer: its moving averages.
        lanes: the state of every lane, in the order of the lanes; of several processes each has its own lanes'.
        average: the average of the weights, where the config asks for one.
        precision: in what numbers an update is computed, with the loss scale of fp16.
        step: updates done, those that were skipped among them.
        shift: what is added to `step` to find the place in the data; 0 unless these have changed under the run.
        skipped: updates skipped in a row, up to now.
        rate_scale: what the guard multiplies the learning rate by: 1, or 1/2 after it went back to a checkpoint.
        seed: what all random numbers are derived from.
        history: `step`, `loss` and figures of each validation; schedules and early stopping are functions
            of it.
        interval: sums since the last record.
        epoch: sums since the beginning of the epoch.
        ended: why training is over, or None.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    lanes: State
    seed: int
    average: WeightAverage | None = None
    precision: Precision = field(default_factory=Precision)
    step: int = 0
    shift: int = 0
    skipped: int = 0
    rate_scale: float = 1.0
    history: list[dict[str, float]] = field(default_factory=list)
    interval: Tally = field(default_factory=Tally)
    epoch: Tally = field(default_factory=Tally)
    ended: str | None = None

    def __post_init__(self) -> None:
        self._best = OfHistory(best_of)

    @property
    def best(self) -> dict[str, float] | None:
        """The validation with the lowest loss, the first of equals; None before the first."""
        return self._best(self.history)

    @property
    def place(self) -> int:
        """Where in the data the next update stands, in steps from their beginning."""
        return self.step + self.shift

    @property
    def shown(self) -> nn.Module:
        """The model that is evaluated, sampled from and kept: the average where there is one."""
        return self.model if self.average is None or self.average.count == 0 else self.average.model

    def groups(self, lanes: State | None = None) -> dict[str, Arrays]:
        """All tensors, as arrays on the CPU; `weights` are what training goes on with where `model` is an average, and
        `lanes` those of all processes, where there are several."""
        own = {} if self.shown is self.model else {"weights": model_arrays(self.model)}
        return own | {
            "model": model_arrays(self.shown),
            "optimizer": {
                f"{name}/{key}": _array(value) for name, slots in self._slots().items() for key, value in slots.items()
            },
            "lanes": {name: _array(tensor) for name, tensor in (lanes or self.lanes).items()},
        }

    def document(self) -> dict[str, Any]:
        """All that is not a tensor."""
        return {
            "step": self.step,
            "shift": self.shift,
            "skipped": self.skipped,
            "rate_scale": self.rate_scale,
            "averaged": 0 if self.average is None else self.average.count,
            "loss_scale": self.precision.document(),
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
        # older ones know of no shift and no loss scale, and have none
        document = {"shift": 0, "loss_scale": None} | checkpoint.document("train")
        if not self.document().keys() <= document.keys():
            raise CheckpointError(
                "the checkpoint is of another version of charrnn",
                where=checkpoint.folder / "train.json",
                why=f"it lacks {', '.join(sorted(self.document().keys() - document.keys()))}",
            )
        load_model(self.model, checkpoint, "weights" if document["averaged"] else "model")
        if self.average is not None:
            load_model(self.average.model, checkpoint, "model")
            self.average.count = document["averaged"]
        slots: dict[str, dict[str, Tensor]] = {}
        for path, array in checkpoint.tensors("optimizer").items():
            name, _, key = path.rpartition("/")
            slots.setdefault(name, {})[key] = torch.from_numpy(array.copy())
        check_slots(slots, self.optimizer, self.model, checkpoint.folder)
        names = {parameter: name for name, parameter in self.model.named_parameters()}
        order = [names[p] for group in self.optimizer.param_groups for p in group["params"]]
        keys: dict[str, int | str] = {name: i for i, name in enumerate(order)}
        packed = self.optimizer.state_dict()
        packed["state"] = {keys.get(name, name): values for name, values in slots.items()}
        self.optimizer.load_state_dict(packed)
        lanes = checkpoint.tensors("lanes")
        self.lanes = {name: torch.from_numpy(array.copy()).to(device) for name, array in lanes.items()}
        self._restore_document(document)

    def check_lanes(self, fresh: State, where: object) -> None:
        """Refuse carried states that are of another form than those that a run of this config begins with.

        Raises:
            CheckpointError: they differ; `where` is the checkpoint that they are from.
        """
        ours, theirs = ({name: _array(tensor) for name, tensor in state.items()} for state in (fresh, self.lanes))
        check_same(ours, theirs, where)

    def _restore_document(self, document: Mapping[str, Any]) -> None:
        self.step, self.shift, self.seed = document["step"], document["shift"], document["seed"]
        self.skipped, self.rate_scale = document["skipped"], document["rate_scale"]
        self.precision.restore(document["loss_scale"])
        self.history, self.ended = document["history"], document["ended"]
        self.interval, self.epoch = Tally(**document["interval"]), Tally(**document["epoch"])

    def _slots(self) -> dict[str, dict[str, Tensor]]:
        # What belongs to no parameter has its key in the optimizer for a name.
        names: dict[Any, str] = {parameter: name for name, parameter in self.model.named_parameters()}
        return {names.get(key, str(key)): values for key, values in self.optimizer.state.items()}


def best_of(history: Sequence[dict[str, float]]) -> dict[str, float] | None:
    """The validation with the lowest loss, the first of equals; None where there is none."""
    return min(history, key=lambda record: record["loss"], default=None)


def model_arrays(model: nn.Module) -> Arrays:
    """The tensors of a model as arrays on the CPU; a tied table appears once, under its first name."""
    return {name: _array(tensor) for name, tensor in _tensors(model).items()}


def running_statistics(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model that a forward pass moves in training, and that belong to it."""
    kept = model.state_dict().keys()
    return {name: buffer for name, buffer in model.named_buffers() if name in kept}


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.named_parameters()) | running_statistics(model)


def load_model(model: nn.Module, checkpoint: Checkpoint, group: str = "model") -> None:
    """Put a checkpoint's tensors of one group into `model`.

    Raises:
        CheckpointError: names or shapes differ.
    """
    load_arrays(model, checkpoint.tensors(group), checkpoint.folder)


def load_arrays(model: nn.Module, arrays: Mapping[str, np.ndarray], where: object) -> None:
    """Put the named arrays of a checkpoint at `where` into `model`.

    Raises:
        CheckpointError: names or shapes differ.
    """
    targets = _tensors(model)
    check_same({name: _array(tensor) for name, tensor in targets.items()}, arrays, where, converts=True)
    with torch.no_grad():
        for name, tensor in targets.items():
            tensor.copy_(torch.from_numpy(arrays[name].copy()))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
