"""From the bytes of a file to characters, block by block, wrong bytes reported by their place."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

import numpy as np

from charrnn.errors import DataError
from charrnn.text import guess

_BINARY_WINDOW = 1 << 20
"""A NUL among so many first characters makes a file binary."""

_AROUND = 8
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_SURROGATES = re.compile("[\ud800-\udfff]")


class Decoding:
    """Decodes one file, in memory bounded by the size of the blocks.

    Args:
        name: what errors call the file.
        encoding: a text encoding that Python knows.
        errors: `strict` raises for the first wrong byte, `replace` puts U+FFFD and counts.
        before: so many characters at least are in front of the first.

    Attributes:
        replaced: how many U+FFFD stand in place of wrong bytes so far.

    Raises:
        DataError: `encoding` is not one of text.
    """

    def __init__(self, name: str, encoding: str, errors: str, before: int = 0) -> None:
        self.replaced = 0
        self._name = name
        self._encoding = encoding
        self._strict = errors == "strict"
        self._codec = _codec(encoding)
        self._utf8 = codecs.lookup(encoding).name.startswith("utf-8")
        self._surrogates = not self._utf8  # these decoders let none pass
        self._line, self._column, self._characters = 1, 1, before

    def run(self, blocks: Iterable[bytes]) -> Iterator[str]:
        """The text of the file whose bytes are `blocks`.

        Raises:
            DataError: a wrong byte, a lone surrogate or, near the beginning, a NUL, under `strict`.
        """
        texts = self._strictly(iter(blocks)) if self._strict else self._replacing(blocks)
        return filter(None, texts)

    def _strictly(self, blocks: Iterator[bytes]) -> Iterator[str]:
        decoder = self._codec("strict")
        offset, tail = 0, b""
        for block, last in _marked(blocks):
            state = decoder.getstate()
            try:
                text = decoder.decode(block, last)
            except UnicodeDecodeError as error:
                data, pending = state[0] + block, len(state[0])
                mark = len(data) - len(error.object)  # some decoders leave a byte order mark out of the error's bytes
                decoder.setstate(state)
                self._accept(_as_far_as_it_goes(decoder, data[pending : mark + error.start]), block, None)
                before = tail[: max(0, len(tail) - pending)] + data[:mark]
                raise self._wrong_byte(error, offset - pending + mark, before, next(blocks, b"")) from error
            except UnicodeError as error:
                raise self._no_mark(error) from error
            self._accept(text, block, _line_feeds(block) if self._utf8 else None)
            yield text
            offset, tail = offset + len(block), (tail + block)[-_AROUND:]

    def _replacing(self, blocks: Iterable[bytes]) -> Iterator[str]:
        # What `replace` writes for a wrong byte looks like a genuine U+FFFD; `ignore` leaves the genuine.
        replace, ignore = self._codec("replace"), self._codec("ignore")
        for block, last in _marked(iter(blocks)):
            try:
                text, genuine = replace.decode(block, last), ignore.decode(block, last)
            except UnicodeError as error:
                raise self._no_mark(error) from error
            if self._surrogates and holds_surrogates(text):
                text = _SURROGATES.sub(_REPLACEMENT, text)
            self.replaced += text.count(_REPLACEMENT) - genuine.count(_REPLACEMENT)
            yield text

    def _accept(self, text: str, block: bytes, lines: int | None) -> None:
        """Move the current place behind `text`, unless something in it is not the text of a person; `lines` is how many
        line feeds it has, where that is known."""
        self._refuse_surrogates(text)
        self._refuse_binary(text, block)
        self._walk(text, lines)

    def _walk(self, text: str, lines: int | None = None) -> None:
        """Move the current place behind `text`."""
        lines = text.count("\n") if lines is None else lines
        self._line += lines
        self._column = len(text) - text.rindex("\n") if lines else self._column + len(text)
        self._characters += len(text)

    def _place(self) -> str:
        return f"{self._name}:{self._line}:{self._column}"

    def _wrong_byte(self, error: UnicodeDecodeError, offset: int, before: bytes, following: bytes) -> DataError:
        """The error for bytes that lie at `offset` in the file, with what stands around them."""
        data = error.object
        before = (before + data[: error.start])[-_AROUND:]
        wrong = data[error.start : error.end]
        after = (data[error.end : error.end + _AROUND] + following)[:_AROUND]
        shown = f"{before.hex(' ')} [{wrong.hex(' ')}] {after.hex(' ')}".strip()
        return DataError(
            f"wrong byte 0x{wrong[:1].hex().upper()}: the text is not {self._encoding}",
            where=self._place(),
            why=f"at byte offset {offset + error.start}, {error.reason}; the bytes around it: {shown}",
            hint=guess.hint(data, self._encoding),
        )

    def _no_mark(self, error: UnicodeError) -> DataError:
        return DataError(
            f"the text cannot be read as {self._encoding}",
            where=self._place(),
            why=str(error),
            hint="say which byte order it is, for example corpus.encoding: utf-16-le",
        )

    def _refuse_surrogates(self, text: str) -> None:
        if self._surrogates and holds_surrogates(text):
            start = next(_SURROGATES.finditer(text)).start()
            self._walk(text[:start])
            raise DataError(
                f"lone surrogate U+{ord(text[start]):04X}: it stands for no character",
                where=self._place(),
                hint="mend the text, or set corpus.errors: replace",
            )

    def _refuse_binary(self, text: str, block: bytes) -> None:
        start = text.find("\0", 0, max(0, _BINARY_WINDOW - self._characters))
        if start >= 0:
            self._walk(text[:start])
            raise DataError(
                "NUL character: this is not plain text",
                where=self._place(),
                hint=guess.hint(block, self._encoding),
            )


def _codec(encoding: str) -> type[codecs.IncrementalDecoder]:
    try:
        "".encode(encoding)  # refuses codecs that are not of text, such as `hex`
        return codecs.getincrementaldecoder(encoding)  # type: ignore[return-value]
    except (LookupError, UnicodeError) as error:
        raise DataError(
            f"{encoding!r} is not an encoding of text",
            why=str(error),
            hint="set corpus.encoding to one, for example utf-8 or cp1252",
        ) from error


def _line_feeds(block: bytes) -> int:
    """How many line feeds are in `block`; ten times as fast as `bytes.count`."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord("\n")))


def _marked(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Every block, then an empty last one, so that a decoder learns where the file ends."""
    for block in blocks:
        yield block, False
    yield b"", True


def _as_far_as_it_goes(decoder: codecs.IncrementalDecoder, data: bytes) -> str:
    """The text in front of a wrong byte; none if what is in front lacks the mark that says how to read it."""
    try:
        return decoder.decode(data)
    except UnicodeError:
        return ""


def holds_surrogates(text: str) -> bool:
    """Whether a half of a surrogate pair is in `text`, which no file in UTF-8 can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
