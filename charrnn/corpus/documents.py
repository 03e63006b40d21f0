"""Where documents begin: found in the tokens as they are written, stored, and read again for each split.

`documents.bin` holds the token at which each document begins as a little-endian uint64, ascending, 0 first. A document
without tokens, such as an empty file, is none.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.config.schema.corpus import Corpus, FileDocuments, SeparatedDocuments
from charrnn.corpus.manifest import START_BYTES, FileRecord, damaged
from charrnn.errors import DataError
from charrnn.text.blocks import read_errors
from charrnn.text.encode import UnknownSymbols
from charrnn.text.labels import described
from charrnn.text.normal import normalised_text
from charrnn.text.vocabulary import Vocabulary

Starts = NDArray[np.int64]

_STORED = np.dtype(f"<u{START_BYTES}")
_SETTING = "corpus.documents.text"


class HashedFile:
    """A file that is hashed and counted as it is written.

    Args:
        file: where the bytes go.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""
        self._file.write(data)
        self._hash.update(data)
        self._bytes += len(data)  # of single bytes, in a view too

    @property
    def record(self) -> FileRecord:
        """What the manifest says about the file."""
        return FileRecord(bytes=self._bytes, sha256=self._hash.hexdigest())


class SeparatorFinder:
    """Finds a separator in tokens that come block by block: leftmost first, and no occurrence overlaps another.

    How the tokens are cut into blocks plays no part; memory is that of a block and the separator.

    Args:
        separator: its tokens, at least one.
    """

    def __init__(self, separator: NDArray[np.integer[Any]]) -> None:
        self._separator = separator
        self._held: NDArray[np.integer[Any]] = separator[:0]  # tokens that an occurrence may yet begin with
        self._before = 0  # tokens in front of those

    def ends(self, tokens: NDArray[np.integer[Any]]) -> Starts:
        """The positions behind the occurrences that end in these further `tokens`, counted from the first of all."""
        text, length = np.concatenate([self._held, tokens]), len(self._separator)
        found = _apart(self._occurrences(text), length) + length
        cut = max(len(text) - length + 1, 0)
        if len(found):
            cut = max(cut, int(found[-1]))
        ends = found + self._before
        self._held, self._before = text[cut:].copy(), self._before + cut
        return ends

    def _occurrences(self, text: NDArray[np.integer[Any]]) -> Starts:
        """Where the separator stands in `text`, overlapping occurrences too."""
        places = max(len(text) - len(self._separator) + 1, 0)
        found = np.flatnonzero(text[:places] == self._separator[0])
        for offset in range(1, len(self._separator)):
            found = found[text[found + offset] == self._separator[offset]]
        return found


def _apart(found: Starts, length: int) -> Starts:
    """The occurrences that a reader from the left takes, each `length` long: none begins inside another."""
    if (np.diff(found) >= length).all():
        return found
    taken, free = [], 0
    for place in found.tolist():
        if place >= free:
            taken.append(place)
            free = place + length
    return np.array(taken, np.int64)


class DocumentWriter:
    """Writes where the documents of a text begin, while its tokens go by; nothing where the settings name none.

    The text is one row of tokens: a separator may begin in one file and end in the next.

    Args:
        settings: they say what a document is, and the form that a separator is brought into.
        vocabulary: what the tokens are.
        file: where the starts go.

    Raises:
        DataError: the separator has a symbol that the text has not.
    """

    def __init__(self, settings: Corpus, vocabulary: Vocabulary, file: HashedFile) -> None:
        self._settings = settings
        self._file = file
        self._tokens = 0
        self._last = 0  # held back: a start is written once its document has a token
        self._finder: SeparatorFinder | None = None
        if isinstance(settings.documents, SeparatedDocuments):
            self._finder = SeparatorFinder(_separator(settings, settings.documents, vocabulary))

    def new_file(self) -> None:
        """A file of the source begins."""
        if isinstance(self._settings.documents, FileDocuments):
            self._begin(np.array([self._tokens], np.int64))

    def feed(self, tokens: NDArray[np.integer[Any]]) -> None:
        """The text goes on with these tokens."""
        if self._finder is not None:
            self._begin(self._finder.ends(tokens))
        self._tokens += len(tokens)

    def finish(self) -> FileRecord:
        """Write what is held back; the text is at its end.

        Raises:
            DataError: the separator never occurred.
        """
        if self._finder is not None and self._last == 0:
            raise _never(self._settings)
        if self._last < self._tokens:
            self._file.write(np.array([self._last], _STORED).tobytes())
        return self._file.record

    def _begin(self, starts: Starts) -> None:
        """Documents begin at `starts`, ascending; where two begin at one place, the first has no tokens."""
        if len(starts):
            known = np.concatenate([np.array([self._last], np.int64), starts])
            self._file.write(known[:-1][known[1:] > known[:-1]].astype(_STORED).tobytes())
            self._last = int(known[-1])


def _separator(settings: Corpus, documents: SeparatedDocuments, vocabulary: Vocabulary) -> NDArray[np.integer[Any]]:
    """The tokens of the separator, in the form of the corpus."""
    text = normalised_text(documents.text, settings)
    if not text:
        raise DataError("nothing is left of the separator in the form of the corpus", where=_SETTING)
    try:
        return vocabulary.encode(text).astype(vocabulary.dtype)
    except UnknownSymbols as error:
        raise _never(settings, f"the text has no {', '.join(map(described, error.symbols))}") from error


def _never(settings: Corpus, why: str | None = None) -> DataError:
    return DataError(
        "the separator of documents never occurs in the text",
        where=f"{_SETTING}, {settings.source}",
        why=why,
        hint='quote escapes doubly in YAML, as in "\\n\\n", or set corpus.documents: null for a text of one document',
    )


def read_starts(path: Path, documents: int, tokens: int, mapped: bool) -> NDArray[np.uint64]:
    """Where the documents begin, as stored.

    Args:
        path: the file.
        documents: how many there are.
        tokens: how many tokens the text has.
        mapped: leave the numbers in the file.

    Raises:
        DataError: the file is not what `prepare` wrote.
    """
    with read_errors(path):
        starts = np.memmap(path, _STORED, "r") if mapped else np.fromfile(path, _STORED)
    if len(starts) != documents or starts[0] != 0 or not (starts[1:] > starts[:-1]).all() or starts[-1] >= tokens:
        raise damaged(path, f"its numbers do not ascend from 0 to below the {tokens:,} tokens of the text")
    return starts


def within(starts: NDArray[np.uint64], start: int, end: int) -> Starts:
    """Where documents begin in the passage from token `start` to before `end`, counted from `start`.

    A passage begins with a document, or with the rest of one, and so does its first number with 0; an empty passage has
    none.
    """
    if start == end:
        return np.zeros(0, np.int64)
    first, after = np.searchsorted(starts, np.array([start + 1, end], np.uint64))
    return np.concatenate([np.zeros(1, np.int64), starts[first:after].astype(np.int64) - start])
