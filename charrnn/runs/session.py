"""One process's work on a run: the wiring, and then the loop.

With several processes each of them does this; where one of them alone may act (the files), it is the first.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded
from charrnn.config.render import render
from charrnn.config.schema.schedule import PlateauSchedule
from charrnn.config.schema.train import NtAsgdAverage
from charrnn.contracts import Task
from charrnn.errors import UsageError
from charrnn.files.atomic import write_text
from charrnn.files.refusals import storage_errors
from charrnn.logs import tensorboard
from charrnn.logs.console import Console
from charrnn.logs.logger import RunLog
from charrnn.models.build import parameters_of
from charrnn.runs.bounds import refuse_endless
from charrnn.runs.changes import Changes
from charrnn.runs.claim import clear
from charrnn.runs.folder import RunFolder
from charrnn.runs.mixed import no_validation
from charrnn.runs.outset import documents_of, new_state, sampler_for
from charrnn.runs.plan import Plan, apply_plan, make_plan, with_scan
from charrnn.runs.pretrained import Pretrained, beginning, pretrained_of
from charrnn.runs.processes import Silence, refuse_uneven
from charrnn.runs.saver import RunSaver
from charrnn.runs.stepping import ahead_of, say_step, with_step, with_tokens
from charrnn.runs.task import training_stream
from charrnn.runs.transfer import Origin, origin_of, provenance
from charrnn.runs.ways import with_way
from charrnn.train.company import SharedInterrupt
from charrnn.train.interrupt import Interrupt
from charrnn.train.loop import Training
from charrnn.train.outlets import Verdict
from charrnn.train.schedule import total_steps
from charrnn.train.state import TrainState
from charrnn.train.world import World, share_statistics


@dataclass(frozen=True)
class Session:
    """One process's work on a run that may begin, or go on from `checkpoint`."""

    run: RunFolder
    loaded: Loaded
    task: Task
    checkpoint: Checkpoint | None
    changes: Changes
    console: Console
    interrupt: Interrupt
    world: World

    def train(self, anew: bool, verdict: Verdict) -> TrainState:
        """Train to the end; with `anew`, what is in the folder goes first."""
        # All that can be refused is refused before anything is deleted or written.
        config, task, world = self.loaded.config, self.task, self.world
        with world.agreeing():
            _refuse_blindness(task)
            origin = origin_of(config) if self.checkpoint is None else None
            pretrained = pretrained_of(task) if self.checkpoint is None else None
            former = _former_plan(self.checkpoint)
            plan = make_plan(config.train, former, world.size)
            device = apply_plan(plan)
            plan = with_step(with_tokens(plan, task), config)
            sampler = sampler_for(task, self.interrupt)
            events = tensorboard.wanted(config.train.tensorboard)
            stream = training_stream(task)
            refuse_uneven(stream, world)
            plan = with_scan(plan, config, stream, former)
        plan = replace(plan, scan=world.told(plan.scan))  # it may be measured, and all must compute alike
        begin = partial(new_state, task, device, origin, pretrained=pretrained)
        plan = with_way(plan, task, stream, begin, self.console.note, former, world)
        with world.agreeing():
            state = self._state(plan, device, origin, pretrained)
            end = total_steps(config.train, stream.steps_per_epoch, state.shift)
            _refuse_the_past(state, end)
            refuse_endless(config, end, stream.steps_per_epoch)
        with closing(self._log(anew, state, events)) as log:
            begun = provenance(self.checkpoint, origin) | beginning(self.checkpoint, pretrained)
            documents = documents_of(task, plan, begun | self.changes.document(stream))
            saver = RunSaver(
                self.run, config.train.save, documents, log, adapt=self._adapt, say=self.console.note, world=world
            )
            if self.changes.new:  # at once, so that no later session must be allowed it again
                saver.save(state)
            elif self.checkpoint is not None:
                saver.resumed(state)
            shared = self.interrupt if world.alone else SharedInterrupt(self.interrupt, world)
            training = Training(
                task,
                state,
                stream,
                config.train,
                config.evaluate,
                device,
                saver,
                log,
                lambda now: world.first_does(lambda: sampler(now)),
                shared,
                verdict,
                world,
                ahead=ahead_of(plan, task, state, stream, self.console.note),
            )
            self._say_steps(plan, former)
            steps = training.steps, stream.steps_per_epoch
            self.console.start(self.run.path, parameters_of(state.model), *steps, str(device))
            training.run()
        return state

    def _say_steps(self, plan: Plan, former: dict[str, Any] | None) -> None:
        """Tell how updates are done, where that is a question."""
        told = say_step(plan, self.loaded.config, former)
        if told is not None:
            self.console.note(told)

    def _state(
        self, plan: Plan, device: torch.device, origin: Origin | None, pretrained: Pretrained | None
    ) -> TrainState:
        """Where the run begins, or goes on."""
        state = new_state(self.task, device, origin, plan, pretrained=pretrained)
        share_statistics(state.model, self.world)
        if origin is not None:
            origin.say(self.console, self.task)
        if pretrained is not None:
            pretrained.say(self.console)
        if self.checkpoint is not None:
            fresh = state.lanes
            state.restore(self.checkpoint, device)
            self.changes.adapt(state, self.checkpoint, self.task, training_stream(self.task))
            state.check_lanes(fresh, self.checkpoint.folder)
            _say_resumed(self.console, self.checkpoint, plan, state)
            self.changes.say(self.console)
        self._keep_own(state)
        return state

    def _adapt(self, state: TrainState, checkpoint: Checkpoint) -> None:
        """Make of a state that was restored in the middle of the run one that this process can go on with."""
        self.changes.adapt(state, checkpoint, self.task, training_stream(self.task))
        self._keep_own(state)

    def _keep_own(self, state: TrainState) -> None:
        """Let go of the lanes that are other processes'."""
        if not self.world.alone:
            stream = training_stream(self.task)
            state.lanes = stream.carried(state.lanes, self.world.rows(stream.rows))

    def _log(self, anew: bool, state: TrainState, events: bool) -> RunLog | Silence:
        """The log; before it is opened goes what an earlier run has left, and the config is written."""
        opened: list[RunLog] = []

        def begin() -> None:
            if anew:
                clear(self.run)
            with storage_errors(self.run.dump):
                self.run.dump.unlink(missing_ok=True)
            positions = {} if self.checkpoint is None else self.checkpoint.document("train")["records"]
            opened.append(RunLog(self.run.path, self.console, positions, state.step, events))
            write_text(self.run.config, render(self.loaded.anchored()))

        self.world.first_does(begin)
        return opened[0] if opened else Silence()


def _refuse_blindness(task: Task) -> None:
    train = task.config.train
    blind = [
        *(["train.schedule: plateau"] if isinstance(train.schedule, PlateauSchedule) else []),
        *(["train.average: nt-asgd"] if isinstance(train.average, NtAsgdAverage) else []),
    ]
    if blind and task.stream("valid") is None:
        error = no_validation(task)
        error.why, error.hint = f"{' and '.join(blind)} would wait for ever", f"{error.hint}, or choose another kind"
        raise error


def _refuse_the_past(state: TrainState, steps: int) -> None:
    if state.step > steps:
        raise UsageError(
            f"the run is at step {state.step} already, beyond the {steps} that it should come to",
            hint="raise train.max_steps or train.epochs",
        )


def _former_plan(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    return None if checkpoint is None else checkpoint.document("config")["plan"]


def _say_resumed(console: Console, checkpoint: Checkpoint, plan: Plan, state: TrainState) -> None:
    console.note(f"resuming {checkpoint.folder} at step {state.step}")
    left = plan.exactness(_former_plan(checkpoint) or {})
    if left is not None:
        console.note(left)
