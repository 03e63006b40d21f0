"""From a source to a corpus on the disk, unless the same corpus is there already."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.build import Build
from charrnn.corpus.counting import Given
from charrnn.corpus.crew import Crew
from charrnn.corpus.manifest import DOCUMENTS, MANIFEST, TOKENS, VOCABULARY, SourceRecord, corpus_digest, is_part
from charrnn.corpus.ready import OTHER_PLACE, Prepared, found_or_made
from charrnn.corpus.several import Jobs, Several
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError, UsageError
from charrnn.files.refusals import storage_errors
from charrnn.text.pieces import why_whole, works
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
    jobs: Jobs | None = None,
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
        jobs: how many processes a large text is read by; their number changes nothing about the corpus.

    Raises:
        DataError: the source is missing, empty, unreadable, not text as the settings have it, or cannot be fetched.
        UsageError: the corpus would replace something else, or lie in its own source.
        StorageError: a write was refused.
    """
    watch = Watch(progress, check)
    spool = corpora if out is None else out.absolute().parent
    with ExitStack() as stack:
        source = stack.enter_context(open_source(settings, base=base, corpora=corpora, spool=spool, watch=watch))
        several, whole = _several(settings, source, jobs or Jobs(), watch, stack)
        build = Build(settings, source, watch, given, several)
        first = f"{name or source.name}-"
        build.look(count=settings.sha256 is None and _nothing_at(out, corpora, first))
        _check_digest(settings, build.records)
        identity = corpus_digest(settings, build.records, None if given is None else given.identity())
        folder = corpora / f"{first}{identity[:8]}" if out is None else out
        if source.folder is not None and folder.resolve().is_relative_to(source.folder):
            raise UsageError(
                "the corpus would lie inside its own source",
                where=folder,
                hint=OTHER_PLACE,
            )
        files = MANIFEST, TOKENS, VOCABULARY, DOCUMENTS, *_parts_in(folder)
        ready = found_or_made(TokenCorpus, folder, identity, files, lambda: build.write(folder, identity))
    return replace(ready, lost=tuple(build.lost), whole=whole)


def _several(
    settings: Corpus, source: Source, jobs: Jobs, watch: Watch, stack: ExitStack
) -> tuple[Several | None, str | None]:
    """The processes for a large text, which end with the `stack`; None for one that this process reads alone, and why,
    where it is large."""
    if not jobs.enough(settings, sum(file.size() for file in source.files)):
        return None, None
    work = works(source.files, settings, jobs.piece)
    if len(work) == 1:
        return None, why_whole(source.files[0], settings)
    crew = stack.enter_context(Crew(min(jobs.count, len(work)), settings, watch.check))
    return Several(settings, source, work, crew, watch), None


def _nothing_at(out: Path | None, corpora: Path, first: str) -> bool:
    """Whether there is no folder that may be the corpus, so that one has to be made; names of corpora begin with
    `first`."""
    if out is not None:
        return not os.path.lexists(out)
    return next(corpora.glob(f"{glob.escape(first)}*"), None) is None


def _parts_in(folder: Path) -> list[str]:
    """The files of a folder that are parts of tokens by their names."""
    with storage_errors(folder):
        return [path.name for path in folder.iterdir() if is_part(path.name)] if folder.is_dir() else []


def _check_digest(settings: Corpus, records: list[SourceRecord]) -> None:
    """Refuse a source that is not the one file that the settings name."""
    if settings.sha256 is not None and [record.sha256 for record in records] != [settings.sha256]:
        raise DataError(
            "the source is not the file that corpus.sha256 says",
            where=settings.source,
            why=f"expected {settings.sha256}, found {', '.join(record.sha256 for record in records[:3])}",
        )
