"""The training loop. It never asks which task it trains."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from charrnn.config.schema import Evaluate, Train
from charrnn.contracts import Stream, Task
from charrnn.errors import DiskFullError, DivergedError, Interrupted
from charrnn.train.ahead import Ahead
from charrnn.train.calendar import Calendar
from charrnn.train.evaluate import evaluate
from charrnn.train.guard import autopsy, diverged
from charrnn.train.interrupt import Interrupt
from charrnn.train.outlets import Log, Sampler, Saver, Verdict, never
from charrnn.train.recall import OfHistory
from charrnn.train.schedule import rate_factor, should_stop
from charrnn.train.state import Tally, TrainState
from charrnn.train.step import StepResult, advance
from charrnn.train.world import World


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
        sampler: makes a text from the model as it is.
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
    sampler: Sampler
    interrupt: Interrupt
    verdict: Verdict = never
    world: World = field(default_factory=World)
    clock: Callable[[], float] = time.perf_counter
    ahead: Ahead | None = None

    def __post_init__(self) -> None:
        self._rate, self._unsaved = 0.0, False
        self._stops = OfHistory(lambda history: should_stop(self.settings.early_stop, history))
        validates = self.task.stream("valid") is not None
        self._calendar = Calendar(self.state, self.stream, self.settings, self.evaluation, self.saver, validates)
        self._time_anew()

    @property
    def steps(self) -> int:
        """Updates in all."""
        return self._calendar.end

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
        if self._calendar.begins_epoch():
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
            rates = [self._scheduled_rate(state.step + i) for i in range(self._calendar.room(self.ahead.most))]
            yield from zip(rates, self.ahead.run(rates), strict=False)

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
        if not self._calendar.record():
            return
        if not (tally.steps or tally.skipped):  # just after going back there is nothing to tell
            return
        speed = (tally.count - self._counted) / max(now - self._since, 1e-9)
        figures = self.task.metrics(tally.mean, "train") if tally.count else {}
        figures |= self.task.speed(speed, "train")
        self.logger.log(self._record("train") | figures | {"lr": self._rate} | tally.means() | state.precision.told())
        state.interval = Tally()
        self._time_anew()

    def _validate_when_due(self) -> None:
        if not self._calendar.validation():
            return
        state, began = self.state, self.clock()
        result = evaluate(self.task, state.shown, "valid", self.device, self.interrupt.check, world=self.world)
        assert result is not None, "it is due only where there is a text for it"
        if not math.isfinite(result.mean):
            self._recover(f"the validation loss is {result.mean}", {f"valid_{self.task.figure}": result.mean})
            return
        # The sample first: a signal while it is made leaves this validation undone, not half done.
        text = self.sampler(state)
        figures = self.task.metrics(result.mean, "valid") | result.numbers
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

    def _save_when_due(self) -> None:
        """Save what is due, what has improved, and what was asked for."""
        state = self.state
        improved = state.best is not None and state.best["step"] == state.step
        if self._calendar.overdue():
            self.interrupt.save = True
        asked = self.interrupt.take_save()  # a checkpoint that falls due anyway is the one that was asked for
        if not (state.ended or improved or asked or self._calendar.checkpoint()):
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
