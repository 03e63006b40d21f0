"""The range test of learning rates (Smith 2017): a short training whose rate grows from step to step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from charrnn.config.load import Loaded
from charrnn.errors import UsageError
from charrnn.logs.console import Console
from charrnn.runs.memory import out_of_memory
from charrnn.runs.throwaway import throwaway
from charrnn.train.interrupt import Interrupt

MIN_STEPS = 20
_WINDOW = 0.05
_TOO_HIGH = 2.0
# The suggestion is a tenth of the rate at which the loss has come nearly all the way down. Measured on LSTM, GRU and
# Elman networks of 64 and 256 units, under AdamW, RMSprop, and SGD with and without momentum, against short trainings
# with the cosine schedule: the best of those lay between the suggestion and ten times it, and the more steps a training
# has, the lower is its best rate. A full training of configs/nietzsche-lstm.yaml was tuned by hand to 4e-3; the
# suggestion there is 3e-3 to 7e-3 for 120 to 240 steps. The other known rules did worse. The steepest descent is the
# first fall from the level of an untrained network, at a tenth of a good rate (4e-4), or a bounce after the blow-up.
# The minimum itself, over ten, wanders along a flat bottom: its left edge is what several runs agree on.
_NEARLY_ALL = 0.98
_SAFETY = 10.0
_LEAST_FALL = 0.01


@dataclass(frozen=True)
class RangeTest:
    """What the test saw.

    Attributes:
        rates: the rate of each step.
        losses: the loss of each step: nats, or whatever the figure of the task is.
        smooth: the same, each the mean of its neighbourhood.
        lowest: the rate at which `smooth` is lowest.
        suggestion: the rate to train with.
        ended: why the test stopped where it did.
        still_falling: whether the loss fell up to the last rate: then the suggestion may be too low.
    """

    rates: list[float]
    losses: list[float]
    smooth: list[float]
    lowest: float
    suggestion: float
    ended: str
    still_falling: bool


def range_test(
    loaded: Loaded, corpora: Path, console: Console, interrupt: Interrupt, low: float, high: float, steps: int
) -> RangeTest:
    """Train a throw-away model of the config, with its optimizer and its clipping; no run folder is made.

    Args:
        loaded: the config; its schedule and its rate play no part.
        corpora: where corpora are looked for and prepared.
        console: shows the progress.
        interrupt: the signals so far.
        low: the first rate.
        high: the last rate; the test stops before where the loss is lost.
        steps: how many steps from `low` to `high`, by equal ratios.

    Raises:
        UsageError: the range is none, or the loss does not fall anywhere in it.
        Interrupted: a signal asked to stop.
    """
    if not 0.0 < low < high < math.inf or steps < MIN_STEPS:
        raise UsageError(
            "this is not a range to test",
            why=f"from {low:g} to {high:g} in {steps} steps",
            hint=f"--low should be more than 0 and less than --high, and --steps at least {MIN_STEPS}",
        )
    rates = [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]
    losses, ended = _train(loaded, corpora, console, interrupt, rates)
    return judge(rates[: len(losses)], losses, window_of(steps), ended)


def _train(
    loaded: Loaded, corpora: Path, console: Console, interrupt: Interrupt, rates: Sequence[float]
) -> tuple[list[float], str]:
    """The loss of each step until the last rate, or until it is lost; and why there are no more."""
    losses: list[float] = []
    with out_of_memory(loaded.config):
        trial = throwaway(loaded, corpora, console, interrupt)
        for step, rate in enumerate(rates):
            interrupt.check()
            console.progress("testing rates", step, len(rates))
            result = trial.advance(rate)
            if result.skipped and not result.overflow:
                return losses, f"the loss is not finite at {rate:.2g}"
            losses.append(result.sum / max(result.count, 1))
            if is_lost(losses, window_of(len(rates))):
                return losses, f"the loss has doubled at {rate:.2g}"
    return losses, f"all rates up to {rates[-1]:.2g} are tested"


def window_of(steps: int) -> int:
    """How many losses a mean is taken over; an odd number."""
    return 2 * max(1, round(_WINDOW * steps / 2)) + 1


def is_lost(losses: Sequence[float], window: int) -> bool:
    """Whether the mean of the latest losses is more than twice the lowest such mean."""
    means = [sum(losses[end - window : end]) / window for end in range(window, len(losses) + 1)]
    return bool(means) and means[-1] > _TOO_HIGH * min(means)


def smoothed(losses: Sequence[float], window: int) -> list[float]:
    """Each loss as the mean of the `window` around it, which narrows towards the ends: without a lag, unlike a running
    mean."""
    means = []
    for i in range(len(losses)):
        half = min(window // 2, i, len(losses) - 1 - i)
        near = losses[i - half : i + half + 1]
        means.append(sum(near) / len(near))
    return means


def judge(rates: list[float], losses: list[float], window: int, ended: str) -> RangeTest:
    """Read a rate to train with off a curve.

    Args:
        rates: the rates, rising.
        losses: the loss at each.
        window: see `smoothed`.
        ended: why there are no more.

    Raises:
        UsageError: the loss falls nowhere.
    """
    smooth = smoothed(losses, window)
    bottom = min(range(len(smooth)), key=smooth.__getitem__, default=0)
    if not smooth or smooth[0] - smooth[bottom] < _LEAST_FALL * smooth[0]:
        raise UsageError(
            "the loss does not fall at any of these rates",
            why=ended,
            hint="lower --low or raise --high, or give the test more --steps",
        )
    near = smooth[0] - _NEARLY_ALL * (smooth[0] - smooth[bottom])
    edge = next(i for i, loss in enumerate(smooth) if loss <= near)
    suggestion = float(f"{rates[edge] / _SAFETY:.1e}")
    falling = bottom >= len(smooth) - window
    return RangeTest(rates, losses, smooth, rates[bottom], suggestion, ended, falling)
