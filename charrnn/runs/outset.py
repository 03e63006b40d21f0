"""What a run begins with: its state, the sampler of its log, and what its checkpoints will say of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from charrnn.contracts import Task
from charrnn.models.minimal import use_form
from charrnn.models.padding import use_padding
from charrnn.runs.mixed import mixed_document
from charrnn.runs.plan import Plan
from charrnn.runs.pretrained import Pretrained
from charrnn.runs.task import first_lanes
from charrnn.runs.transfer import Origin
from charrnn.runs.use import in_form, stepper
from charrnn.sample.several import check_options, several
from charrnn.tasks.language import LanguageTask
from charrnn.train.average import WeightAverage
from charrnn.train.interrupt import Interrupt
from charrnn.train.optim import build_optimizer
from charrnn.train.outlets import Sampler
from charrnn.train.precision import Precision
from charrnn.train.state import TrainState, model_arrays


def new_state(
    task: Task,
    device: torch.device,
    origin: Origin | None = None,
    plan: Plan | None = None,
    *,
    pretrained: Pretrained | None = None,
) -> TrainState:
    """A run at its very beginning, on `device`; its weights are those of `origin` where there is one, and its embedding
    begins with the `pretrained` vectors.

    `plan` is how it is computed; without one, as the weights are.
    """
    model = task.model().to(device)
    precision = Precision()
    if plan is not None:
        use_form(model, plan.scan)
        if plan.padded:
            use_padding(model)
        precision = Precision.of(plan.precision, plan.tf32, device)
    if origin is not None:
        origin.give(model, task)
    if pretrained is not None:
        pretrained.give(model)
    lanes = first_lanes(task, model)
    train = task.config.train
    average = None if train.average is None else WeightAverage(train.average, model)
    return TrainState(model, build_optimizer(train.optimizer, model), lanes, train.seed, average, precision)


def documents_of(task: Task, plan: Plan, beginning: dict[str, Any]) -> dict[str, Any]:
    """What every checkpoint of a run holds besides arrays; `beginning` tells what it began from."""
    return {
        "config": {
            "config": task.config.model_dump(mode="json"),
            "corpus_digest": task.corpus.digest,
            "plan": asdict(plan),
            **mixed_document(task),
            **beginning,
        },
        **task.documents(),
    }


def sampler_for(task: Task, interrupt: Interrupt) -> Sampler:
    """A text from the model as it is, for the log; a seed that cannot be spelled is an error before training."""
    if not isinstance(task, LanguageTask):
        return lambda state: None
    config, vocabulary = task.config, task.vocabulary
    options = in_form(config.sample, config.corpus)
    prompt = vocabulary.encode(options.seed).tolist() if options.seed else []
    check_options(options, vocabulary)

    def text(state: TrainState) -> str:
        network = stepper(config, model_arrays(state.shown))
        drawn = several(network, vocabulary, prompt, options, (0,), interrupt.check)
        return (options.seed or "") + "".join(one.piece for one in drawn)

    return text
