"""Vectors with their names, as TensorBoard's projector reads them: plain text, and TensorBoard is not needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from charrnn.config.tree import one_line
from charrnn.files.atomic import make_folder, write_text
from charrnn.runs.embedding import open_embedding
from charrnn.runs.folder import RunFolder
from charrnn.runs.named_vectors import NamedVectors
from charrnn.runs.rated_vectors import Of
from charrnn.runs.use import config_of

CONFIG = "projector_config.pbtxt"
_MOST = 10_000


def write_projector(run: RunFolder, corpora: Path) -> Path:
    """Put the vectors of a run's best checkpoint, else of its last, into its TensorBoard folder.

    Of more than 10,000 vectors those are taken that training met most often: a browser moves no more.

    Args:
        run: the run; of a model of ratings the items and the users are written.
        corpora: where prepared data lie.

    Returns:
        The folder: `tensorboard --logdir` of it shows them, and that of any folder above it if the run wrote events.

    Raises:
        CheckpointError: there is no readable checkpoint.
        UsageError: the model has no vectors.
        StorageError: a file cannot be written.
    """
    checkpoint, _ = run.preferred()
    kinds: tuple[Of | None, ...] = ("items", "users") if config_of(checkpoint).task == "rate" else (None,)
    tables = [open_embedding(checkpoint.folder, run.path, corpora, of) for of in kinds]
    make_folder(run.tensorboard)
    entries = [_write(run.tensorboard, vectors) for vectors in tables]
    write_text(run.tensorboard / CONFIG, "".join(entries))
    return run.tensorboard


def _write(folder: Path, vectors: NamedVectors) -> str:
    """Write a table and its names; the entry of the projector's config."""
    rows = vectors.most_frequent(_MOST).rows
    tensors, names = f"{vectors.thing}s.tsv", f"{vectors.thing}s-names.tsv"
    write_text(folder / tensors, "".join("\t".join(f"{x:.7g}" for x in vectors.table_VD[row]) + "\n" for row in rows))
    write_text(folder / names, "".join(f"{line}\n" for line in _names(vectors, rows.tolist())))
    return (
        "embeddings {\n"
        f"  tensor_name: {json.dumps(f'{vectors.thing}s')}\n"
        f"  tensor_path: {json.dumps(tensors)}\n"
        f"  metadata_path: {json.dumps(names)}\n"
        "}\n"
    )


def _names(vectors: NamedVectors, rows: Sequence[int]) -> list[str]:
    """A line for each row; where things have an id and a name there are two columns, which then have a head."""
    if vectors.titles is None:
        return [one_line(vectors.names[row]) or "?" for row in rows]
    lines = [f"{one_line(vectors.titles[row])}\t{one_line(vectors.names[row])}" for row in rows]
    return ["name\tid", *lines]
