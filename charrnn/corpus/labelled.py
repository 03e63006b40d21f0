"""From labelled sources to a corpus on the disk, unless the same corpus is there already."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from charrnn.config.schema.corpus import Corpus
from charrnn.config.schema.labelled import DIGITS, Folder, Images
from charrnn.config.schema.labelled_source import LabelledSource
from charrnn.corpus.item_images import digits
from charrnn.corpus.item_lines import file_labels
from charrnn.corpus.labelled_build import Input, LabelledBuild
from charrnn.corpus.labelled_corpus import LabelledCorpus, LabelledSplit
from charrnn.corpus.labelled_manifest import ALL_FILES, InputRecord, labelled_digest
from charrnn.corpus.ready import OTHER_PLACE, Prepared, found_or_made
from charrnn.errors import DataError, UsageError
from charrnn.text.blocks import SourceFile, file_digest
from charrnn.text.sources import Source, open_source
from charrnn.text.watch import Progress, Watch, no_check, no_progress

__all__ = ["LabelledCorpus", "LabelledSplit", "prepare_labelled"]

_Role = Literal["items", "labels", "test", "test labels", "unlabelled"]
_ROLES: dict[str, _Role] = {
    "source": "items",
    "labels": "labels",
    "test_source": "test",
    "test_labels": "test labels",
    "unlabelled_source": "unlabelled",
}
"""The keys that name files, and what the files are for."""


def prepare_labelled(
    settings: LabelledSource,
    *,
    base: Path,
    corpora: Path,
    out: Path | None = None,
    name: str | None = None,
    progress: Progress = no_progress,
    check: Callable[[], None] = no_check,
) -> Prepared[LabelledCorpus]:
    """The labelled corpus that `settings` describe; made unless one of the same settings and content is there.

    Args:
        settings: a `Table`, a `Folder` or `Images`.
        base: the folder that relative paths start from.
        corpora: the folder for downloads, and for corpora: `<name>-<the first 8 digits of the digest>`.
        out: the very folder that the corpus goes to; another labelled corpus in it is replaced.
        name: the first part of the folder's name; without it, one is made from the source.
        progress: told about every block.
        check: called once per block; it may raise to stop, and then nothing half-written remains.

    Raises:
        DataError: a source is missing, not what the settings say, or too small for them, or cannot be fetched.
        MissingExtraError: the source needs a package that is not installed.
        UsageError: the corpus would replace something else, or lie in its own source.
        StorageError: a write was refused.
    """
    watch = Watch(progress, check)
    with ExitStack() as stack:
        sources = _open(settings, stack, base, corpora, corpora if out is None else out.absolute().parent, watch)
        inputs = _look_at(settings, sources, watch)
        identity = labelled_digest(settings, [given.record for given in inputs])
        folder = corpora / f"{name or sources['items'].name}-{identity[:8]}" if out is None else out
        for source in sources.values():
            if source.folder is not None and folder.resolve().is_relative_to(source.folder):
                raise UsageError(
                    "the corpus would lie inside its own source",
                    where=folder,
                    hint=OTHER_PLACE,
                )
        build = LabelledBuild(settings, inputs, watch)
        return found_or_made(LabelledCorpus, folder, identity, ALL_FILES, lambda: build.write(folder, identity))


def _open(
    settings: LabelledSource, stack: ExitStack, base: Path, corpora: Path, spool: Path, watch: Watch
) -> dict[_Role, Source]:
    """Find or fetch all sources that the settings name."""
    found: dict[_Role, Source] = {}
    places = settings.places
    if settings.source == DIGITS and isinstance(settings, Images):
        images, labels = digits()
        found["items"] = Source("digits", (SourceFile(places.pop("source"), images),))
        found["labels"] = Source("digits", (SourceFile(f"{DIGITS} (labels)", labels),))
    for key, place in places.items():
        role = _ROLES[key]
        sha256 = settings.sha256 if key == "source" else None
        text = Corpus(source=place, sha256=sha256)
        try:
            found[role] = stack.enter_context(open_source(text, base=base, corpora=corpora, spool=spool, watch=watch))
        except DataError as error:
            error.hint = error.hint and error.hint.replace("corpus.source", f"corpus.{key}")
            raise
        if isinstance(settings, Images) and len(found[role].files) != 1:
            raise DataError(
                f"corpus.{key} must be a single idx file",
                where=base / place,
                why=f"these are {len(found[role].files)} files",
            )
    return found


def _look_at(settings: LabelledSource, sources: dict[_Role, Source], watch: Watch) -> list[Input]:
    """Size, digest and role of every file; pictures are followed by their labels."""
    total, before, inputs = sum(file.size() for source in sources.values() for file in source.files), 0, []
    for role, source in sources.items():
        labels: list[str | None] = [None] * len(source.files)
        if isinstance(settings, Folder) and role != "unlabelled":
            labels = [*file_labels(source.files, settings)]
        for file, label in zip(source.files, labels, strict=True):

            def on_block(done: int, before: int = before) -> None:
                watch.block("look", before + done, total)

            size, sha256 = file_digest(file, on_block)
            record = InputRecord(name=file.name, bytes=size, sha256=sha256, role=role, label=label)
            inputs.append(Input(file, record))
            before += size
    found = [given.record.sha256 for given in inputs if given.record.role == "items"]
    if settings.sha256 is not None and found != [settings.sha256]:
        raise DataError(
            "the source is not the file that corpus.sha256 says",
            where=settings.source,
            why=f"expected {settings.sha256}, found {', '.join(found[:3])}",
        )
    return inputs
