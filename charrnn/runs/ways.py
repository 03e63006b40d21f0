"""In what way the updates of a run are computed: as the config says, as before, or as is fastest on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from charrnn.config.schema.model import ElmanCore, LstmCore, StateDrop
from charrnn.contracts import Stream, Task
from charrnn.files.cache import cache_folder
from charrnn.models.padding import makes_persistent
from charrnn.runs.autotune import Choice, Runner, Seen, fastest, remembered
from charrnn.runs.hardware import hardware_of
from charrnn.runs.plan import WAY, Plan
from charrnn.runs.stepping import ahead_of
from charrnn.train.ahead import Ahead
from charrnn.train.optim import rate_on, set_rate
from charrnn.train.precision import REDUCED
from charrnn.train.schedule import rate_factor, total_steps
from charrnn.train.state import TrainState
from charrnn.train.step import StepResult, update
from charrnn.train.world import World

_ALONE = World()


def with_way(
    plan: Plan,
    task: Task,
    stream: Stream,
    begin: Callable[[Plan], TrainState],
    say: Callable[[str], None],
    former: Mapping[str, Any] | None = None,
    world: World = _ALONE,
) -> Plan:
    """The plan with the way in which updates are computed.

    What there is to choose from is measured in the first process alone, with its share of the rows: weights and state
    are copies, and random numbers are functions of the step, so that nothing of the run is changed or used up.

    Args:
        plan: all else of it.
        task: what is trained.
        stream: its batches.
        begin: a run at its very beginning, on the plan's device, computed in the way of a plan.
        say: told what was taken, and why.
        former: the plan of the session that is resumed; its way is kept where it can be had here.
        world: the processes that share a batch.
    """
    ways = {way.way: way for way in candidates(plan, task, stream)}
    if len(ways) == 1:
        return plan
    if former and torch.device(former["device"]).type == torch.device(plan.device).type:
        before = replace(plan, **{name: former[name] for name in WAY if name in former})
        if before.way in ways:
            say(f"computing in {before.way}, as before")
            return ways[before.way]
    choice = world.first_does(lambda: _measured(ways, plan, task, stream, begin, say, world))
    unit = next(iter(task.speed(0.0, "train"))).replace("_", " ")
    kept = "measured in an earlier run" if choice.kept else "measured now"
    say(f"computing in {choice.way} ({unit}, {kept}: {_in_units(choice, task).told()})")
    return ways[choice.way]


def candidates(plan: Plan, task: Task, stream: Stream) -> Sequence[Plan]:
    """The ways that there are to choose from, the plain one first; one where nothing is to be measured."""
    settings, device = task.config.train, torch.device(plan.device)
    if device.type != "cuda" or plan.deterministic or settings.by_hand or not settings.reducible:
        return [plan]
    ways = [plan]
    if settings.precision == "auto":
        ways.append(replace(plan, tf32=True))
        ways += [replace(plan, precision=name) for name in REDUCED if name in hardware_of(device).reduced]
    rows = -(-stream.rows // (plan.processes * plan.micro_batches))
    if makes_persistent(_kernels(task), rows):
        ways += [replace(way, padded=True) for way in ways if way.precision == "fp16"]
    return ways


def _kernels(task: Task) -> list[tuple[int, int]]:
    """The sizes D and H of the layers that cuDNN has persistent kernels for."""
    model = task.config.model
    core = getattr(model, "core", None)
    if not isinstance(core, LstmCore | ElmanCore) or (isinstance(core.recurrent, StateDrop) and core.recurrent.p):
        return []
    inputs = getattr(getattr(model, "input", None), "size", None) or next(iter(task.sizes().values()))
    return [(core.hidden if layer else inputs, core.hidden) for layer in range(core.layers)]


def _measured(
    ways: Mapping[str, Plan],
    plan: Plan,
    task: Task,
    stream: Stream,
    begin: Callable[[Plan], TrainState],
    say: Callable[[str], None],
    world: World,
) -> Choice:
    device = torch.device(plan.device)
    begun = {name: _beginner(task, stream, begin, way, device, world) for name, way in ways.items()}
    return remembered(cache_folder(), _key(plan, task, stream, list(ways)), list(ways), lambda: fastest(begun), say)


def _beginner(
    task: Task, stream: Stream, begin: Callable[[Plan], TrainState], way: Plan, device: torch.device, world: World
) -> Callable[[], Runner]:
    """How to begin a run of updates in one way."""

    def run() -> Runner:
        if device.type == "cuda":
            torch.cuda.empty_cache()  # of the way that was tried before
        state = begin(way)
        state.model.train()
        if not world.alone:
            state.lanes = stream.carried(state.lanes, world.rows(stream.rows))
        ahead = ahead_of(way, task, state, stream, lambda text: None)
        return _runner(task, stream, state, device, world, ahead)

    return run


def _runner(
    task: Task, stream: Stream, state: TrainState, device: torch.device, world: World, ahead: Ahead | None
) -> Runner:
    settings, epoch = task.config.train, stream.steps_per_epoch
    steps = total_steps(settings, epoch)

    def rate(step: int) -> float:
        return settings.optimizer.lr * rate_factor(settings.schedule, min(step, steps), steps, epoch, [])

    def alone() -> Iterator[StepResult]:
        """One update; again and again while the loss scale finds its height."""
        overflow = True
        while overflow:
            batch = stream.batch(state.place, device, world.share)
            set_rate(state.optimizer, rate_on(device, rate(state.step) * batch.rate))
            result = update(task, state, batch, settings.clip_norm, settings.micro_batches)
            overflow = result.overflow
            state.step -= overflow
        yield result

    def run(updates: int) -> Seen:
        seen: list[StepResult] = []
        while len(seen) < updates:
            if ahead is None or not state.step:
                seen += alone()
            else:
                rates = [rate(state.step + i) for i in range(min(ahead.most, updates - len(seen)))]
                seen += [result for result in ahead.run(rates) if not result.overflow]
        return Seen([each.sum / max(each.count, 1) for each in seen], sum(each.count for each in seen))

    return run


def _key(plan: Plan, task: Task, stream: Stream, ways: Sequence[str]) -> dict[str, Any]:
    """All that the fastest way depends on, as a JSON value."""
    config = task.config
    return {
        "machine": [plan.device_name, plan.torch, torch.version.cuda, torch.backends.cudnn.version()],
        "threads": plan.threads,
        "step": plan.step,
        "ways": list(ways),
        "task": config.task,
        "sizes": task.sizes(),
        "model": config.model.model_dump(mode="json"),
        "stream": config.stream.model_dump(mode="json"),
        "optimizer": config.train.optimizer.model_dump(mode="json"),
        "batch": [stream.rows, stream.columns, plan.micro_batches, plan.processes],
        "scan": plan.scan,
    }


def _in_units(choice: Choice, task: Task) -> Choice:
    """The choice with its rates in the unit that users compare."""
    trials = {
        name: trial
        if trial.per_second is None
        else replace(trial, per_second=next(iter(task.speed(trial.per_second, "train").values())))
        for name, trial in choice.trials.items()
    }
    return replace(choice, trials=trials)
