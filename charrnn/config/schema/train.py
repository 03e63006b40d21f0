"""`train:` how long, how fast, on what, and what is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from charrnn.config.schema.base import Count, Section
from charrnn.config.schema.optimizer import AdamW, Optimizer
from charrnn.config.schema.schedule import CosineSchedule, Schedule


class EarlyStop(Section):
    """Stop when validation no longer improves."""

    patience: Count = 5
    """Evaluations without improvement after which training ends."""

    min_delta: Annotated[float, Field(ge=0.0)] = 0.0
    """Improvements of the validation loss below this many nats do not count."""


class Save(Section):
    """When checkpoints are written. The best, the last, and the one of a signal are always written."""

    every: Count | Literal["epoch"] = "epoch"
    """Steps between checkpoints, or `epoch`."""

    minutes: Annotated[float, Field(gt=0.0)] = 10.0
    """A checkpoint is also written when this much time has passed since the last."""

    keep: Count = 3
    """How many checkpoints are kept besides the best."""


DEFAULT_STEPS = 5000


class Train(Section):
    """The training run."""

    epochs: Count | None = None
    """Passes over the training split."""

    max_steps: Count | None = None
    """Updates in all. With both, the shorter ends the run; with neither, it is 5,000 steps."""

    start_from: Annotated[str, Field(min_length=1)] | None = None
    """A run's folder, or a checkpoint's, whose weights this run begins with (also --from); of a run it is the best
    checkpoint, else the last. Relative to the config's folder. `null` begins with fresh weights."""

    optimizer: Optimizer = AdamW()
    schedule: Schedule = CosineSchedule()

    clip_norm: Annotated[float, Field(gt=0.0)] | None = 1.0
    """The gradient's norm is clipped to this (Pascanu, Mikolov, Bengio 2013); `null` for no clipping."""

    early_stop: EarlyStop | None = EarlyStop()
    """`null` trains to the end whatever validation says."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """`auto` takes a CUDA device when there is one; else `cpu`, `cuda`, `cuda:1`."""

    precision: Literal["auto", "fp32", "fp64"] = "auto"
    """`auto` is fp32."""

    deterministic: bool = False
    """Refuse operations that may differ from run to run. On a CPU every run is repeatable anyway."""

    threads: Count | None = None
    """CPU threads; `null` takes what the machine offers. A resumed run keeps the number it began with."""

    log_every: Count = 50
    """Steps between records of the training loss."""

    tensorboard: Literal["auto"] | bool = "auto"
    """Write TensorBoard's event files too: `auto` where its extra is installed, `true` demands it."""

    save: Save = Save()

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Everything random is derived from it."""

    @model_validator(mode="before")
    @classmethod
    def _some_end(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("epochs") is None and value.get("max_steps") is None:
            return {**value, "max_steps": DEFAULT_STEPS}
        return value
