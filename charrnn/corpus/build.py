"""The two passes over a text, which count its symbols and write its tokens, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.documents import DocumentWriter, HashedFile
from charrnn.corpus.manifest import (
    DOCUMENTS,
    FORMAT,
    KIND,
    VOCABULARY,
    Counts,
    FileRecord,
    Manifest,
    SourceRecord,
    SplitRecord,
    write_manifest,
)
from charrnn.corpus.parts import TokenWriter, read_span
from charrnn.corpus.splits import cut
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.files.atomic import make_folder, new_folder, write_json
from charrnn.text.blocks import BLOCK, SourceFile, file_digest, read_blocks
from charrnn.text.encode import Ids, Unknown, UnknownSymbols
from charrnn.text.reader import Reader
from charrnn.text.sources import Source
from charrnn.text.tally import Tally
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Watch


def empty(settings: Corpus) -> DataError:
    """The error for a source without a text."""
    return DataError("the text is empty", where=settings.source)


@dataclass(frozen=True)
class Given:
    """The vocabulary of another text, for a corpus that is to be of the same symbols.

    Attributes:
        vocabulary: the symbols.
        unknown: what becomes of symbols that it neither has nor spells.
    """

    vocabulary: Vocabulary
    unknown: Unknown = "error"

    def identity(self) -> dict[str, str]:
        """What it adds to the identity of a corpus."""
        return {"vocabulary": self.vocabulary.digest, "unknown": self.unknown}


class Build:
    """Makes one corpus.

    Args:
        settings: what becomes of the text.
        source: the text.
        watch: told about every block.
        given: the vocabulary, where it is not the text's own.

    Attributes:
        records: sizes and digests of the files of the source, once they have been looked at.
        lost: the symbols of the text that a given vocabulary has not, and that were left out or replaced.
    """

    def __init__(
        self,
        settings: Corpus,
        source: Source,
        watch: Watch,
        given: Given | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._watch = watch
        self._given = given
        self._replaced = 0
        self._total = sum(file.size() for file in source.files)
        self._own: Vocabulary | None = None
        self.records: list[SourceRecord] = []
        self.lost: dict[str, None] = {}

    def look(self, count: bool) -> None:
        """Take the sizes and digests of the files; and, to read them once less, `count` their symbols on the way, which
        is for nothing where the corpus turns out to be there already.

        Raises:
            DataError: the text is empty; it cannot be read; and where symbols are counted, whatever `write` raises.
        """
        if count and self._given is None:
            self._own = self._count()
        else:
            before = 0
            for file in self._source.files:
                size, sha256 = file_digest(file, self._on_block("look", before))
                self.records.append(SourceRecord(name=file.name, bytes=size, sha256=sha256))
                before += size
        if not any(record.bytes for record in self.records):
            raise empty(self._settings)

    def write(self, folder: Path, identity: str) -> None:
        """Put the corpus at `folder`, complete or not at all; `identity` is its digest.

        Raises:
            DataError: the text is empty, of one symbol, unreadable, or was changed meanwhile.
            StorageError: a write was refused.
        """
        vocabulary = (self._own or self._count()) if self._given is None else self._given.vocabulary
        make_folder(folder.parent)
        with new_folder(folder) as beside:
            files = self._encode(vocabulary, beside)
            splits = self._measure(vocabulary, beside, sum(files[name].bytes for name in files if name != DOCUMENTS))
            write_json(beside / VOCABULARY, vocabulary.to_json())
            words = digest.of_file(beside / VOCABULARY), (beside / VOCABULARY).stat().st_size
            manifest = Manifest.model_validate(
                {
                    "format": FORMAT,
                    "kind": KIND,
                    "digest": identity,
                    "sources": self.records,
                    "settings": self._settings,
                    "counts": self._counts(splits),
                    "dtype": vocabulary.dtype.name,
                    "files": files | {VOCABULARY: FileRecord(sha256=words[0], bytes=words[1])},
                    "splits": splits,
                }
            )
            write_manifest(beside, manifest.to_json())

    def _count(self) -> Vocabulary:
        """The first pass."""
        tally = Tally(self._settings)
        for piece in self._pieces("count"):
            tally.add(piece)
        if tally.distinct == 0:
            raise empty(self._settings)
        if tally.distinct == 1:
            raise DataError("there is nothing to learn: the text repeats one symbol", where=self._settings.source)
        return tally.vocabulary()

    def _encode(self, vocabulary: Vocabulary, folder: Path) -> dict[str, FileRecord]:
        """The second pass: the tokens go to a file of `folder`, little-endian, and where documents begin to another."""
        stored = vocabulary.dtype.newbyteorder("<")
        with ExitStack() as stack:
            tokens, documents = stack.enter_context(TokenWriter(folder, self._part_bytes(vocabulary))), None
            if self._settings.documents is not None:
                starts = HashedFile(stack.enter_context((folder / DOCUMENTS).open("wb")))
                documents = DocumentWriter(self._settings, vocabulary, starts)
            for piece in self._pieces("encode", documents.new_file if documents else None):
                ids = self._ids(vocabulary, piece)
                tokens.write(ids.astype(stored, copy=False))
                if documents:
                    documents.feed(ids)
            return tokens.records | ({DOCUMENTS: documents.finish()} if documents else {})

    def _part_bytes(self, vocabulary: Vocabulary) -> int | None:
        """The size of a part in whole tokens; None where there is one file."""
        asked = self._settings.part_bytes
        return None if asked is None else asked - asked % vocabulary.dtype.itemsize

    def _ids(self, vocabulary: Vocabulary, piece: str | bytes) -> Ids:
        """The ids of a piece; one's own vocabulary has them all, and a given one what was asked for in their place."""
        try:
            return vocabulary.encode_block(piece)
        except UnknownSymbols as error:
            if self._given is None:
                raise DataError("the source was changed while it was read", where=self._settings.source) from error
            if self._given.unknown == "error":
                error.where = self._settings.source
                error.hint = (
                    "set corpus.min_count to 2 or more, so that the vocabulary spells what it does not have, or "
                    "`unknown` of this text to skip or replace"
                )
                raise
            self.lost |= dict.fromkeys(error.symbols)
            return vocabulary.encode(piece, self._given.unknown).astype(vocabulary.dtype)

    def _measure(self, vocabulary: Vocabulary, folder: Path, size: int) -> dict[str, SplitRecord]:
        """Cut the tokens, `size` bytes in `folder`, and count the characters and bytes that the splits stand for."""
        width = vocabulary.dtype.itemsize
        splits = {}
        for name, (start, end) in cut(self._settings, size // width).items():
            characters, stood_for = self._stand_for(vocabulary, folder, (start, end), size)
            if end > start and not characters:
                raise DataError(
                    f"the {name} split holds {end - start} tokens and no whole character",
                    where=self._settings.source,
                    hint="give it a larger share in corpus.split",
                )
            splits[name] = SplitRecord(start=start, end=end, characters=characters, bytes=stood_for)
        return splits

    def _stand_for(self, vocabulary: Vocabulary, folder: Path, split: tuple[int, int], total: int) -> tuple[int, int]:
        """How many characters, and bytes of UTF-8, the tokens of a split stand for."""
        width, (start, end) = vocabulary.dtype.itemsize, split
        if (vocabulary.characters_per_id[1:] == 1).all() and (vocabulary.bytes_per_id[1:] == 1).all():
            self._watch.block("measure", end * width, total)
            return end - start, end - start
        seen: NDArray[np.int64] = np.zeros(vocabulary.size, np.int64)
        for at in range(start, end, BLOCK):
            upto = min(at + BLOCK, end)
            block = read_span(folder, self._part_bytes(vocabulary), at * width, upto * width)
            seen += counted(np.frombuffer(block, vocabulary.dtype.newbyteorder("<")), vocabulary.size)
            self._watch.block("measure", upto * width, total)
        return int(seen @ vocabulary.characters_per_id), int(seen @ vocabulary.bytes_per_id)

    def _counts(self, splits: dict[str, SplitRecord]) -> Counts:
        return Counts(
            tokens=max(split.end for split in splits.values()),
            characters=sum(split.characters for split in splits.values()),
            bytes=sum(split.bytes for split in splits.values()),
            replaced=self._replaced,
        )

    def _pieces(self, label: str, on_file: Callable[[], None] | None = None) -> Iterator[str | bytes]:
        """The whole text in pieces of whole units, each of one file; `on_file` is called before those of a file. Files
        that have not been looked at are, on the way."""
        reader, records, before = Reader(self._settings), [], 0
        for file, known in zip_longest(self._source.files, self.records):

            def on_end(size: int, sha256: str, file: SourceFile = file) -> None:
                records.append(SourceRecord(name=file.name, bytes=size, sha256=sha256))

            if on_file is not None:
                on_file()
            sha256, on_block = None if known is None else known.sha256, self._on_block(label, before)
            yield from reader.pieces(file.label, read_blocks(file, sha256, on_block, on_end))
            before += records[-1].bytes
        self._replaced, self.records = reader.replaced, records

    def _on_block(self, label: str, before: int) -> Callable[[int], None]:
        """What hears of the bytes of a file that were read; so many were `before` it."""
        return lambda done: self._watch.block(label, before + done, self._total)


def counted(ids: Ids, size: int) -> NDArray[np.int64]:
    """How often each of the ids below `size` stands in `ids`; those of one byte are looked up in pairs."""
    if ids.dtype != np.uint8:
        return np.bincount(ids, minlength=size)
    even = len(ids) - len(ids) % 2
    pairs = np.bincount(ids[:even].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    counts: NDArray[np.int64] = pairs.sum(0) + pairs.sum(1) + np.bincount(ids[even:], minlength=256)
    return counts[:size]
