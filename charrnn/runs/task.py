"""The task that a config names, over its data: the one place that knows all tasks."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from charrnn.config.load import Loaded
from charrnn.config.schema import ClassifyConfig, LanguageConfig, RateConfig, VectorsConfig
from charrnn.contracts import Stream, Task
from charrnn.logs.console import Console
from charrnn.models.core import State
from charrnn.runs.corpus import prepared
from charrnn.runs.mixed_texts import texts_beside
from charrnn.tasks.beside import teacher_states
from charrnn.tasks.classify import ClassifyTask
from charrnn.tasks.language import LanguageTask
from charrnn.tasks.rate import RateTask
from charrnn.tasks.vectors import VectorsTask
from charrnn.text.watch import Check


def task_of(loaded: Loaded, corpora: Path, console: Console, check: Check) -> Task:
    """The task of a config; its data are prepared unless they are there.

    Args:
        loaded: the config.
        corpora: where corpora are looked for and prepared.
        console: shows the progress.
        check: called now and then; it may raise to stop.

    Raises:
        DataError, UsageError, StorageError: the data cannot be prepared.
    """
    config, corpus = loaded.config, prepared(loaded, corpora, console, check).corpus
    match config:
        case LanguageConfig():
            return LanguageTask(config, corpus, texts_beside(loaded, corpus, corpora, console, check))
        case ClassifyConfig():
            return ClassifyTask(config, corpus)
        case RateConfig():
            return RateTask(config, corpus)
        case VectorsConfig():
            return VectorsTask(config, corpus)
    raise AssertionError(f"the task `{config.task}` has a config and no class")


def say_remarks(task: Task, split: str, console: Console) -> None:
    """Tell the user what should be known of a split before any figure of it."""
    for remark in task.remarks(split):
        console.note(remark)


def training_stream(task: Task) -> Stream:
    """The batches of the training split."""
    stream = task.stream("train")
    assert stream is not None, "an empty training split is refused when the data are prepared"
    return stream


def first_lanes(task: Task, model: nn.Module) -> State:
    """What all rows of training carry before the first batch; of a language model that of its teachers, too."""
    begun = dict(task.initial_state(model, training_stream(task).rows))
    if isinstance(task, LanguageTask):
        device = next(model.parameters()).device
        begun |= {name: tensor.to(device) for name, tensor in teacher_states(task.beside).items()}
    return {name: tensor.detach().clone() for name, tensor in begun.items()}
