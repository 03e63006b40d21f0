"""Labels for items of a labelled corpus, from a file: what a teacher said of them, or a person.

The file is a table in UTF-8 with a header line, one row per item:

    item,digest,kept,label,confidence,p:ham,p:spam,text
    unlabelled:17,3f2a9c01,1,spam,0.9871,0.0129,0.9871,win a prize now!

Only `item` and `label` must be there. An item goes by its part of the corpus and its number there, from 0; the digest
proves that it is the one that was meant. Other columns are passed over, `text` among them: it is for people, so one
that a spreadsheet would take for a formula (it begins with =, +, - or @) has an apostrophe in front. What is read back,
labels and items' own ids, always stands there as it is.

Arrays: N rows of the file, C labels of the corpus.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.given_rows import MAY_BE_GIVEN, Columns, item_digest, short, table_rows
from charrnn.corpus.labelled_corpus import LabelledCorpus
from charrnn.errors import DataError
from charrnn.files.atomic import write_text

__all__ = ["MAY_BE_GIVEN", "GivenLabels", "item_digest", "read_labels", "write_labels"]

_FORMULA = frozenset("=+-@")
_ONCE = "leave one row for each item: to train on it more often, raise the `rows` of its part of the mix"


@dataclass(frozen=True)
class GivenLabels:
    """Labels of N items, in the order in which the items lie in the corpus.

    Attributes:
        parts: the names of the parts that they are of.
        part_N: the number, in `parts`, of the part that each item is of.
        number_N: its number within that part.
        label_N: the number of its label in the corpus.
        confidence_N: how sure the label is, from 0 to 1. Where a file does not say: the probability of the label, and 1
            where there are no probabilities.
        kept_N: whether it takes part in training; if not, it is there to be read only.
        p_NC: the probability of each label, at temperature 1; None where nothing is said of them.
    """

    parts: tuple[str, ...]
    part_N: NDArray[np.uint8]
    number_N: NDArray[np.int64]
    label_N: NDArray[np.int32]
    confidence_N: NDArray[np.float32]
    kept_N: NDArray[np.bool_]
    p_NC: NDArray[np.float32] | None

    def __len__(self) -> int:
        """N."""
        return len(self.label_N)


def write_labels(path: Path, corpus: LabelledCorpus, given: GivenLabels) -> None:
    """Put labels at `path` in one step, in the order of the corpus, with their items' texts for people.

    Raises:
        StorageError: a write was refused.
    """
    splits = [corpus.split(part) for part in given.parts]
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    shares = [f"p:{label}" for label in corpus.labels] if given.p_NC is not None else []
    texts = ["text"] if corpus.vocabulary is not None else []
    table.writerow(["item", "digest", "kept", "label", "confidence", *shares, *texts])
    order = [list(corpus.manifest.splits).index(part) for part in given.parts]
    for row in np.lexsort((given.number_N, np.array(order, np.int64)[given.part_N])).tolist():
        split, number = splits[given.part_N[row]], int(given.number_N[row])
        p_C = [] if given.p_NC is None else [str(p) for p in given.p_NC[row]]
        label, kept = corpus.labels[given.label_N[row]], int(given.kept_N[row])
        own = [f"{split.name}:{number}", item_digest(split, number), kept, label, str(given.confidence_N[row])]
        table.writerow([*own, *p_C, *([_for_people(split.text(number) or "")] if texts else [])])
    write_text(path, out.getvalue())


def _for_people(text: str) -> str:
    """An item's text for the column that nobody reads back: a spreadsheet would take one that begins like a formula for
    a formula, and what it says then is not what the item says."""
    shown = short(text)
    return f"'{shown}" if shown[:1] in _FORMULA else shown


def read_labels(path: Path, corpus: LabelledCorpus) -> GivenLabels:
    """The labels that the file at `path` has for items of `corpus`; the order of its rows plays no part.

    Raises:
        DataError: it cannot be read, is damaged, is meant for another corpus, names a label that the corpus has not, an
            item twice, or one of the validation split; the error names the line.
    """
    rows = table_rows(path)
    header = next(rows, None)
    if header is None:
        raise DataError("there are no labels", where=path, hint="a labels file begins with the line: item,label")
    columns = Columns(header[1], corpus, f"{path}:{header[0]}")
    found = [columns.row(fields, f"{path}:{line}") for line, fields in rows]
    seen: dict[tuple[int, int], str] = {}
    for row in found:
        first = seen.setdefault((row.part, row.number), row.place)
        if first != row.place:
            item = f"{MAY_BE_GIVEN[row.part]}:{row.number}"
            raise DataError(
                f"the item {item} is given a second label", where=row.place, why=f"the first: {first}", hint=_ONCE
            )
    found.sort(key=lambda row: (row.part, row.number))
    used = sorted({row.part for row in found})
    return GivenLabels(
        tuple(MAY_BE_GIVEN[part] for part in used),
        np.array([used.index(row.part) for row in found], np.uint8),
        np.array([row.number for row in found], np.int64),
        np.array([row.label for row in found], np.int32),
        np.array([row.confidence for row in found], np.float32),
        np.array([row.kept for row in found], np.bool_),
        np.array([row.p_C for row in found], np.float32).reshape(-1, len(columns.shares)) if columns.shares else None,
    )
