"""From the bytes of a file to pieces of normalised text that hold whole units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from charrnn.config.schema.corpus import Corpus
from charrnn.text.decode import Decoding
from charrnn.text.normal import normalised
from charrnn.text.units import whole_words

_LONGEST_CHARACTER = 4  # bytes, in any encoding that a file is cut in


class Reader:
    """Reads files as the settings of a corpus say, in memory bounded by the size of the blocks.

    Args:
        settings: encoding, errors, byte order mark, newlines, normal form, case and unit.

    Attributes:
        replaced: how many U+FFFD stand in place of wrong bytes in the files read so far.
    """

    def __init__(self, settings: Corpus) -> None:
        self._settings = settings
        self.replaced = 0

    def pieces(self, name: str, blocks: Iterable[bytes], before: int = 0) -> Iterator[str | bytes]:
        """The text of one file in pieces that can be taken apart into units one by one.

        How the bytes are cut into blocks plays no part in their text; no unit reaches from file to file.

        Args:
            name: what errors call the file.
            blocks: its bytes, or those from a place on at which it can be cut (`charrnn.text.pieces`).
            before: so many bytes of the file are in front of these; the places that errors name count from here.

        Raises:
            DataError: the bytes are not text as the settings have it.
        """
        settings = self._settings
        if settings.unit == "byte":
            yield from (block for block in blocks if block)
            return
        decoding = Decoding(name, settings.encoding, settings.errors, before // _LONGEST_CHARACTER)
        texts = normalised(decoding.run(blocks), settings, name)
        yield from whole_words(texts) if settings.unit == "word" else texts
        self.replaced += decoding.replaced
