"""Files of vectors as text: a word and its numbers on each line, with blanks between them.

word2vec's form begins with a line of two counts, vectors and factors; GloVe's has no such line. Reading tells them
apart, unpacks gzip, and keeps only the words that are asked for, so that a file of many gigabytes takes no more memory
than the vocabulary. A word may hold blanks, as some of GloVe's do: the numbers are counted from the end of the line.

Shapes: M vectors that were found, D factors.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np

from charrnn.errors import DataError, UsageError
from charrnn.files.atomic import beside, make_folder, move
from charrnn.files.refusals import storage_errors
from charrnn.files.regular import open_regular
from charrnn.text.blocks import read_errors, refuse_bomb

Form = Literal["word2vec", "glove"]

_GZIP = ".gz"
_GZIP_MAGIC = b"\x1f\x8b"
_LONGEST_LINE = 1 << 20
_EACH = 1024
"""Lines between two looks at how far a packed file has come."""

_DIGITS = 18


@dataclass(frozen=True)
class WordVectors:
    """What a file has of the words that were asked for.

    Attributes:
        words: those that were found, in the order of the file.
        table_MD: their vectors, fp32.
        unused: how many vectors of the file are of other words.
        repeated: how many are of a word that had one already; the first counts.
    """

    words: list[str]
    table_MD: np.ndarray
    unused: int
    repeated: int


def read_vectors(path: Path, wanted: Collection[str]) -> WordVectors:
    """Read the vectors of the `wanted` words.

    Args:
        path: a file in word2vec's or GloVe's form, plain or packed with gzip.
        wanted: the words; other lines are counted, and not taken apart.

    Raises:
        DataError: the file cannot be read, is no file of vectors, or was cut off; with file and line.
    """
    names = {word.encode("utf-8"): word for word in wanted}
    found: dict[bytes, np.ndarray] = {}
    unused = repeated = 0
    lines = _lines(path)
    first = list(islice(lines, 2))
    promised, factors = _shape([line for _, line in first], path)
    for number, line in chain(first[promised is not None :], lines):
        fields = line.rsplit(None, factors)
        if len(fields) != factors + 1:
            raise _wrong(
                path, number, f"a word and {factors} numbers are expected, and the line has {len(fields)} parts"
            )
        if fields[0] not in names:
            unused += 1
        elif fields[0] in found:
            repeated += 1
        else:
            found[fields[0]] = _numbers(fields[1:], path, number)
    count = len(found) + unused + repeated
    if promised is not None and promised != count:
        raise DataError(
            f"the file promises {promised} vectors and has {count}", where=path, why="it may have been cut off"
        )
    table_MD = np.stack(list(found.values())) if found else np.zeros((0, factors), np.float32)
    return WordVectors([names[word] for word in found], table_MD, unused, repeated)


def write_vectors(path: Path, words: Sequence[str], table_MD: np.ndarray, form: Form = "word2vec") -> None:
    """Write vectors; the file appears complete or not at all. What is read back is the same to the last bit of fp32.

    Args:
        path: the file; where its name ends in `.gz` it is packed.
        words: one for each vector, without blanks.
        table_MD: the vectors.
        form: `word2vec` with the line of counts, which gensim reads by itself, or `glove` without.

    Raises:
        UsageError: a word is empty or has blanks.
        StorageError: a write was refused.
    """
    odd = next((word for word in words if word.encode("utf-8").split() != [word.encode("utf-8")]), None)
    if odd is not None:
        raise UsageError(f"a file of vectors cannot hold the word {odd!r}", where=path, why="blanks are its separators")
    make_folder(path.parent)
    new = beside(path)
    with storage_errors(path):
        try:
            with new.open("wb") as raw:
                if path.suffix == _GZIP:
                    with gzip.GzipFile(path.stem, "wb", fileobj=raw, mtime=0) as packed:
                        _write(cast(BinaryIO, packed), words, table_MD, form)
                else:
                    _write(raw, words, table_MD, form)
            move(new, path)
        finally:
            new.unlink(missing_ok=True)


def _write(file: BinaryIO, words: Sequence[str], table_MD: np.ndarray, form: Form) -> None:
    if form == "word2vec":
        file.write(f"{len(words)} {table_MD.shape[1]}\n".encode())
    for word, row_D in zip(words, table_MD.astype(np.float32), strict=True):
        file.write(f"{word} {' '.join(map(str, row_D))}\n".encode())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not blank, with their numbers."""
    with read_errors(path), open_regular(path) as raw:
        packed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        number = 0
        try:
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    raise _wrong(path, number, f"a line of {_LONGEST_LINE:,} bytes or more")
                if packed and number % _EACH == 0:
                    refuse_bomb(raw.tell(), file.tell(), path)
                if text := line.rstrip():
                    yield number, text
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError("the gzip file is damaged", where=path, why=str(error), hint="fetch it again") from error


def _shape(first: Sequence[bytes], path: Path) -> tuple[int | None, int]:
    """What the first line promises, None where it is a vector already; and the number of factors."""
    if not first:
        raise DataError("the file is empty", where=path)
    head, width = first[0].split(), len(first[-1].split()) - 1
    counts = len(head) == 2 and all(field.isdigit() and len(field) <= _DIGITS for field in head)
    if counts and int(head[1]) > 0 and (len(first) == 1 or width >= int(head[1])):
        return int(head[0]), int(head[1])
    if len(head) < 2:
        raise _wrong(path, 1, "there is neither a vector nor a line of counts")
    return None, len(head) - 1


def _numbers(fields: Sequence[bytes], path: Path, number: int) -> np.ndarray:
    try:
        exact_D = np.array([float(field) for field in fields])
    except ValueError as error:
        raise _wrong(path, number, str(error)) from error
    with np.errstate(over="ignore"):
        row_D = exact_D.astype(np.float32)
    if not np.isfinite(row_D).all():
        raise _wrong(path, number, "a number is not finite, or too large for fp32")
    return row_D


def _wrong(path: Path, number: int, why: str) -> DataError:
    return DataError("this is not a file of vectors", where=f"{path}:{number}", why=why)
