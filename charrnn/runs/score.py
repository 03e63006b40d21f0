"""What a trained model of any task but `language` comes to on a split of its data: the figures of its validations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded
from charrnn.contracts import Task
from charrnn.errors import DataError, DivergedError
from charrnn.logs.console import Console
from charrnn.runs.changes import say_changed
from charrnn.runs.memory import out_of_memory
from charrnn.runs.mixed import learned, say_transductive
from charrnn.runs.plan import apply_plan, make_plan, with_scan
from charrnn.runs.resume import as_prepared, check_corpus, check_model
from charrnn.runs.task import say_remarks, task_of
from charrnn.train.evaluate import evaluate
from charrnn.train.interrupt import Interrupt
from charrnn.train.state import load_model

_IN_ORDER = (1, 1)


def score_run(
    checkpoint: Checkpoint, loaded: Loaded, split: str, corpora: Path, console: Console, interrupt: Interrupt
) -> dict[str, Any]:
    """Measure the model of a checkpoint on a split of the data that it was trained with.

    Args:
        checkpoint: the model.
        loaded: the config of its run; keys that only say how to compute may differ.
        split: `train`, `valid` or `test`.
        corpora: where data are looked for and prepared.
        console: shows the progress.
        interrupt: the signals so far.

    Returns:
        The checkpoint, the split, how it was read, and the figures of the task.

    Raises:
        ConfigError: the config is of another model.
        DataError: the data are others, or the split is empty.
        CheckpointError: the checkpoint is damaged.
        DivergedError: the loss is not finite.
        Interrupted: a signal asked to stop.
    """
    task, model, device = open_trained(checkpoint, loaded, corpora, console, interrupt)
    say_remarks(task, split, console)
    say_transductive(checkpoint, split, console)
    say_changed(checkpoint, console)
    with out_of_memory(loaded.config, training=False):
        result = evaluate(task, model, split, device, interrupt.check, _IN_ORDER if split == "train" else None)
    if result is None:
        raise DataError(
            f"the {split} split {'was trained on' if learned(checkpoint, split) else 'is empty'}",
            where=task.corpus.folder,
            hint="name another one with --split: see corpus.split",
        )
    if not math.isfinite(result.mean):
        raise DivergedError(f"the loss of the {split} split is {result.mean}", hint="evaluate an earlier checkpoint")
    return {
        "checkpoint": str(checkpoint.folder),
        "step": checkpoint.step,
        "split": split,
        **result.reading,
        **task.metrics(result.mean, split),
        **result.figures,
    }


def open_trained(
    checkpoint: Checkpoint, loaded: Loaded, corpora: Path, console: Console, interrupt: Interrupt
) -> tuple[Task, nn.Module, torch.device]:
    """The task of a run over its data, and its trained model where the config wants it, in evaluation mode.

    Raises:
        ConfigError, DataError, CheckpointError: they do not belong together; see `score_run`.
    """
    check_model(checkpoint, loaded)
    about = checkpoint.document("config")
    task = task_of(as_prepared(checkpoint, loaded, corpora), corpora, console, interrupt.check)
    check_corpus(checkpoint, task.corpus)
    plan = make_plan(loaded.config.train, about["plan"], training=False)
    device = apply_plan(plan)
    stream = task.stream("train", _IN_ORDER)  # by itself: what was mixed in need not be there any more
    assert stream is not None, "an empty training split is refused when the data are prepared"
    plan = with_scan(plan, loaded.config, stream, about["plan"])
    changed = plan.differences_in_measuring(about["plan"])
    if changed:
        console.note("not as the run was trained, so the last digits may differ: " + ", ".join(changed))
    model = task.model().to(device)
    load_model(model, checkpoint)
    return task, model.eval(), device
