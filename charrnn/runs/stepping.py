"""How the updates of a run are done: each looked at on its own, several ahead of a look, or those each as a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from charrnn.config.schema import Config, LanguageConfig
from charrnn.config.schema.optimizer import Adam, AdamW, Sgd
from charrnn.contracts import Stream, Task
from charrnn.errors import ConfigError
from charrnn.models.capture import capture_on
from charrnn.runs.plan import Plan
from charrnn.tasks.language import LanguageTask
from charrnn.train.ahead import Ahead
from charrnn.train.state import TrainState


def with_tokens(plan: Plan, task: Task) -> Plan:
    """The plan with where the tokens of training lie: from now on they do."""
    there = isinstance(task, LanguageTask) and task.keep_tokens_on(torch.device(plan.device))
    return replace(plan, tokens="device" if there else "host")


def with_step(plan: Plan, config: Config) -> Plan:
    """The plan with how updates are done.

    Raises:
        ConfigError: the config insists on graphs, and they are not possible.
    """
    why = obstacle(plan, config)
    if config.train.step == "graph" and why is not None:
        raise ConfigError(
            "updates cannot be graphs here",
            where="train.step",
            why=why,
            hint="set train.step to `auto`, which takes graphs where they are possible; the numbers are the same",
        )
    return replace(plan, step="eager" if why is not None or config.train.step == "eager" else "graph")


def obstacle(plan: Plan, config: Config) -> str | None:
    """Why updates cannot be graphs; None where they can."""
    if torch.device(plan.device).type != "cuda":
        return f"this run computes on `{plan.device}`, and graphs are CUDA's"
    if not isinstance(config, LanguageConfig):
        return f"the batches of `task: {config.task}` have no lasting form"
    if config.train.scheduled_sampling is not None:
        return "`train.scheduled_sampling` draws within the update, and another share at every step"
    return _must_look(plan, config)


def ahead_of(plan: Plan, task: Task, state: TrainState, stream: Stream, say: Callable[[str], None]) -> Ahead | None:
    """What does several updates ahead of a look at them; None where each is looked at on its own, as on a CPU, which
    does not wait for looks.

    Args:
        plan: the plan, applied already.
        task: what is trained.
        state: the run.
        stream: the batches of the training split.
        say: is told where graphs turn out to be impossible.
    """
    device = torch.device(plan.device)
    if device.type != "cuda" or _must_look(plan, task.config) is not None:
        return None
    capture = capture_on(device) if plan.step == "graph" else None
    return Ahead(task, state, stream, task.config.train, device, capture, say)


def say_step(plan: Plan, config: Config, former: dict[str, Any] | None) -> str | None:
    """What a user should know of how updates are done; None on a CPU, where there is nothing to choose."""
    if torch.device(plan.device).type != "cuda":
        return None
    why = "`train.step` is `eager`" if config.train.step == "eager" else obstacle(plan, config)
    told = "updates are graphs" if plan.step == "graph" else f"updates are done one by one: {why}"
    before = (former or {}).get("step", plan.step)
    return f"{told}; the tokens of training lie {'on the device' if plan.tokens == 'device' else 'with the host'}" + (
        "" if before == plan.step else f"; in the session before: {before}"
    )


def _must_look(plan: Plan, config: Config) -> str | None:
    """Why each update must be looked at before it is done; None where the device can decide by itself."""
    if plan.processes > 1:
        return "several processes share the batches"
    if not isinstance(config.train.optimizer, Adam | AdamW | Sgd):
        return f"`train.optimizer.kind: {config.train.optimizer.kind}` cannot leave out an update by itself"
    if config.train.average is not None:
        return "`train.average` counts on the host"
    return None
