"""A training that leaves no trace: what `train --check` and `find-lr` do a few updates with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from charrnn.config.load import Loaded
from charrnn.contracts import Stream, Task
from charrnn.logs.console import Console
from charrnn.runs.mixed import say_mixed
from charrnn.runs.outset import new_state
from charrnn.runs.plan import Plan, apply_plan, make_plan, with_scan
from charrnn.runs.pretrained import pretrained_of
from charrnn.runs.stepping import with_step
from charrnn.runs.task import say_remarks, task_of, training_stream
from charrnn.runs.transfer import origin_of
from charrnn.runs.ways import with_way
from charrnn.train.interrupt import Interrupt
from charrnn.train.state import TrainState
from charrnn.train.step import StepResult, advance


@dataclass(frozen=True)
class Throwaway:
    """A run at its very beginning, without a folder.

    Attributes:
        task: what is trained.
        state: where it stands.
        stream: the batches of the training split.
        plan: how it computes.
        device: where.
    """

    task: Task
    state: TrainState
    stream: Stream
    plan: Plan
    device: torch.device

    def advance(self, lr: float) -> StepResult:
        """Do the next update at the rate `lr`."""
        return advance(self.task, self.state, self.stream, lr, self.task.config.train, self.device)


def throwaway(loaded: Loaded, corpora: Path, console: Console, interrupt: Interrupt) -> Throwaway:
    """Prepare the corpus of a config and build the run that `charrnn train` would begin, with all its refusals.

    Args:
        loaded: the config.
        corpora: where corpora are looked for and prepared.
        console: shows the progress.
        interrupt: the signals so far.

    Raises:
        ConfigError, DataError, DeviceError, CheckpointError: as `charrnn train` does.
    """
    config = loaded.config
    task = task_of(loaded, corpora, console, interrupt.check)
    say_remarks(task, "valid", console)
    say_mixed(task, console)
    origin = origin_of(config)
    pretrained = pretrained_of(task)
    plan = make_plan(config.train)
    device = apply_plan(plan)
    plan = with_step(plan, config)
    stream = training_stream(task)
    plan = with_scan(plan, config, stream)
    begin = partial(new_state, task, device, origin, pretrained=pretrained)
    plan = with_way(plan, task, stream, begin, console.note)
    state = begin(plan)
    if origin is not None:
        origin.say(console, task)
    if pretrained is not None:
        pretrained.say(console)
    state.model.train()
    return Throwaway(task, state, stream, plan, device)
