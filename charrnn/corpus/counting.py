"""What is done with pieces of a text, in whichever process: symbols become ids, and ids are counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.parts import read_span
from charrnn.errors import DataError
from charrnn.text.blocks import BLOCK
from charrnn.text.encode import Ids, Unknown, UnknownSymbols
from charrnn.text.vocabulary import Vocabulary


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


def ids_of(vocabulary: Vocabulary, given: Given | None, piece: str | bytes, source: str, lost: dict[str, None]) -> Ids:
    """The ids of a piece; a text's own vocabulary has them all, and a given one what was asked for in their place.

    Args:
        vocabulary: the symbols.
        given: where they come from, if they are not the text's own.
        piece: whole units.
        source: what errors call the text.
        lost: takes the symbols that were left out or replaced.

    Raises:
        DataError: a symbol is missing.
    """
    try:
        return vocabulary.encode_block(piece)
    except UnknownSymbols as error:
        if given is None:
            raise DataError("the source was changed while it was read", where=source) from error
        if given.unknown == "error":
            error.where = source
            error.hint = (
                "set corpus.min_count to 2 or more, so that the vocabulary spells what it does not have, or "
                "`unknown` of this text to skip or replace"
            )
            raise
        lost |= dict.fromkeys(error.symbols)
        return vocabulary.encode(piece, given.unknown).astype(vocabulary.dtype)


def stand_for(
    vocabulary: Vocabulary,
    folder: Path,
    part_bytes: int | None,
    passage: tuple[int, int],
    on_block: Callable[[int], None],
) -> tuple[int, int]:
    """How many characters, and bytes of UTF-8, the tokens of a passage stand for; `on_block` hears of the bytes up to
    which they have been read."""
    width, (start, end) = vocabulary.dtype.itemsize, passage
    if one_byte_each(vocabulary):
        on_block(end * width)
        return end - start, end - start
    seen: NDArray[np.int64] = np.zeros(vocabulary.size, np.int64)
    for at in range(start, end, BLOCK):
        upto = min(at + BLOCK, end)
        block = read_span(folder, part_bytes, at * width, upto * width)
        seen += counted(np.frombuffer(block, vocabulary.dtype.newbyteorder("<")), vocabulary.size)
        on_block(upto * width)
    return int(seen @ vocabulary.characters_per_id), int(seen @ vocabulary.bytes_per_id)


def one_byte_each(vocabulary: Vocabulary) -> bool:
    """Whether every token stands for one character of one byte, so that there is nothing to count."""
    return bool((vocabulary.characters_per_id[1:] == 1).all() and (vocabulary.bytes_per_id[1:] == 1).all())


def counted(ids: Ids, size: int) -> NDArray[np.int64]:
    """How often each of the ids below `size` stands in `ids`; those of one byte are looked up in pairs."""
    if ids.dtype != np.uint8:
        return np.bincount(ids, minlength=size)
    even = len(ids) - len(ids) % 2
    pairs = np.bincount(ids[:even].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    counts: NDArray[np.int64] = pairs.sum(0) + pairs.sum(1) + np.bincount(ids[even:], minlength=256)
    return counts[:size]
