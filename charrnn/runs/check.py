"""`charrnn train --check`: build everything, run a few batches forward and backward, and say what it costs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from charrnn.config.load import Loaded
from charrnn.errors import DivergedError
from charrnn.logs.console import Console
from charrnn.models.build import parameters_of
from charrnn.runs.corpus import prepared
from charrnn.runs.memory import out_of_memory, peak_mebibytes
from charrnn.runs.plan import apply_plan, make_plan
from charrnn.runs.start import new_state, sampler_for, training_stream
from charrnn.runs.transfer import origin_of
from charrnn.tasks.language import LanguageTask
from charrnn.train.interrupt import Interrupt
from charrnn.train.loop import total_steps
from charrnn.train.step import update

_STEPS = 3


def dry_run(loaded: Loaded, corpora: Path, console: Console, interrupt: Interrupt) -> dict[str, Any]:
    """Prepare the corpus, build the model, and do a few updates on a throw-away copy; no run folder is made.

    Returns:
        Device, vocabulary, parameters, peak memory in MiB, lanes (or windows), steps per epoch, steps in all, and an
        estimate of the minutes that training takes (the median step of a few, so a rough one).
    """
    config = loaded.config
    corpus = prepared(loaded, corpora, console, interrupt.check).corpus
    plan = make_plan(config.train)
    device = apply_plan(plan)
    task = LanguageTask(config, corpus)
    sampler_for(config, corpus, interrupt)
    origin = origin_of(config)
    with out_of_memory(config):
        state = new_state(task, config, device, origin)
        if origin is not None:
            origin.say(console, config, corpus.vocabulary)
        state.model.train()
        stream = training_stream(task)
        seconds, nats = [], 0.0
        for step in range(_STEPS):
            interrupt.check()
            began = time.perf_counter()
            result = update(task, state, stream.batch(step, device), config.train.clip_norm)
            seconds.append(time.perf_counter() - began)
            if result.skipped:
                raise DivergedError(
                    f"the loss or the gradient of update {step + 1} is not finite",
                    hint="lower train.optimizer.lr, or look at the model's sizes",
                )
            nats = nats or result.nats / result.count
    steps = total_steps(config.train, stream.steps_per_epoch)
    return {
        "corpus": str(corpus.folder),
        "device": f"{plan.device} ({plan.device_name})",
        "vocabulary": corpus.vocabulary.size,
        "parameters": parameters_of(state.model),
        "peak_memory_mib": peak_mebibytes(device),
        **stream.reading,
        "steps_per_epoch": stream.steps_per_epoch,
        "steps": steps,
        "first_loss_nats": round(nats, 4),
        "estimated_minutes": round(sorted(seconds)[_STEPS // 2] * steps / 60, 1),
    }
