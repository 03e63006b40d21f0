"""What the rows of a table of ratings say: a user, an item, a rating."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from charrnn.config.schema import Ratings
from charrnn.corpus.table import Row, column
from charrnn.errors import DataError


@dataclass(frozen=True)
class RatingRow:
    """A rating as it stands in its table.

    Attributes:
        user: the user's id.
        item: the item's.
        rating: the number.
        row: where it stands.
        columns: the indices of the columns of user, item and rating.
    """

    user: str
    item: str
    rating: float
    row: Row
    columns: tuple[int, int, int]


def rating_rows(rows: Iterable[Row], settings: Ratings, label: str) -> Iterator[RatingRow]:
    """The ratings of a table, in its order.

    Args:
        rows: its rows, a header line among them where the columns go by name.
        settings: the columns.
        label: what errors call the table.

    Raises:
        DataError: there are none, a column is missing, an id is empty, or a rating is no number; the error names the
            place.
    """
    names = settings.columns
    wanted = {"user": names.user, "item": names.item, "rating": names.rating}
    indices = [value - 1 for value in wanted.values() if isinstance(value, int)]
    row = None
    for row in rows:
        if not indices:
            indices = [column(row, str(name), f"corpus.columns.{key}") for key, name in wanted.items()]
            row = None
            continue
        user, item, rating = (field(row, index) for index in indices)
        for key, text, index in (("user", user, indices[0]), ("item", item, indices[1])):
            if not text:
                raise DataError(f"a rating without its {key}", where=row.place(index))
        yield RatingRow(user, item, _number(row, rating, indices[2]), row, (indices[0], indices[1], indices[2]))
    if row is None:
        raise DataError("there are no ratings", where=label)


def field(row: Row, index: int) -> str:
    """A field of a row, without the blanks around it.

    Raises:
        DataError: the row has too few.
    """
    if index >= len(row.fields):
        raise DataError(
            "a row with too few fields",
            where=f"{row.label}:{row.number}:{len(row.line) + 1}",
            why=f"it has {len(row.fields)}, and column {index + 1} is asked for",
        )
    return row.fields[index].strip()


def _number(row: Row, text: str, index: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) < 1e6:
        raise DataError("a rating that is not a number", where=row.place(index), why=f"found {text!r}")
    return number
