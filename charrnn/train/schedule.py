"""Learning rates as pure functions of the step and of the validations so far: nothing to save, nothing to lose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

from charrnn.config.schema import schedule as schema
from charrnn.config.schema.train import EarlyStop, Train


def rate_factor(
    config: schema.Schedule,
    step: int,
    steps: int,
    steps_per_epoch: int,
    history: Sequence[Mapping[str, float]],
    shift: int = 0,
) -> float:
    """What the configured rate is multiplied by for the update after `step`: at most 1, and more than 0 unless a
    `floor` of 0 is reached.

    Args:
        config: the schedule.
        step: updates done; beyond `steps` the rate stays at its last.
        steps: updates in all.
        steps_per_epoch: updates of one epoch.
        history: the validations so far, each with its `nats`.
        shift: what is added to `step` for the epochs that are done, where the data have changed under the run.
    """
    if isinstance(config, schema.OneCycleSchedule):
        return _one_cycle(config, step, steps)
    warm = _warm_steps(config.beginning, steps, steps_per_epoch)
    share = _warm_share(config.beginning, step, warm)
    match config:
        case schema.ConstantSchedule():
            return share
        case schema.StepSchedule():
            return share * max(config.floor, config.factor ** _cuts(config, (step + shift) // steps_per_epoch))
        case schema.PlateauSchedule():
            return share * max(config.floor, config.factor ** _stalls(history, config.patience))
        case schema.CosineSchedule():
            return share * _cosine(config, max(step - warm, 0), steps - warm)


def _warm_steps(config: schema.LinearWarmup | schema.LowEpoch, steps: int, steps_per_epoch: int) -> int:
    wanted = steps_per_epoch if isinstance(config, schema.LowEpoch) else config.steps
    # A short run keeps most of its steps for what follows.
    return min(wanted, steps // 4)


def _warm_share(config: schema.LinearWarmup | schema.LowEpoch, step: int, warm: int) -> float:
    if step >= warm:
        return 1.0
    return config.factor if isinstance(config, schema.LowEpoch) else (step + 1) / (warm + 1)


def _cuts(config: schema.StepSchedule, epochs: int) -> int:
    """How often the rate was cut when `epochs` are done; the first cut comes when the first `after` are."""
    after = config.every if config.after is None else config.after
    return max(0, (epochs - after) // config.every + 1)


def _cosine(config: schema.CosineSchedule, step: int, span: int) -> float:
    if step >= span:
        return config.floor
    ends = [0, *cycle_ends(config, span)]
    begin, end = max(e for e in ends if e <= step), min(e for e in ends if e > step)
    return _above(config.floor, 0.5 * (1.0 + math.cos(math.pi * ((step - begin) / (end - begin)))))


def cycle_ends(config: schema.CosineSchedule, span: int) -> list[int]:
    """Where each cosine ends: steps after the warm-up, the last of them `span`.

    In a very short run cycles may be empty: they end where the one before ends.
    """
    lengths = list(accumulate(config.grow**i for i in range(config.cycles)))
    return [round(span * (length / lengths[-1])) for length in lengths]


def _one_cycle(config: schema.OneCycleSchedule, step: int, steps: int) -> float:
    top = int(config.rise * steps)
    if step < top:
        return _above(config.start, _eased(step / top, config.shape))
    left = max(steps - step, 0) / max(steps - top, 1)
    return _above(config.floor, _eased(left, config.shape))


def _eased(share: float, shape: str) -> float:
    """From 0 to 1 as `share` goes there: straight, or along half a cosine."""
    return share if shape == "linear" else 0.5 * (1.0 - math.cos(math.pi * share))


def _above(floor: float, share: float) -> float:
    """So much of the way from `floor` to 1; both ends are met exactly."""
    return floor + (1.0 - floor) * share


def _stalls(history: Sequence[Mapping[str, float]], patience: int) -> int:
    """How often validation went without improvement for more than `patience` evaluations in a row."""
    best, waited, stalls = math.inf, 0, 0
    for record in history:
        if record["loss"] < best:
            best, waited = record["loss"], 0
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
        if record["loss"] < best - config.min_delta:
            best, waited = record["loss"], 0
        else:
            waited += 1
    return waited >= config.patience


def total_steps(settings: Train, steps_per_epoch: int, shift: int = 0) -> int:
    """Updates in all: the shorter of `epochs` and `max_steps`; epochs end at steps that are whole ones with `shift`."""
    by_epochs = None if settings.epochs is None else settings.epochs * steps_per_epoch - shift
    ends = [end for end in (by_epochs, settings.max_steps) if end is not None]
    return min(ends)
