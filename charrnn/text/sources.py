"""From the word after `source:` to files that can be read."""

from __future__ import annotations

import glob
import os
import re
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from charrnn.config.schema.corpus import Corpus
from charrnn.errors import DataError
from charrnn.files.atomic import beside, make_folder
from charrnn.files.refusals import storage_errors
from charrnn.text.blocks import BLOCK, SourceFile, read_errors
from charrnn.text.builtin import builtin, known, known_files
from charrnn.text.download import download, file_name
from charrnn.text.watch import Check, Watch

_PATIENCE_SECONDS = 0.2


@dataclass(frozen=True)
class Source:
    """Where a text comes from.

    Attributes:
        name: a short name in letters, digits, `.`, `_` and `-`, for folders.
        files: its parts, in the order in which they are read.
        folder: the folder whose files they are, if it is one.
    """

    name: str
    files: tuple[SourceFile, ...]
    folder: Path | None = None


@contextmanager
def open_source(settings: Corpus, *, base: Path, corpora: Path, spool: Path, watch: Watch) -> Iterator[Source]:
    """Find the source, or fetch it; what is spooled is gone when the block ends.

    Args:
        settings: `source`, and for URLs `sha256`.
        base: the folder that relative paths start from.
        corpora: the folder below which downloads are kept.
        spool: the folder in which standard input is kept as long as it is needed.
        watch: told about every block that is fetched.

    Raises:
        DataError: there is no such source, it is empty, or it cannot be fetched.
        StorageError: a write was refused.
    """
    source = settings.source
    if source == "-":
        with _spooled(spool, watch) as file:
            yield Source("stdin", (SourceFile("standard input", file),))
    elif source.startswith(("https://", "http://")):
        yield _downloaded(source, settings.sha256, corpora, watch)
    elif (there := known_files(source)) is not None:
        folder, pattern = there
        yield replace(_local(pattern, folder), name=_short(source.partition(":")[2]))
    elif source.startswith("named:"):
        yield Source(_short(source.partition(":")[2]), (SourceFile(source, _named(source, corpora, watch)),))
    elif source.startswith("builtin:"):
        yield Source(_short(source.partition(":")[2]), (builtin(source),))
    else:
        yield _local(source, base)


def _named(source: str, corpora: Path, watch: Watch) -> Path | bytes:
    """A known file, or what is in it where it is known by that."""
    file = known(source)
    path = file.at_hand()
    if path is None and file.url is None:
        raise DataError("this file cannot be downloaded", where=source, hint=file.how)
    path = path or download(str(file.url), file.sha256, corpora / "downloads", watch)
    return path if file.content is None else file.unpacked(path)


def _downloaded(url: str, sha256: str | None, corpora: Path, watch: Watch) -> Source:
    if sha256 is None:
        raise DataError(
            "a download needs the sha256 that the file must have",
            where=url,
            hint="set corpus.sha256; for a file that you trust, sha256sum FILE prints it",
        )
    path = download(url, sha256, corpora / "downloads", watch)
    return Source(_short(_stem(file_name(url))), (SourceFile(url, path),))


def typed(check: Check) -> bytes:
    """The next bytes of standard input, none at its end; while none come, `check` is called again and again, and may
    raise to stop."""
    while not select.select([sys.stdin], [], [], _PATIENCE_SECONDS)[0]:
        check()
    return os.read(sys.stdin.fileno(), BLOCK)


@contextmanager
def _spooled(folder: Path, watch: Watch) -> Iterator[Path]:
    """Standard input as a file, because it is read more than once."""
    make_folder(folder)
    spool = beside(folder / "stdin")
    try:
        with storage_errors(folder), spool.open("wb") as file:
            while block := typed(watch.check):
                file.write(block)
                watch.block("read", file.tell(), None)
        yield spool
    finally:
        spool.unlink(missing_ok=True)


def _local(source: str, base: Path) -> Source:
    source = os.path.expanduser(source)
    path = base / source
    with read_errors(path):
        if path.is_dir():
            return Source(_short(path.resolve().name), _files(_below(path), path, path), path.resolve())
        if path.is_file():
            return Source(_short(_stem(path.name)), _files([path], path.parent, path))
        if path.exists():
            raise DataError(
                "the source is neither a file nor a folder",
                where=path,
                hint="pipe it in, with `-` as the source",
            )
        if glob.has_magic(source):
            matches = [base / match for match in glob.glob(source, root_dir=base, recursive=True)]
            return Source(_short(path.parent.name), _files(matches, base, path))
    raise _missing(path)


def _below(folder: Path) -> list[Path]:
    """Everything below `folder` that is not a folder and not hidden."""

    def refuse(error: OSError) -> None:
        raise error

    found = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return found


def _files(paths: list[Path], base: Path, place: Path) -> tuple[SourceFile, ...]:
    """The regular files among `paths` in the order of their names, which are relative to `base`."""
    files = [SourceFile(_recorded(path, base), path) for path in paths if path.is_file()]
    if not files:
        raise DataError("the source has no files", where=place, hint="hidden files are passed over")
    return tuple(sorted(files, key=lambda file: file.name))


def _missing(path: Path) -> DataError:
    with read_errors(path.parent):
        names = os.listdir(path.parent) if path.parent.is_dir() else []
    close = get_close_matches(path.name, names, n=1)
    return DataError(
        "there is no such source",
        where=path,
        hint=f"did you mean {path.parent / close[0]}?" if close else "check corpus.source",
    )


def _recorded(path: Path, base: Path) -> str:
    """The name of a file for the manifest: relative, with slashes, and always text."""
    name = path.relative_to(base) if path.is_relative_to(base) else path
    return os.fsencode(name.as_posix()).decode("utf-8", "replace")


def _stem(name: str) -> str:
    """A file's name without its endings, those of `book.txt.gz` for example."""
    for ending in (".gz", ".txt"):
        name = name.removesuffix(ending) or name
    return name


def _short(name: str) -> str:
    """A name that is safe as a part of a folder's name, and not hidden."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:64] or "corpus"
