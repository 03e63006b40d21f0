"""`charrnn train --check`: build everything, run a few batches forward and backward, and say what it costs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from charrnn.config.load import Loaded
from charrnn.errors import DivergedError
from charrnn.logs.console import Console
from charrnn.models.build import parameters_of
from charrnn.runs.memory import out_of_memory, peak_mebibytes
from charrnn.runs.outset import sampler_for
from charrnn.runs.throwaway import throwaway
from charrnn.train.interrupt import Interrupt
from charrnn.train.schedule import rate_factor, total_steps

_STEPS = 3


def dry_run(loaded: Loaded, corpora: Path, console: Console, interrupt: Interrupt) -> dict[str, Any]:
    """Prepare the corpus, build the model, and do a few updates on a throw-away copy; no run folder is made.

    Returns:
        Device, precision, vocabulary, parameters, peak memory in MiB, lanes (or windows), steps per epoch, steps in
        all, and an estimate of the minutes that training takes (the median step of a few, so a rough one).
    """
    config = loaded.config
    with out_of_memory(config):
        trial = throwaway(loaded, corpora, console, interrupt)
        corpus, per_epoch = trial.task.corpus, trial.stream.steps_per_epoch
        sampler_for(trial.task, interrupt)
        steps = total_steps(config.train, per_epoch)
        seconds, loss = [], 0.0
        for step in range(_STEPS):
            interrupt.check()
            began = time.perf_counter()
            factor = rate_factor(config.train.schedule, step, steps, per_epoch, [])
            result = trial.advance(config.train.optimizer.lr * factor)
            seconds.append(time.perf_counter() - began)
            if result.skipped and not result.overflow:
                raise DivergedError(
                    f"the loss or the gradient of update {step + 1} is not finite",
                    hint="lower train.optimizer.lr, or look at the model's sizes",
                )
            loss = loss or result.sum / max(result.count, 1)
    return {
        "corpus": str(corpus.folder),
        "device": f"{trial.plan.device} ({trial.plan.device_name})",
        "precision": trial.plan.way,
        **trial.task.sizes(),
        "parameters": parameters_of(trial.state.model),
        "peak_memory_mib": peak_mebibytes(trial.device),
        **trial.stream.reading,
        "steps_per_epoch": per_epoch,
        "steps": steps,
        f"first_loss_{trial.task.figure}": round(loss, 4),
        "estimated_minutes": round(sorted(seconds)[_STEPS // 2] * steps / 60, 1),
    }
