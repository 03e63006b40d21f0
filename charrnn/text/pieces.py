"""A source in pieces that can be read on their own, each by another process, and are together the same text.

A file is cut behind a line feed that an ASCII character follows. There a decoder has nothing left over, no normal form
joins both sides, no newline and no word reaches across, and neither a byte order mark is stripped. That holds in
encodings in which a byte below 128 always is that character; of unit `byte` it holds everywhere.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from charrnn.config.schema.corpus import Corpus
from charrnn.text.blocks import GZIP_MAGIC, SourceFile, read_errors

LOOK_AHEAD = 1 << 20
"""How far beyond the wanted place a cut is looked for."""

_SEAM = re.compile(rb"\n(?=[\x00-\x7f])")
_ASCII = bytes(range(0x80))
_ONE_BYTE_EACH = re.compile(r"ascii|(iso8859|koi8)-[0-9a-z]+|cp(125\d|437|850|852|866)")


@dataclass(frozen=True)
class Piece:
    """A passage of one file.

    Attributes:
        number: of the file among those of the source.
        file: the file.
        start: its first byte.
        end: the one behind its last; None where the piece is the whole file, unpacked if it is gzip.
        size: how many bytes of the file that is, packed ones where it is packed.
    """

    number: int
    file: SourceFile
    start: int
    end: int | None
    size: int


Work = tuple[Piece, ...]
"""Pieces that follow each other and are read in one go."""


def can_be_cut(settings: Corpus) -> bool:
    """Whether there are places in a file at which its text can be cut without a look at what is in front of them."""
    if settings.unit == "byte":
        return True
    name = codecs.lookup(settings.encoding).name
    simple = name in ("utf-8", "utf-8-sig") or _ONE_BYTE_EACH.fullmatch(name) is not None
    return simple and _ASCII.decode(name) == _ASCII.decode("ascii")


def works(files: tuple[SourceFile, ...], settings: Corpus, size: int) -> list[Work]:
    """The whole source as pieces of about `size` bytes, small files together.

    Raises:
        DataError: a file cannot be read.
    """
    found: list[Work] = []
    held: list[Piece] = []
    for piece in _pieces(files, settings, size):
        if held and sum(each.size for each in held) + piece.size > size:
            found.append(tuple(held))
            held = []
        held.append(piece)
    return [*found, tuple(held)] if held else found


def why_whole(file: SourceFile, settings: Corpus) -> str:
    """Why the file of a large text is one piece; raises `DataError` if it cannot be read."""
    if not can_be_cut(settings):
        return f"a text in {settings.encoding} cannot be cut before it is read"
    with read_errors(file.label), file.open() as opened:
        packed = opened.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return "a gzip file can be read from its beginning only" if packed else "it has no line ends to be cut at"


def _pieces(files: tuple[SourceFile, ...], settings: Corpus, size: int) -> Iterator[Piece]:
    cuttable = can_be_cut(settings)
    for number, file in enumerate(files):
        whole = file.size()
        cuts = _cuts(file, settings, whole, size) if cuttable and whole > size else []
        if not cuts:
            yield Piece(number, file, 0, None, whole)
        for start, end in zip([0, *cuts], [*cuts, whole], strict=True) if cuts else ():
            yield Piece(number, file, start, end, end - start)


def _cuts(file: SourceFile, settings: Corpus, whole: int, size: int) -> list[int]:
    """Where a file is cut; nowhere if it is packed."""
    cuts: list[int] = []
    with read_errors(file.label), file.open() as opened:
        if opened.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
            return []
        at = size
        while at < whole:
            if settings.unit != "byte":
                opened.seek(at - 1)
                seam = _SEAM.search(opened.read(LOOK_AHEAD))
                if seam is None:
                    at += LOOK_AHEAD
                    continue
                at += seam.start()
            if at < whole:
                cuts.append(at)
            at += size
    return cuts
