"""Which keys make a run what it is, which say only how to compute, and which only where something lies."""

from __future__ import annotations

from fnmatch import fnmatchcase

from charrnn.config.schema.labelled_source import PLACES

IDENTITY = (
    "task",
    "corpus",
    "stream",
    "model",
    "train.seed",
    "train.start_from",
    "train.engine",
    "train.optimizer.kind",
    "train.average",
    "train.precision",
    "evaluate.lanes",
)
"""Keys (with all below them) whose change on resume is refused."""

MANNER = (
    "train.device",
    "train.threads",
    "train.micro_batches",
    "train.scan",
    "train.step",
    "train.deterministic",
    "train.log_every",
    "train.tensorboard",
    "train.save",
    "evaluate.chunk",
    "evaluate.dynamic",
    "sample",
    "tune",
    "pseudo",
)
"""Keys (with all below them) that only say how to compute and what to report: a finished run stays finished."""

BY_CONTENT = (
    *(f"corpus.{place}" for place in PLACES),
    "corpus.part_bytes",
    "corpus.names.source",
    "model.pretrained",
    "model.input.pretrained",
    "stream.mix.*.source",
    "stream.mix.*.corpus.source",
    "stream.mix.*.corpus.sha256",
    "stream.mix.*.teacher",
)
"""Keys that only say where data, a file of vectors or a teacher lie, or in how many files: on resume the content is
compared. A `*` stands for a name."""


def is_identity(key: str) -> bool:
    """Whether the dotted `key` belongs to what makes a run what it is."""
    return _below(key, IDENTITY)


def is_by_content(key: str) -> bool:
    """Whether the dotted `key` only says where something lies that is compared by content."""
    return any(fnmatchcase(key, pattern) for pattern in BY_CONTENT)


def is_manner(key: str) -> bool:
    """Whether the dotted `key` leaves what a run comes to as it is."""
    return _below(key, MANNER)


def _below(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(name + ".") for name in names)
