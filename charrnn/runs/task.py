"""The task that a config names, over its data: the one place that knows all tasks."""

from __future__ import annotations

from pathlib import Path

from charrnn.config.load import Loaded
from charrnn.config.schema import LanguageConfig, VectorsConfig
from charrnn.contracts import Stream, Task
from charrnn.logs.console import Console
from charrnn.runs.corpus import prepared
from charrnn.tasks.language import LanguageTask
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
    if isinstance(config, VectorsConfig):
        return VectorsTask(config, corpus)
    assert isinstance(config, LanguageConfig)
    return LanguageTask(config, corpus)


def training_stream(task: Task) -> Stream:
    """The batches of the training split."""
    stream = task.stream("train")
    assert stream is not None, "an empty training split is refused when the data are prepared"
    return stream
