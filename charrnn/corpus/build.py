"""The two passes over a text, which count its symbols and write its tokens, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.counting import Given, ids_of, one_byte_each, stand_for
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
from charrnn.corpus.parts import TokenWriter
from charrnn.corpus.several import Several
from charrnn.corpus.splits import cut
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.files.atomic import make_folder, new_folder, write_json
from charrnn.text.blocks import SourceFile, file_digest, read_blocks
from charrnn.text.reader import Reader
from charrnn.text.sources import Source
from charrnn.text.tally import Tally
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Watch

T = TypeVar("T")


def empty(settings: Corpus) -> DataError:
    """The error for a source without a text."""
    return DataError("the text is empty", where=settings.source)


class Build:
    """Makes one corpus.

    Args:
        settings: what becomes of the text.
        source: the text.
        watch: told about every block.
        given: the vocabulary, where it is not the text's own.
        several: the processes that work together, where there are any but this one.

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
        several: Several | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._watch = watch
        self._given = given
        self._several = several
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
            self.records = self._told(lambda several: several.look(), self._look_alone)
        if not any(record.bytes for record in self.records):
            raise empty(self._settings)

    def _look_alone(self) -> list[SourceRecord]:
        records, before = list[SourceRecord](), 0
        for file in self._source.files:
            size, sha256 = file_digest(file, self._on_block("look", before))
            records.append(SourceRecord(name=file.name, bytes=size, sha256=sha256))
            before += size
        return records

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
        tally = self._told(self._count_together, self._count_alone)
        if tally.distinct == 0:
            raise empty(self._settings)
        if tally.distinct == 1:
            raise DataError("there is nothing to learn: the text repeats one symbol", where=self._settings.source)
        return tally.vocabulary()

    def _count_alone(self) -> Tally:
        tally = Tally(self._settings)
        for piece in self._pieces("count"):
            tally.add(piece)
        return tally

    def _count_together(self, several: Several) -> Tally:
        tally, self.records = several.count(self.records)
        return tally

    def _told(self, together: Callable[[Several], T], alone: Callable[[], T]) -> T:
        """What several processes come to, where there are any. What is wrong with a text is said by one process, which
        reads it from its beginning and knows the place, and finds out where nothing is wrong after all."""
        if self._several is not None:
            try:
                return together(self._several)
            except DataError:
                self._several.end()
                self._several = None
        return alone()

    def _encode(self, vocabulary: Vocabulary, folder: Path) -> dict[str, FileRecord]:
        """The second pass: the tokens go to files of `folder`, little-endian, and where documents begin to another."""
        return self._told(
            lambda several: self._encode_together(several, vocabulary, folder),
            lambda: self._encode_alone(vocabulary, folder),
        )

    def _encode_alone(self, vocabulary: Vocabulary, folder: Path) -> dict[str, FileRecord]:
        stored = vocabulary.dtype.newbyteorder("<")
        with (
            TokenWriter(folder, self._part_bytes(vocabulary)) as tokens,
            self._documents(vocabulary, folder) as documents,
        ):
            for piece in self._pieces("encode", documents.new_file if documents else None):
                ids = ids_of(vocabulary, self._given, piece, self._settings.source, self.lost)
                tokens.write(ids.astype(stored, copy=False))
                if documents:
                    documents.feed(ids)
            return tokens.records | ({DOCUMENTS: documents.finish()} if documents else {})

    def _encode_together(self, several: Several, vocabulary: Vocabulary, folder: Path) -> dict[str, FileRecord]:
        with self._documents(vocabulary, folder) as documents:
            place = folder, self._part_bytes(vocabulary)
            tokens = several.encode(vocabulary, self._given, self.records, *place, documents)
            self._replaced, self.lost = tokens.replaced, tokens.lost
            return tokens.records | ({DOCUMENTS: documents.finish()} if documents else {})

    @contextmanager
    def _documents(self, vocabulary: Vocabulary, folder: Path) -> Iterator[DocumentWriter | None]:
        """What finds the documents, where the settings say what they are."""
        if self._settings.documents is None:
            yield None
        else:
            with (folder / DOCUMENTS).open("wb") as file:
                yield DocumentWriter(self._settings, vocabulary, HashedFile(file))

    def _part_bytes(self, vocabulary: Vocabulary) -> int | None:
        """The size of a part in whole tokens; None where there is one file."""
        asked = self._settings.part_bytes
        return None if asked is None else asked - asked % vocabulary.dtype.itemsize

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
        several, part_bytes = self._several, self._part_bytes(vocabulary)
        if several is not None and not one_byte_each(vocabulary):
            return several.measure(folder, part_bytes, split, vocabulary.dtype.itemsize)

        def on_block(done: int) -> None:
            self._watch.block("measure", done, total)

        return stand_for(vocabulary, folder, part_bytes, split, on_block)

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
