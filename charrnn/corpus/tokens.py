"""A prepared corpus, opened."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.documents import Starts, read_starts, within
from charrnn.corpus.manifest import (
    DOCUMENTS,
    PREPARE_AGAIN,
    SPLITS,
    TOKENS,
    VOCABULARY,
    FileRecord,
    Manifest,
    damaged,
    is_part,
    read_json,
)
from charrnn.corpus.parts import PartedTokens
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.text.blocks import read_errors
from charrnn.text.vocabulary import Vocabulary

Tokens = NDArray[np.unsignedinteger[Any]]

_IN_MEMORY = 1 << 30
"""Arrays below so many bytes are read; larger ones are mapped."""


@dataclass(frozen=True)
class Split:
    """An unbroken passage of a corpus.

    Attributes:
        name: `train`, `valid` or `test`.
        tokens: its ids, a row in the type that they are stored in; not to be written to. Of a corpus in parts, what
            reads them there: it has a length, slices, and the tokens at any array of places.
        characters: of the normalised text that they stand for.
        bytes: of that text as UTF-8.
        documents: where documents begin, counted in tokens of the split; ascending from 0, for a split that is cut
            out of the middle of a document begins with the rest of it. Empty where the split is; not to be written to.
    """

    name: str
    tokens: Any
    characters: int
    bytes: int
    documents: Starts


@dataclass(frozen=True)
class TokenCorpus:
    """A text as ids, with the vocabulary that gives them meaning.

    Attributes:
        folder: where it lies.
        manifest: what it is made of.
        vocabulary: its symbols.
    """

    folder: Path
    manifest: Manifest
    vocabulary: Vocabulary

    @classmethod
    def open(cls, folder: Path, verify: bool = False) -> TokenCorpus:
        """The corpus in `folder`; the tokens themselves are read when they are first asked for.

        Args:
            folder: where `prepare` put it.
            verify: read all of it and compare the digests, not only the sizes.

        Raises:
            DataError: there is none, it is damaged, or it was written by another version.
        """
        manifest = Manifest.read(folder)
        # The vocabulary is small, and in another order it would turn every id into nonsense without a word.
        check_file(folder / VOCABULARY, manifest.files[VOCABULARY], verify=True)
        for name in [*manifest.token_files, *([DOCUMENTS] if DOCUMENTS in manifest.files else [])]:
            check_file(folder / name, manifest.files[name], verify)
        return cls(folder, manifest, read_vocabulary(folder, manifest.dtype))

    @property
    def digest(self) -> str:
        """The identity of the corpus: the digest of its settings and of the content of its sources."""
        return self.manifest.digest

    @property
    def remarks(self) -> tuple[str, ...]:
        """What should be known of a new one: nothing."""
        return ()

    def summary(self) -> dict[str, Any]:
        """What it holds, in numbers."""
        return {
            "vocabulary": self.vocabulary.size,
            "tokens": {name: part.end - part.start for name, part in self.manifest.splits.items()},
            "documents": self.manifest.documents,
            "replaced": self.manifest.counts.replaced,
        }

    @cached_property
    def tokens(self) -> Tokens | PartedTokens:
        """All ids, a row; in memory if they are not many, else mapped from the file, or from each part when one of its
        tokens is first read.

        Raises:
            DataError: the corpus was replaced or damaged since it was opened.
        """
        if self.manifest.part_bytes is not None:
            return self._parted(self.manifest.part_bytes)
        path, dtype = self.folder / TOKENS, np.dtype(self.manifest.dtype).newbyteorder("<")
        with read_errors(path):
            mapped = self.manifest.files[TOKENS].bytes >= _IN_MEMORY
            tokens = np.memmap(path, dtype, "r") if mapped else np.fromfile(path, dtype)
        self._check_still_there(len(tokens))
        if not mapped and tokens.size and int(tokens.max()) >= self.vocabulary.size:
            raise damaged(path, f"it has an id beyond the {self.vocabulary.size} of the vocabulary")
        tokens.flags.writeable = False
        return tokens

    def _parted(self, part_bytes: int) -> PartedTokens:
        manifest = self.manifest
        self._check_still_there(manifest.counts.tokens)
        paths = [self.folder / name for name in manifest.token_files]
        dtype = np.dtype(manifest.dtype).newbyteorder("<")
        return PartedTokens(paths, part_bytes // manifest.width, manifest.counts.tokens, dtype)

    def _check_still_there(self, tokens: int) -> None:
        if Manifest.read(self.folder).digest != self.digest or tokens != self.manifest.counts.tokens:
            raise DataError("the corpus was replaced meanwhile", where=self.folder, hint="start again")

    @cached_property
    def _documents(self) -> dict[str, Starts]:
        """Where documents begin in each split."""
        manifest, stored = self.manifest, np.zeros(1, np.uint64)
        if DOCUMENTS in manifest.files:
            mapped = manifest.files[DOCUMENTS].bytes >= _IN_MEMORY
            stored = read_starts(self.folder / DOCUMENTS, manifest.documents, manifest.counts.tokens, mapped)
        documents = {name: within(stored, split.start, split.end) for name, split in manifest.splits.items()}
        for starts in documents.values():
            starts.flags.writeable = False
        return documents

    def split(self, name: str) -> Split:
        """One of the splits `train`, `valid` and `test`; it may be empty.

        Raises:
            DataError: there is none of this name, or the corpus was replaced or damaged since it was opened.
        """
        record = self.manifest.splits.get(name)
        if record is None:
            raise DataError(f"there is no split named {name!r}", why=f"there are {', '.join(SPLITS)}")
        tokens, (start, end) = self.tokens, (record.start, record.end)
        passage = tokens.passage(start, end) if isinstance(tokens, PartedTokens) else tokens[start:end]
        return Split(name, passage, record.characters, record.bytes, self._documents[name])


def check_file(path: Path, record: FileRecord, verify: bool) -> None:
    """Raise unless the file at `path` has the size, and under `verify` the digest, that the manifest says. A part of
    the tokens may be a link to where it was moved."""
    with read_errors(path):
        if (path.is_symlink() and not is_part(path.name)) or not path.is_file():
            raise damaged(path, "it is missing")
        size = path.stat().st_size
        if size != record.bytes:
            raise damaged(path, f"it has {size:,} bytes, the manifest says {record.bytes:,}")
        if verify and digest.of_file(path) != record.sha256:
            raise damaged(path, "its sha256 is not the one in the manifest")


def read_vocabulary(folder: Path, dtype: str) -> Vocabulary:
    """The vocabulary of the corpus in `folder`, whose ids are stored as `dtype`.

    Raises:
        DataError: it is damaged, or its ids are not stored so.
    """
    path = folder / VOCABULARY
    try:
        vocabulary = Vocabulary.from_json(read_json(path))
    except DataError as error:
        raise DataError(error.what, where=path, why=error.why, hint=PREPARE_AGAIN) from error
    if vocabulary.dtype.name != dtype:
        raise damaged(path, f"its {vocabulary.size} symbols are not stored as {dtype}")
    return vocabulary
