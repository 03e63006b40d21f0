"""Lines of text files, and items of text in the form of their corpus."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from charrnn.config.schema.labelled import Folder, TextItems
from charrnn.errors import DataError
from charrnn.text.blocks import SourceFile, read_blocks
from charrnn.text.decode import Decoding
from charrnn.text.normal import normalised

LONGEST_LINE = 1 << 26
"""No line, and no field of a table, has more characters."""

OnBlock = Callable[[int], None]


class Row(NamedTuple):
    """An item as it stands in its file.

    Attributes:
        content: what a model reads of it and what makes it distinct: UTF-8 in normal form, raw bytes, or pixels.
        label: None where it has none.
        line: where it stands: the line, or the number of the picture, from 1.
    """

    content: bytes
    label: str | None
    line: int


class ItemTexts:
    """Reads files of texts as the settings say, in memory bounded by a block and a line.

    Unit `byte` carries what is not UTF-8 through the text as Python does, as surrogates, and gives it back as it was.

    Args:
        settings: encoding, errors, newlines, normal form, case and unit.

    Attributes:
        replaced: how many U+FFFD stand in place of wrong bytes in the files read so far.
    """

    def __init__(self, settings: TextItems) -> None:
        self.replaced = 0
        self._bytes = settings.unit == "byte"
        # Newlines decide where lines end, so they come first; what else is the form of an item comes last.
        self._form = settings.form.model_copy(update={"unit": "char", "bom": "keep"})
        self._lines = self._form.model_copy(update={"bom": "strip", "normal_form": "none", "case": "keep"})

    def lines(self, file: SourceFile, sha256: str, on_block: OnBlock) -> Iterator[str]:
        """The lines of a file, each with the line feed that ends it.

        Raises:
            DataError: the file is not text as the settings have it, or is not the one of this digest.
        """
        blocks = read_blocks(file, sha256, on_block)
        if self._bytes:
            decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
            pieces: Iterable[str] = _decoded(decoder, blocks)
            yield from _lines_of(normalised(pieces, self._lines, file.label), file.label)
            return
        decoding = Decoding(file.label, self._lines.encoding, self._lines.errors)
        yield from _lines_of(normalised(decoding.run(blocks), self._lines, file.label), file.label)
        self.replaced += decoding.replaced

    def content(self, text: str, place: str) -> bytes:
        """An item in the form of the corpus; errors name `place`.

        Raises:
            DataError: it holds a lone surrogate, or has no normal form.
        """
        try:
            if self._bytes:
                return text.encode("utf-8", "surrogateescape")
            return "".join(normalised([text], self._form, place)).encode("utf-8")
        except UnicodeEncodeError as error:
            raise _surrogate(text[error.start], place) from error

    def label(self, text: str, place: str) -> str:
        """`text`, if it can be a label.

        Raises:
            DataError: it is empty, or no text.
        """
        if not text:
            raise DataError(
                "the label is empty",
                where=place,
                hint="items without a label belong in a file of their own: corpus.unlabelled_source",
            )
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise _surrogate(text[error.start], place) from error
        return text


def line_rows(texts: ItemTexts, file: SourceFile, sha256: str, label: str | None, on_block: OnBlock) -> Iterator[Row]:
    """An item for every line of `file` that is not empty, all with the same label.

    Raises:
        DataError: the file is not text as the settings have it.
    """
    for number, line in enumerate(texts.lines(file, sha256, on_block), 1):
        text = without_end(line)
        if text:
            yield Row(texts.content(text, f"{file.label}:{number}"), label, number)


def without_end(line: str) -> str:
    """`line` without the LF or CRLF that ends it."""
    return line.removesuffix("\n").removesuffix("\r")


def label_of(file: SourceFile, settings: Folder) -> str:
    """The label that the name of `file` stands for.

    Raises:
        DataError: the name has no such part.
    """
    name = file.name.rpartition("/")[2].removesuffix(".gz")
    stem, dot, suffix = name.rpartition(".")
    label = suffix if settings.label_from == "suffix" and dot else stem or suffix
    if settings.label_from == "suffix" and not dot:
        raise DataError("the name of this file has no suffix to be the label", where=file.label, hint=_other(settings))
    return label


def file_labels(files: Iterable[SourceFile], settings: Folder) -> list[str]:
    """The label of each file.

    Raises:
        DataError: a name has none, or two files have the same.
    """
    seen: dict[str, SourceFile] = {}
    for file in files:
        label = label_of(file, settings)
        if label in seen:
            raise DataError(
                f"two files have the label {label!r}",
                where=f"{seen[label].label}\n{file.label}",
                why=f"the label is the {settings.label_from} of a file's name",
                hint=_other(settings),
            )
        seen[label] = file
    return [*seen]


def _other(settings: Folder) -> str:
    other = "suffix" if settings.label_from == "stem" else "stem"
    return f"set corpus.label_from: {other}, or name the files by a glob: corpus.source: 'folder/*.txt'"


def _decoded(decoder: codecs.IncrementalDecoder, blocks: Iterable[bytes]) -> Iterator[str]:
    for block in blocks:
        yield decoder.decode(block)
    yield decoder.decode(b"", True)


def _lines_of(texts: Iterable[str], name: str) -> Iterator[str]:
    """The lines of a text that comes in blocks."""
    held, number = "", 1
    for text in texts:
        *whole, held = (held + text).split("\n")
        number += len(whole)
        for line in whole:
            yield line + "\n"
        if len(held) > LONGEST_LINE:
            raise DataError(f"a line of more than {LONGEST_LINE:,} characters", where=f"{name}:{number}")
    if held:
        yield held


def _surrogate(character: str, place: str) -> DataError:
    return DataError(
        f"lone surrogate U+{ord(character):04X}: it stands for no character", where=place, hint="mend the text"
    )
