"""Learning rates as pure functions of the step and of the validations so far: nothing to save, nothing to lose."""

from __future__ import annotations

import math
from collections.abc import Sequence

from charrnn.config.schema import schedule as schema
from charrnn.config.schema.train import EarlyStop


def rate_factor(config: schema.Schedule, step: int, steps: int, history: Sequence[dict[str, float]]) -> float:
    """What the configured rate is multiplied by for the update after `step`.

    Args:
        config: the schedule.
        step: updates done.
        steps: updates in all.
        history: the validations so far, each with its `nats`.
    """
    match config:
        case schema.ConstantSchedule():
            return 1.0
        case schema.PlateauSchedule():
            return config.factor ** _stalls(history, config.patience)
        case schema.CosineSchedule():
            return _cosine(config, step, steps)


def _cosine(config: schema.CosineSchedule, step: int, steps: int) -> float:
    # A short run keeps most of its steps for the cosine.
    warmup = min(config.warmup, steps // 4)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(steps - warmup, 1)
    return config.floor + (1.0 - config.floor) * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


def _stalls(history: Sequence[dict[str, float]], patience: int) -> int:
    """How often validation went without improvement for more than `patience` evaluations in a row."""
    best, waited, stalls = math.inf, 0, 0
    for record in history:
        if record["nats"] < best:
            best, waited = record["nats"], 0
            continue
        waited += 1
        if waited > patience:
            stalls, waited = stalls + 1, 0
    return stalls


def should_stop(config: EarlyStop | None, history: Sequence[dict[str, float]]) -> bool:
    """Whether the last `patience` validations brought no improvement of at least `min_delta`."""
    if config is None:
        return False
    best, waited = math.inf, 0
    for record in history:
        if record["nats"] < best - config.min_delta:
            best, waited = record["nats"], 0
        else:
            waited += 1
    return waited >= config.patience
