"""The rows of a labels file, and what each of them says of an item of its corpus."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config.tree import one_line
from charrnn.corpus.labelled_corpus import LabelledCorpus, LabelledSplit
from charrnn.errors import DataError
from charrnn.files.regular import open_regular
from charrnn.text.blocks import read_errors

MAY_BE_GIVEN = ("train", "unlabelled", "test")
"""The parts of a corpus whose items may be given labels. A validation item may not: it is there to judge the training
that such labels are for."""

_ITEM = re.compile(r"([a-z]+):([0-9]{1,18})")
_JUDGE = "what such labels do is judged by validation, so none of its items may be trained on with one"
_SHOWN = 120
_SUM_MAY_MISS = 1e-3


def item_digest(split: LabelledSplit, number: int) -> str:
    """What proves an item to be the one that was meant: 8 hexadecimal digits of the SHA-256 of its values."""
    return hashlib.sha256(split.item(number).tobytes()).hexdigest()[:8]


def repeats(corpus: LabelledCorpus, part: str, of: str) -> NDArray[np.bool_]:
    """For each item of `part` whether the same item also lies in the part `of`.

    Only an unlabelled source of its own can bring such items in: what a corpus splits, it splits by distinct item.
    """
    split = corpus.split(part)
    if part != "unlabelled" or corpus.manifest.counts.unlabelled_held_out == 0:
        return np.zeros(len(split), np.bool_)
    other = corpus.split(of)
    held = {other.item(number).tobytes() for number in range(len(other))}
    return np.array([split.item(number).tobytes() in held for number in range(len(split))], np.bool_)


@dataclass(frozen=True)
class GivenRow:
    """A row of the file; `part` is a number in `MAY_BE_GIVEN`."""

    part: int
    number: int
    label: int
    confidence: float
    kept: bool
    p_C: tuple[float, ...]
    place: str


class Columns:
    """Makes sense of the rows of a labels file whose header is given.

    Attributes:
        shares: for each label of the corpus where its probability stands in a row; empty where there are none.

    Raises:
        DataError: a column is missing, is there twice, or is the probability of a label that the corpus has not.
    """

    def __init__(self, header: list[str], corpus: LabelledCorpus, place: str) -> None:
        self._count = len(header)
        self._labels = {label: number for number, label in enumerate(corpus.labels)}
        self._splits = {name: corpus.split(name) for name in MAY_BE_GIVEN}
        self._validates = repeats(corpus, "unlabelled", "valid")
        twice = next((name for name in header if header.count(name) > 1 and _is_read(name)), None)
        if twice is not None:
            raise DataError(f"two columns are named {twice!r}", where=place, hint="remove one of the two")
        self._at = {name: header.index(name) for name in header}
        for name in ("item", "label"):
            if name not in self._at:
                raise DataError(
                    f"there is no column {name!r}",
                    where=place,
                    why=f"the columns are {', '.join(map(repr, header[:20]))}",
                    hint="a labels file begins with the line: item,label",
                )
        self.shares = self._probabilities(place)

    def _probabilities(self, place: str) -> list[int]:
        there = {name.removeprefix("p:"): at for name, at in self._at.items() if name.startswith("p:")}
        wrong = sorted(set(there) ^ set(self._labels)) if there else []
        if wrong:
            more = wrong[0] in there
            raise DataError(
                f"the probabilities are {'of a label that the corpus has not' if more else 'not of every label'}: "
                f"{wrong[0]!r}",
                where=place,
                why=f"the corpus has the labels {_named(self._labels)}",
                hint="one column p:<label> for each of them, or none at all",
            )
        return [there[label] for label in self._labels] if there else []

    def row(self, fields: list[str], place: str) -> GivenRow:
        """A row as it stands at `place`."""
        if len(fields) != self._count:
            raise DataError(
                f"the row has {len(fields)} fields, and the header {self._count}",
                where=place,
                hint="a field that holds a comma or a quote stands in double quotes",
            )
        part, number = self._item(fields[self._at["item"]], place)
        split = self._splits[MAY_BE_GIVEN[part]]
        self._prove(split, number, self._field(fields, "digest"), place)
        label = self._label(fields[self._at["label"]], place)
        p_C = tuple(_fraction(fields[at], "a probability", place) for at in self.shares)
        if p_C and abs(sum(p_C) - 1.0) > _SUM_MAY_MISS:
            raise DataError(
                f"the probabilities sum to {sum(p_C):.6g}", where=place, hint="they sum to 1, within a thousandth"
            )
        told = self._field(fields, "confidence")
        confidence = _fraction(told, "a confidence", place) if told else (p_C[label] if p_C else 1.0)
        kept = self._field(fields, "kept") if "kept" in self._at else "1"
        if kept not in ("0", "1"):
            raise DataError(f"`kept` is 1 or 0, not {short(kept)!r}", where=place, hint="1 is trained on, 0 is not")
        if kept == "1" and split.name == "unlabelled" and self._validates[number]:
            raise DataError(
                f"unlabelled:{number} is the same as a validation item", where=place, why=_JUDGE, hint="set `kept` to 0"
            )
        return GivenRow(part, number, label, confidence, kept == "1", p_C, place)

    def _field(self, fields: list[str], name: str) -> str:
        return fields[self._at[name]] if name in self._at else ""

    def _item(self, text: str, place: str) -> tuple[int, int]:
        match = _ITEM.fullmatch(text)
        if match and match[1] == "valid":
            raise DataError(
                f"{text} is a validation item",
                where=place,
                why=_JUDGE,
                hint="to train on validation items with their own labels, mix in a part {kind: split, split: valid}",
            )
        if match is None or match[1] not in MAY_BE_GIVEN:
            raise DataError(
                f"{short(text)!r} is no item", where=place, hint="an item is a part and a number, as in unlabelled:17"
            )
        number, count = int(match[2]), len(self._splits[match[1]])
        if number >= count:
            raise DataError(
                f"there is no item {text}",
                where=place,
                why=f"the corpus has {count} items in `{match[1]}`, numbered from 0",
                hint=_OTHER_CORPUS,
            )
        return MAY_BE_GIVEN.index(match[1]), number

    def _prove(self, split: LabelledSplit, number: int, digest: str, place: str) -> None:
        now = item_digest(split, number) if digest else ""
        if digest != now:
            raise DataError(
                f"{split.name}:{number} is not the item that this label is for",
                where=place,
                why=f"its digest is {now}, and the file says {short(digest)}",
                hint=_OTHER_CORPUS,
            )

    def _label(self, text: str, place: str) -> int:
        if text in self._labels:
            return self._labels[text]
        close = get_close_matches(text, self._labels, n=1, cutoff=0.5)
        raise DataError(
            f"the corpus has no label {short(text)!r}",
            where=place,
            why=f"it has {_named(self._labels)}",
            hint=f"did you mean {close[0]!r}?" if close else "give the label as the training items have it",
        )


_OTHER_CORPUS = "take the labels that were made with this corpus: the same source, split and seed"


def _is_read(name: str) -> bool:
    return name in ("item", "digest", "kept", "label", "confidence") or name.startswith("p:")


def _fraction(text: str, what: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise DataError(f"{what} is a number from 0 to 1", where=place, why=f"found {short(text)!r}", hint=_MEND)
    return value


_MEND = "mend the row, or leave the column out"


def _named(labels: Mapping[str, Any]) -> str:
    shown = ", ".join(map(repr, list(labels)[:20]))
    return shown if len(labels) <= 20 else f"{shown} and {len(labels) - 20} more"


def short(text: str) -> str:
    """The beginning of a text, on one line."""
    return one_line(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def table_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty lines, each with the line in which it begins."""
    with read_errors(path), open_regular(path) as file:
        data = file.read().removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"the byte 0x{data[error.start]:02x} is not UTF-8", where=f"{path}:{line}", hint="save the file as UTF-8"
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                "this line is not one of a table",
                where=f"{path}:{line}",
                why=str(error),
                hint="a field that holds a comma or a quote stands in double quotes; a quote in it is written twice",
            ) from error
        if fields:
            yield line, fields
