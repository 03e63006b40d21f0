"""The training loop. It never asks which task it trains."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from charrnn.config.schema import Evaluate, Train
from charrnn.contracts import Stream, Task
from charrnn.errors import DiskFullError, DivergedError, Interrupted
from charrnn.train.ahead import Ahead
from charrnn.train.evaluate import evaluate
from charrnn.train.guard import autopsy, diverged
from charrnn.train.interrupt import Interrupt
from charrnn.train.recall import OfHistory
from charrnn.train.schedule import rate_factor, should_stop, total_steps
from charrnn.train.state import Tally, TrainState
from charrnn.train.step import StepResult, advance
from charrnn.train.world import World


class Saver(Protocol):
    """Where checkpoints go."""

    def due(self, step: int, steps_per_epoch: int, shift: int) -> bool:
        """Whether the settings ask for a checkpoint at `step`; epochs are counted from `step` + `shift`."""

    def late(self) -> bool:
        """Whether the settings ask for a checkpoint because of the time since the last one."""

    def save(self, state: TrainState) -> None:
        """Write a checkpoint, move `last` and `best`, and only then remove what is too old."""

    def roll_back(self, state: TrainState) -> bool:
        """Let `state` and the records be those of the last good checkpoint; False where there is none."""

    def dump(self, report: dict[str, Any]) -> Path:
        """Write down what a diverged run came to; returns the file."""


class Log(Protocol):
    """Where records go."""

    def log(self, record: dict[str, Any]) -> None:
        """Write one record."""

    def sample(self, step: int, text: str) -> None:
        """Write one sample."""


Verdict = Callable[[Sequence[dict[str, float]]], str | None]
"""Asked after each validation, with all of them so far: a text ends the run, and says why."""


def never(history: Sequence[dict[str, float]]) -> str | None:
    """The verdict that lets every run go to its end."""
    return None


@dataclass
class Training:
    """One run of training: what it works on and whom it tells.

    Attributes:
        task: what is trained.
        state: where the run stands.
        stream: the batches of the training split.
        settings: the `train:` section.
        evaluation: the `evaluate:` section.
        device: where the model is.
        saver: writes checkpoints.
        logger: writes records.
        sampler: makes a text from the model as it is; None of a model that writes none.
        interrupt: the signals so far.
        world: the processes that share the run; all of them go through the same steps, and know the same.
        verdict: whether the run is to end before its time.
        clock: tells seconds.
        ahead: does several updates before their figures are looked at; None where each is looked at on its own.
    """

    task: Task
    state: TrainState
    stream: Stream
    settings: Train
    evaluation: Evaluate
    device: torch.device
    saver: Saver
    logger: Log
    sampler: Callable[[TrainState], str | None]
    interrupt: Interrupt
    verdict: Verdict = never
    world: World = field(default_factory=World)
    clock: Callable[[], float] = time.perf_counter
    ahead: Ahead | None = None

    def __post_init__(self) -> None:
        self._rate, self._unsaved = 0.0, False
        self._stops = OfHistory(lambda history: should_stop(self.settings.early_stop, history))
        self._validates = self.task.stream("valid") is not None
        self._time_anew()

    @property
    def steps(self) -> int:
        """Updates in all."""
        return total_steps(self.settings, self.stream.steps_per_epoch, self.state.shift)

    def run(self) -> None:
        """Train to the end, or until a signal asks to stop; either way the last state is saved.

        Raises:
            Interrupted: a signal asked to stop; the state has been saved.
            DivergedError: the loss stays not finite; the last good checkpoint stands.
            StorageError: the disk refused; for want of room the second time in a row, or where no save is to come.
        """
        self.state.model.train()
        try:
            while True:
                self._validate_when_due()
                self.state.ended = self._ending()
                self._save_when_due()
                if self.state.ended:
                    return
                self.interrupt.check()
                self._update()
                self._log_when_due()
        except Interrupted as stop:
            self._save()
            stop.step = self.state.step
            raise

    def _update(self) -> None:
        """Do the next update, or several where nobody must look in between, and take account of what they saw."""
        state = self.state
        if state.place % self.stream.steps_per_epoch == 0:
            state.epoch = Tally()
        for rate, result in self._updates():
            self._rate = rate
            for tally in (state.interval, state.epoch):
                result.add_to(tally)
            if state.skipped >= self.settings.guard.skips:
                self._recover(f"{state.skipped} updates in a row were not finite", vars(result))
                return

    def _updates(self) -> Iterator[tuple[float, StepResult]]:
        """The next updates, each with its rate; the state counts them one by one."""
        state = self.state
        if self.ahead is None:
            rate = self._scheduled_rate(state.step)
            yield rate, advance(self.task, state, self.stream, rate, self.settings, self.device, self.world)
        else:
            rates = [self._scheduled_rate(state.step + i) for i in range(self._room(self.ahead.most))]
            yield from zip(rates, self.ahead.run(rates), strict=False)

    def _room(self, most: int) -> int:
        """How many updates, from 1 to `most`, come before the next step at which something may fall due."""
        if self.state.skipped:  # what has fallen due waits for the first update that is done
            return 1
        return next((n for n in range(1, most) if self._due_at(self.state.step + n)), most)

    def _due_at(self, step: int) -> bool:
        """Whether a record, a validation, a checkpoint or an end may fall due when so many updates are done."""
        state, epoch, every = self.state, self.stream.steps_per_epoch, self.evaluation.every
        return (
            step == self.steps
            or step % self.settings.log_every == 0
            or (step + state.shift) % epoch == 0
            or (every != "epoch" and step % every == 0)
            or self.saver.due(step, epoch, state.shift)
        )

    def _scheduled_rate(self, step: int) -> float:
        state, epoch = self.state, self.stream.steps_per_epoch
        factor = rate_factor(self.settings.schedule, step, self.steps, epoch, state.history, state.shift)
        return self.settings.optimizer.lr * factor * state.rate_scale

    def _recover(self, what: str, figures: dict[str, Any]) -> None:
        """Go back to the last good checkpoint with half the rate, once; the second time the run ends there."""
        state, step, again = self.state, self.state.step, self.state.rate_scale < 1.0
        report = autopsy(state, what, figures, self._rate)
        rolled_back = self.saver.roll_back(state)
        if again or not rolled_back:
            raise diverged(self.saver.dump(report), what, step, again)
        state.rate_scale = 0.5
        self._time_anew()
        self.logger.log(self._record("guard") | {"what": what, "rolled_back_from": step})

    def _time_anew(self) -> None:
        """Speeds are taken from here on: a tally may hold what an earlier life of the run has read."""
        self._since, self._counted = self.clock(), self.state.interval.count

    def _ending(self) -> str | None:
        history = self.state.history
        verdict = self.verdict(history) if history and history[-1]["step"] == self.state.step else None
        if self.state.step >= self.steps:
            return "all steps are done"
        if self._stops(history):
            return "validation no longer improves"
        return verdict

    def _log_when_due(self) -> None:
        state = self.state
        tally, now = state.interval, self.clock()
        due = state.step % self.settings.log_every == 0 or state.step == self.steps
        if not due or not (tally.steps or tally.skipped):  # just after going back there is nothing to tell
            return
        speed = (tally.count - self._counted) / max(now - self._since, 1e-9)
        figures = self.task.metrics(tally.mean, "train") if tally.count else {}
        figures |= self.task.speed(speed, "train")
        self.logger.log(self._record("train") | figures | {"lr": self._rate} | tally.means() | state.precision.told())
        state.interval = Tally()
        self._time_anew()

    def _validate_when_due(self) -> None:
        if not self._validation_due():
            return
        state, began = self.state, self.clock()
        result = evaluate(self.task, state.shown, "valid", self.device, self.interrupt.check, world=self.world)
        assert result is not None, "it is due only where there is a text for it"
        if not math.isfinite(result.mean):
            self._recover(f"the validation loss is {result.mean}", {f"valid_{self.task.figure}": result.mean})
            return
        # The sample first: a signal while it is made leaves this validation undone, not half done.
        text = self.sampler(state)
        figures = self.task.metrics(result.mean, "valid") | numbers(result.figures)
        state.history.append({"step": state.step, "loss": result.mean} | figures)
        extra: dict[str, Any] = {**result.reading, "best": state.best is state.history[-1]}
        if state.average is not None:
            extra["averaged"] = state.average.count
        if state.epoch.count:
            extra[f"train_{self.task.figure}"] = state.epoch.mean
        self.logger.log(self._record("valid") | figures | extra | dict(result.figures))
        if text is not None:
            self.logger.sample(state.step, text)
        self._since += self.clock() - began

    def _validation_due(self) -> bool:
        """At every period's end, or at the first update after it that was not skipped; and at the end of all."""
        state, every = self.state, self.evaluation.every
        past = state.place % self.stream.steps_per_epoch if every == "epoch" else state.step % every
        known = state.history[-1]["step"] if state.history else 0
        ending = state.step == self.steps
        wanted = state.step if ending else state.step - past
        return self._validates and known < wanted and (ending or not state.skipped)

    def _save_when_due(self) -> None:
        """Save what was asked for; in a row of skipped updates nothing has changed, and nothing falls due."""
        state = self.state
        improved = state.best is not None and state.best["step"] == state.step
        due = not state.skipped and self.saver.due(state.step, self.stream.steps_per_epoch, state.shift)
        if state.step and not state.skipped and self.saver.late():
            self.interrupt.save = True
        asked = self.interrupt.take_save()  # a checkpoint that falls due anyway is the one that was asked for
        if not (state.ended or improved or due or asked):
            return
        try:
            self._save()
        except DivergedError as error:
            self._recover(error.what, {})
        except DiskFullError as error:
            self._go_on_unsaved(error)

    def _go_on_unsaved(self, error: DiskFullError) -> None:
        """Train on, once, without a checkpoint that there was no room for: by the next one there may be."""
        if self._unsaved or self.state.ended or self.interrupt.stop is not None:
            raise error
        self._unsaved = True
        what = f"{error.where}: {error.why}; if there is no room for the next checkpoint either, the run ends"
        self.logger.log(self._record("disk") | {"what": what})

    def _save(self) -> None:
        began = self.clock()
        self.saver.save(self.state)
        self._unsaved = False
        self.interrupt.saved(self.clock() - began)

    def _record(self, split: str) -> dict[str, Any]:
        epoch = self.state.place / self.stream.steps_per_epoch
        return {"step": self.state.step, "epoch": round(epoch, 4), "split": split}


def numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    """Those of the figures that are single numbers."""
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}
