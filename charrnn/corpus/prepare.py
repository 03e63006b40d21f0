"""From a source to a corpus on the disk, unless the same corpus is there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.build import Build, Given, empty
from charrnn.corpus.manifest import DOCUMENTS, MANIFEST, TOKENS, VOCABULARY, SourceRecord, corpus_digest
from charrnn.corpus.ready import OTHER_PLACE, Prepared, found_or_made
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError, UsageError
from charrnn.text.blocks import file_digest
from charrnn.text.sources import Source, open_source
from charrnn.text.watch import Progress, Watch, no_check, no_progress


def prepare(
    settings: Corpus,
    *,
    base: Path,
    corpora: Path,
    out: Path | None = None,
    name: str | None = None,
    progress: Progress = no_progress,
    check: Callable[[], None] = no_check,
    given: Given | None = None,
) -> Prepared[TokenCorpus]:
    """The corpus that `settings` describe; made unless a corpus of the same settings and content is there.

    Args:
        settings: the source and what becomes of it.
        base: the folder that relative paths start from.
        corpora: the folder for downloads, and for corpora: `<name>-<the first 8 digits of the digest>`.
        out: the very folder that the corpus goes to; another corpus in it is replaced.
        name: the first part of the folder's name; without it, one is made from the source.
        progress: told about every block.
        check: called once per block; it may raise to stop, and then nothing half-written remains.
        given: the vocabulary of another text, in place of the text's own; it is part of what the corpus is.

    Raises:
        DataError: the source is missing, empty, unreadable, not text as the settings have it, or cannot be fetched.
        UsageError: the corpus would replace something else, or lie in its own source.
        StorageError: a write was refused.
    """
    watch = Watch(progress, check)
    spool = corpora if out is None else out.absolute().parent
    with open_source(settings, base=base, corpora=corpora, spool=spool, watch=watch) as source:
        records = _look_at(source, settings, watch)
        identity = corpus_digest(settings, records, None if given is None else given.identity())
        folder = corpora / f"{name or source.name}-{identity[:8]}" if out is None else out
        if source.folder is not None and folder.resolve().is_relative_to(source.folder):
            raise UsageError(
                "the corpus would lie inside its own source",
                where=folder,
                hint=OTHER_PLACE,
            )
        build = Build(settings, source, records, watch, given)
        files = MANIFEST, TOKENS, VOCABULARY, DOCUMENTS
        ready = found_or_made(TokenCorpus, folder, identity, files, lambda: build.write(folder, identity))
    return replace(ready, lost=tuple(build.lost))


def _look_at(source: Source, settings: Corpus, watch: Watch) -> list[SourceRecord]:
    """Size and digest of every file of the source."""
    total = sum(file.size() for file in source.files)
    records, before = [], 0
    for file in source.files:

        def on_block(done: int, before: int = before) -> None:
            watch.block("look", before + done, total)

        size, sha256 = file_digest(file, on_block)
        records.append(SourceRecord(name=file.name, bytes=size, sha256=sha256))
        before += size
    if before == 0:
        raise empty(settings)
    if settings.sha256 is not None and [record.sha256 for record in records] != [settings.sha256]:
        raise DataError(
            "the source is not the file that corpus.sha256 says",
            where=settings.source,
            why=f"expected {settings.sha256}, found {', '.join(record.sha256 for record in records[:3])}",
        )
    return records
