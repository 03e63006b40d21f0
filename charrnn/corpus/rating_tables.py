"""From a table of ratings to a corpus on the disk, unless the same corpus is there already."""

from __future__ import annotations

import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.config.schema import Ratings
from charrnn.config.schema.corpus import Corpus
from charrnn.config.schema.rate import SharesSplit
from charrnn.corpus.manifest import FORMAT, MANIFEST, SPLITS, FileRecord, SourceRecord, write_manifest
from charrnn.corpus.rating_rows import field, rating_rows
from charrnn.corpus.ratings import ARRAYS, IDS, KIND, RatingsCorpus, RatingsManifest, ratings_digest
from charrnn.corpus.ready import Prepared, found_or_made
from charrnn.corpus.table import Row, column, rows
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.files.atomic import make_folder, new_folder, write_json
from charrnn.text.blocks import SourceFile, file_digest, read_blocks
from charrnn.text.sources import open_source
from charrnn.text.watch import Progress, Watch, no_check, no_progress


def prepare_ratings(
    settings: Ratings,
    *,
    base: Path,
    corpora: Path,
    out: Path | None = None,
    name: str | None = None,
    progress: Progress = no_progress,
    check: Callable[[], None] = no_check,
) -> Prepared[RatingsCorpus]:
    """The corpus that `settings` describe; made unless a corpus of the same settings and content is there.

    The arguments are those of `charrnn.corpus.prepare.prepare`.

    Raises:
        DataError: the source is missing, empty, or no table of ratings; the error names the line and the column.
        UsageError: the corpus would replace something else.
        StorageError: a write was refused.
    """
    watch = Watch(progress, check)
    spool = corpora if out is None else out.absolute().parent
    with ExitStack() as stack:

        def opened(source: str, sha256: str | None, folder: Path) -> tuple[str, SourceFile]:
            wanted = Corpus(source=source, sha256=sha256)
            found = stack.enter_context(open_source(wanted, base=folder, corpora=corpora, spool=spool, watch=watch))
            if len(found.files) != 1:
                raise DataError("ratings come from one table", where=source, why=f"{len(found.files)} files are here")
            return found.name, found.files[0]

        short, table = opened(settings.source, settings.sha256, base)
        files = [table]
        if settings.names is not None:
            beside = table.place.parent if isinstance(table.place, Path) else base
            files.append(opened(settings.names.source, None, beside)[1])
        records = [_look_at(file, watch) for file in files]
        if settings.sha256 not in (None, records[0].sha256):
            why = f"expected {settings.sha256}, found {records[0].sha256}"
            raise DataError("the source is not the file that corpus.sha256 says", where=table.label, why=why)
        identity = ratings_digest(settings, records)
        folder = corpora / f"{name or short}-{identity[:8]}" if out is None else out
        build, own = _Build(settings, files, records, watch), {MANIFEST, IDS, *ARRAYS}
        return found_or_made(RatingsCorpus, folder, identity, own, lambda: build.write(folder, identity))


def chances(settings: Ratings, ratings: int) -> np.ndarray:
    """The number of the split that each of `ratings` ratings goes to, as uint8.

    NumPy does not promise the same numbers for ever, so a corpus keeps what it drew.
    """
    split = settings.split
    generator = np.random.default_rng(split.seed)
    if isinstance(split, SharesSplit):
        train, valid, _ = split.shares
        drawn = generator.random(ratings)
        chosen: np.ndarray = (drawn >= train).astype(np.uint8) + (drawn >= train + valid)
        return chosen.astype(np.uint8)
    training = generator.random(ratings) < split.share
    held_out = generator.random(ratings) < split.held_out
    return np.where(training, held_out, 2).astype(np.uint8)


def _look_at(file: SourceFile, watch: Watch) -> SourceRecord:
    total = file.size()
    size, sha256 = file_digest(file, lambda done: watch.block("look", done, total))
    return SourceRecord(name=file.name, bytes=size, sha256=sha256)


class _Build:
    """Makes one corpus; see `prepare_ratings`."""

    def __init__(self, settings: Ratings, files: list[SourceFile], records: list[SourceRecord], watch: Watch) -> None:
        self._settings, self._files, self._records, self._watch = settings, files, records, watch

    def write(self, folder: Path, identity: str) -> None:
        """Put the corpus at `folder`, complete or not at all; `identity` is its digest."""
        users: dict[str, int] = {}
        items: dict[str, int] = {}
        columns: dict[str, array.array[Any]] = {
            name: array.array(dtype.char) for name, dtype in ARRAYS.items() if name != "splits.bin"
        }
        for row in rating_rows(self._rows(0), self._settings, self._files[0].label):
            columns["users.bin"].append(users.setdefault(row.user, len(users)))
            columns["items.bin"].append(items.setdefault(row.item, len(items)))
            columns["ratings.bin"].append(row.rating)
        arrays = {name: np.array(column) for name, column in columns.items()}
        arrays["splits.bin"] = chances(self._settings, len(arrays["ratings.bin"]))
        counts = {name: int((arrays["splits.bin"] == i).sum()) for i, name in enumerate(SPLITS)}
        if not counts["train"]:
            raise DataError("the training split is empty", where=self._files[0].label, hint="see corpus.split")
        pairs = arrays["users.bin"].astype(np.int64) * len(items) + arrays["items.bin"]
        make_folder(folder.parent)
        with new_folder(folder) as beside:
            for name, dtype in ARRAYS.items():
                (beside / name).write_bytes(arrays[name].astype(dtype).tobytes())
            write_json(beside / IDS, {"users": [*users], "items": [*items], "names": self._names(items)})
            manifest = RatingsManifest.model_validate(
                {
                    "format": FORMAT,
                    "kind": KIND,
                    "digest": identity,
                    "sources": self._records,
                    "settings": self._settings,
                    "users": len(users),
                    "items": len(items),
                    "ratings": len(pairs),
                    "repeated": len(pairs) - len(np.unique(pairs)),
                    "files": {name: _record(beside / name) for name in (*ARRAYS, IDS)},
                    "splits": counts,
                }
            )
            write_manifest(beside, manifest.model_dump(mode="json"))

    def _rows(self, index: int) -> Iterator[Row]:
        file, record = self._files[index], self._records[index]
        blocks = read_blocks(file, record.sha256, lambda done: self._watch.block("read", done, record.bytes))
        return rows(blocks, file.label, self._settings.encoding, self._settings.delimiter)

    def _names(self, items: dict[str, int]) -> list[str] | None:
        """What items are called, in the order of their numbers; an item that nothing names is called by its id."""
        settings = self._settings.names
        if settings is None:
            return None
        named, lines = list(items), self._rows(1)
        header = next(lines, None)
        if header is None:
            raise DataError("there are no names", where=self._files[1].label)
        item = column(header, settings.item, "corpus.names.item")
        name = column(header, settings.name, "corpus.names.name")
        for row in lines:
            number = items.get(field(row, item))
            if number is not None:
                named[number] = field(row, name) or named[number]
        return named


def _record(path: Path) -> FileRecord:
    return FileRecord(bytes=path.stat().st_size, sha256=digest.of_file(path))
