"""What falls due at a step. Only the counts of updates decide, so a run that was resumed does the same at the same
steps; the one exception is a checkpoint for the sake of time, which changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.config.schema import Evaluate, Train
from charrnn.contracts import Stream
from charrnn.train.outlets import Saver
from charrnn.train.schedule import total_steps
from charrnn.train.state import TrainState


@dataclass(frozen=True)
class Calendar:
    """The dates of one run.

    In a row of skipped updates nothing has changed, so nothing but records falls due: what is missed is made up for
    at the first update that is done.

    Attributes:
        state: where the run stands.
        stream: the batches of the training split.
        settings: the `train:` section.
        evaluation: the `evaluate:` section.
        saver: knows about checkpoints.
        validates: whether there is something to validate by.
    """

    state: TrainState
    stream: Stream
    settings: Train
    evaluation: Evaluate
    saver: Saver
    validates: bool

    @property
    def epoch(self) -> int:
        """The steps of an epoch."""
        return self.stream.steps_per_epoch

    @property
    def end(self) -> int:
        """The last step."""
        return total_steps(self.settings, self.epoch, self.state.shift)

    def room(self, most: int) -> int:
        """How many updates, from 1 to `most`, come before the next step at which something may fall due."""
        if self.state.skipped:
            return 1
        return next((n for n in range(1, most) if self._anything(self.state.step + n)), most)

    def _anything(self, step: int) -> bool:
        """Whether something may fall due when so many updates are done."""
        shift, every = self.state.shift, self.evaluation.every
        return (
            self._record(step)
            or (step + shift) % self.epoch == 0
            or (every != "epoch" and step % every == 0)
            or self.saver.due(step, self.epoch, shift)
        )

    def begins_epoch(self) -> bool:
        """Whether the next update is the first of an epoch."""
        return self.state.place % self.epoch == 0

    def record(self) -> bool:
        """Whether a record of the updates since the last one falls due."""
        return self._record(self.state.step)

    def _record(self, step: int) -> bool:
        return step == self.end or step % self.settings.log_every == 0

    def validation(self) -> bool:
        """At every period's end, or at the first update after it that was not skipped; and at the end of all."""
        state, every = self.state, self.evaluation.every
        past = state.place % self.epoch if every == "epoch" else state.step % every
        known = state.history[-1]["step"] if state.history else 0
        ending = state.step == self.end
        wanted = state.step if ending else state.step - past
        return self.validates and known < wanted and (ending or not state.skipped)

    def checkpoint(self) -> bool:
        """Whether the settings ask for a checkpoint at this step."""
        return not self.state.skipped and self.saver.due(self.state.step, self.epoch, self.state.shift)

    def overdue(self) -> bool:
        """Whether they ask for one because of the time since the last."""
        return self.state.step > 0 and not self.state.skipped and self.saver.late()
