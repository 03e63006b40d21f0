"""Ratings for pairs that training has none of, from a file: what a model, or a person, expects of them.

The file is a table as that of the corpus: its columns, its delimiter, its encoding, and the users' and items' own ids.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from charrnn.corpus.rating_rows import RatingRow, rating_rows
from charrnn.corpus.ratings import Rated, RatingsCorpus
from charrnn.corpus.table import rows
from charrnn.errors import DataError
from charrnn.files.atomic import write_bytes
from charrnn.text.blocks import SourceFile, file_digest, read_blocks


def read_ratings(path: Path, corpus: RatingsCorpus) -> tuple[Rated, str]:
    """The ratings in the file at `path`, in its order, and its SHA-256.

    Raises:
        DataError: it cannot be read, is no such table, names a user or an item without ratings in training, or a pair
            that training has a rating of, or one that it has named before; the error names the place.
    """
    file, settings = SourceFile(path.name, path), corpus.manifest.settings
    _, sha256 = file_digest(file, lambda done: None)
    blocks = read_blocks(file, sha256, lambda done: None)
    table = rows(blocks, file.label, settings.encoding, settings.delimiter)
    pairs = _Pairs(corpus)
    found = [(*pairs.of(row), row.rating) for row in rating_rows(table, settings, file.label)]
    users, items, ratings = zip(*found, strict=True)
    return Rated(np.array(users, np.int64), np.array(items, np.int64), np.array(ratings, np.float32)), sha256


class _Pairs:
    """Turns ids into numbers, and refuses what must not be mixed in."""

    def __init__(self, corpus: RatingsCorpus) -> None:
        train = corpus.split("train")
        self._numbers = tuple({id_: number for number, id_ in enumerate(ids)} for ids in (corpus.users, corpus.items))
        self._learned = set(train.users.tolist()), set(train.items.tolist())
        self._trained = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
        self._seen: dict[tuple[int, int], str] = {}

    def of(self, row: RatingRow) -> tuple[int, int]:
        """The numbers of the user and of the item of a row."""
        pair = self._number(row, 0, row.user), self._number(row, 1, row.item)
        place = row.row.place(0)
        if pair in self._trained:
            raise DataError(
                f"the training split has a rating of {row.item!r} by {row.user!r}",
                where=place,
                why="what is mixed in is for pairs without one",
                hint="leave this line out",
            )
        first = self._seen.setdefault(pair, place)
        if first != place:
            raise DataError(
                f"a second rating of {row.item!r} by {row.user!r}",
                where=place,
                why=f"the first: {first}",
                hint="leave one line for each pair: to train on all of them more often, raise `rows`",
            )
        return pair

    def _number(self, row: RatingRow, which: int, id_: str) -> int:
        kind, place = ("user", "item")[which], row.row.place(row.columns[which])
        number = self._numbers[which].get(id_)
        if number is None:
            raise DataError(
                f"there is no {kind} {id_!r} in the table that the run is trained on",
                where=place,
                hint="ids are texts: `007` is not `7`",
            )
        if number not in self._learned[which]:
            raise DataError(
                f"the {kind} {id_!r} has no ratings in the training split",
                where=place,
                why="a model has no numbers of its own for those, so it would learn nothing from this line",
                hint="leave this line out",
            )
        return number


def write_ratings(
    path: Path, corpus: RatingsCorpus, rated: Rated, beside: Mapping[str, Sequence[object]] | None = None
) -> None:
    """Put ratings at `path` in one step, as a table that `read_ratings` reads.

    Args:
        path: where.
        corpus: gives the ids, the columns, the delimiter and the encoding.
        rated: the ratings.
        beside: further columns for people, by name; they stand behind the others, and one whose name is that of
            another column is left out. A table whose columns go by number has no line of names.

    Raises:
        StorageError: a write was refused.
    """
    settings = corpus.manifest.settings
    names = settings.columns.user, settings.columns.item, settings.columns.rating
    by_number = [name for name in names if isinstance(name, int)]
    places = [number - 1 for number in by_number] or [0, 1, 2]
    further = {name: values for name, values in (beside or {}).items() if name not in names}
    out = io.StringIO()
    table = csv.writer(out, delimiter=settings.delimiter, lineterminator="\n")
    if not by_number:
        table.writerow([*names, *further])
    width = max(places) + 1
    for number, (user, item, rating) in enumerate(zip(*rated, strict=True)):
        row: list[object] = [""] * width
        for place, value in zip(places, (corpus.users[user], corpus.items[item], str(rating)), strict=True):
            row[place] = value
        table.writerow([*row, *(values[number] for values in further.values())])
    write_bytes(path, out.getvalue().encode(settings.encoding))
