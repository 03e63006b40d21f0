"""`stream.mix`: what is told, recorded and compared of what shares the batches of a run.

A resumed run reads the same files again, wherever they lie now, and refuses others in their place; so it does with the
texts and teachers of a language model, which `mixed_texts.py` opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from charrnn.checkpoint.read import Checkpoint
from charrnn.contracts import Task
from charrnn.errors import ConfigError, DataError
from charrnn.files import digest
from charrnn.logs.console import Console
from charrnn.runs.mixed_texts import check_texts, text_documents
from charrnn.tasks.classify import ClassifyTask
from charrnn.tasks.mixed import Mixed
from charrnn.tasks.rate import RateTask
from charrnn.text.blocks import read_errors


def say_mixed(task: Task, console: Console) -> None:
    """Tell the user what should be known of what is mixed into the batches of training.

    Raises:
        DataError: one of its files cannot be read, or is not what the config says.
    """
    for mixed in _mixed(task).values():
        for remark in mixed.remarks():
            console.note(remark)


def mixed_document(task: Task) -> dict[str, Any]:
    """What is mixed in, and the digests of its files, for the checkpoints of a run; nothing where nothing is."""
    found = {name: mixed.document() for name, mixed in _mixed(task).items()} | text_documents(task)
    return {"mix": found} if found else {}


def say_transductive(checkpoint: Checkpoint, split: str, console: Console) -> None:
    """Tell where a figure is of inputs that the model was trained on, though not with their labels."""
    for name, document in checkpoint.document("config").get("mix", {}).items():
        if split == "test" and document.get("transductive"):
            inputs = document["transductive"]
            console.note(
                f"transductive: this model was trained on {inputs} inputs of the test split (stream.mix.{name})"
            )


def learned(checkpoint: Checkpoint, split: str) -> bool:
    """Whether a model was trained on the items of `split` besides those of `train`."""
    mixed = checkpoint.document("config").get("mix", {}).values()
    return split == "valid" and any(document.get("validation") for document in mixed)


def no_validation(task: Task) -> DataError:
    """What is said where something needs validation and there is none."""
    if any(mixed.validation for mixed in _mixed(task).values()):
        what, hint = "the valid split is trained on (stream.mix)", "leave it out of stream.mix"
    else:
        what, hint = "the valid split is empty", "give validation a share in corpus.split"
    return DataError(what, where=task.corpus.folder, hint=hint)


def check_mixed(checkpoint: Checkpoint, task: Task) -> None:
    """Hold the files and texts that a task mixes in against those that the run was trained with. Of files, where they
    still are.

    Raises:
        ConfigError: a file has another content, or a teacher is another one.
        DataError: a file cannot be read, or a text is another one.
    """
    check_texts(checkpoint, task)
    former, wrong = checkpoint.document("config").get("mix", {}), []
    for name, part in (getattr(task.config.stream, "mix", None) or {}).items():
        source, expected = getattr(part, "source", None), former.get(name, {}).get("sha256")
        if source is None or expected is None or not Path(source).exists():
            continue
        with read_errors(source):
            now = digest.of_file(Path(source))
        if now != expected:
            told = f"{former[name]['file']}, sha256 {expected[:16]}…; now: {source}, sha256 {now[:16]}…"
            wrong.append(f"stream.mix.{name}.source: in the run: {told}")
    if wrong:
        raise ConfigError(
            "the batches would hold other rows than those that the run was trained with",
            where=checkpoint.folder,
            why="\n".join(wrong),
            hint="name the former file, or start anew with --out DIR or --force",
        )


def _mixed(task: Task) -> Mapping[str, Mixed[Any]]:
    return task.mixed if isinstance(task, ClassifyTask | RateTask) else {}
