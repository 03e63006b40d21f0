"""A process that reads pieces of a text for another one, which started it: `charrnn.corpus.crew`.

It hears one request after the other, does what it says, and answers. It holds tokens that it has made until it is told
where in the corpus they belong: in memory while they are few, else in a file without a name. It ends when nobody asks
any more.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.counting import Given, ids_of, stand_for
from charrnn.corpus.manifest import SourceRecord
from charrnn.errors import CharRnnError
from charrnn.text.blocks import BLOCK, SourceFile, file_digest, read_blocks, read_passage
from charrnn.text.pieces import Piece, Work
from charrnn.text.reader import Reader
from charrnn.text.tally import Counts, Tally
from charrnn.text.vocabulary import Vocabulary

HELD = 32 << 20
"""So many bytes of tokens are held in memory."""


@dataclass(frozen=True)
class Encoded:
    """What a worker says about pieces that it has made tokens of.

    Attributes:
        bytes: of the tokens of each piece.
        replaced: how many U+FFFD stand in place of wrong bytes.
        lost: symbols that a given vocabulary has not.
    """

    bytes: tuple[int, ...]
    replaced: int
    lost: tuple[str, ...]


class Worker:
    """What a worker can be asked.

    Args:
        settings: what becomes of the text.
    """

    def __init__(self, settings: Corpus) -> None:
        self._settings = settings
        self._tally = Tally(settings)
        self._held: dict[int, BinaryIO] = {}
        self._given: Given | None = None
        self._folder: str | None = None
        self._vocabulary: Vocabulary | None = None

    def digest(self, number: int, file: SourceFile) -> SourceRecord:
        """Size and digest of a file of the source."""
        size, sha256 = file_digest(file, _nobody)
        return SourceRecord(name=file.name, bytes=size, sha256=sha256)

    def count(self, number: int, work: Work) -> tuple[int, list[tuple[int, SourceRecord]]]:
        """Count the symbols of some pieces.

        Returns:
            How many wrong bytes were replaced, and the records of the files that were read whole.
        """
        reader, records = Reader(self._settings), list[tuple[int, SourceRecord]]()
        for piece in work:
            for text in reader.pieces(piece.file.label, _blocks(piece, None, records), piece.start):
                self._tally.add(text)
        return reader.replaced, records

    def counts(self) -> Counts:
        """What was counted so far."""
        return self._tally.counts

    def use(self, vocabulary: Vocabulary, given: Given | None, folder: Path) -> None:
        """Make tokens by this vocabulary from now on, `given` where it is not the text's own; those that are too many
        for memory lie in files without a name on the disk of `folder`."""
        self._vocabulary, self._given, self._folder = vocabulary, given, str(folder)

    def encode(self, number: int, work: Work, known: dict[int, SourceRecord]) -> Encoded:
        """Make tokens of some pieces, and hold them.

        Args:
            number: what they are called until they are placed.
            work: the pieces.
            known: the records of their files.
        """
        assert self._vocabulary is not None, "the vocabulary comes first"
        reader, lost, sizes = Reader(self._settings), dict[str, None](), []
        held = cast(BinaryIO, tempfile.SpooledTemporaryFile(HELD, dir=self._folder))  # noqa: SIM115
        self._held[number] = held
        for piece in work:
            before, sha256 = held.tell(), known[piece.number].sha256
            for text in reader.pieces(piece.file.label, _blocks(piece, sha256, []), piece.start):
                ids = ids_of(self._vocabulary, self._given, text, self._settings.source, lost)
                held.write(ids.astype(self._vocabulary.dtype.newbyteorder("<"), copy=False).view(np.uint8).data)
            sizes.append(held.tell() - before)
        return Encoded(tuple(sizes), reader.replaced, tuple(lost))

    def place(self, number: int, places: list[tuple[Path, int, int]]) -> None:
        """Write held tokens where they belong, and let go of them.

        Args:
            number: which.
            places: files that are there, from where in each, and how many bytes, in order.
        """
        with self._held.pop(number) as held:
            held.seek(0)
            for path, at, size in places:
                with path.open("r+b") as file:
                    file.seek(at)
                    shutil.copyfileobj(cast(BinaryIO, _First(held, size)), file, BLOCK)

    def measure(self, number: int, folder: Path, part_bytes: int | None, start: int, end: int) -> tuple[int, int]:
        """How many characters, and bytes of UTF-8, the tokens from `start` to before `end` stand for."""
        assert self._vocabulary is not None, "the vocabulary comes first"
        return stand_for(self._vocabulary, folder, part_bytes, (start, end), _nobody)

    def close(self) -> None:
        """Let go of all that is held."""
        while self._held:
            self._held.popitem()[1].close()


class _First:
    """The next so many bytes of a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def _blocks(piece: Piece, sha256: str | None, records: list[tuple[int, SourceRecord]]) -> Iterator[bytes]:
    """The bytes of a piece; a whole file is held against its digest, or its record is taken."""

    def on_end(size: int, found: str) -> None:
        records.append((piece.number, SourceRecord(name=piece.file.name, bytes=size, sha256=found)))

    if piece.end is None:
        return read_blocks(piece.file, sha256, _nobody, on_end)
    return read_passage(piece.file, piece.start, piece.end, _nobody)


def _nobody(done: int) -> None:
    """Hears how far the work has come, and tells nobody."""


def serve(descriptor: int) -> None:
    """Answer requests from a connection until it ends."""
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError), contextlib.ExitStack() as stack:
        line = stack.enter_context(Connection(descriptor))
        worker = stack.enter_context(contextlib.closing(Worker(line.recv())))
        while True:
            name, given = line.recv()
            line.send(_answer(getattr(worker, name), given))


def _answer(call: Callable[..., Any], given: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "done", call(*given)
    except (CharRnnError, OSError) as error:
        return "error", error
    except MemoryError:
        return "memory", None
    except Exception:
        return "fault", traceback.format_exc()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
