"""`corpus:` of items that carry labels: what they are, and how they are read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from charrnn.config.schema.base import Column, Count, default_kind
from charrnn.config.schema.corpus import Corpus, known_encoding
from charrnn.config.schema.labelled_source import LabelledSource, Place

DIGITS = "builtin:digits"
"""The source of the 1,797 small pictures of digits that scikit-learn carries."""

MNIST = "named:mnist"
"""The source of the 60,000 pictures of digits of MNIST, with the 10,000 of its test set."""

_MNIST_PLACES = {
    "source": f"{MNIST}/train-images",
    "labels": f"{MNIST}/train-labels",
    "test_source": f"{MNIST}/test-images",
    "test_labels": f"{MNIST}/test-labels",
}
"""The files that it stands for."""


class TextItems(LabelledSource):
    """Items that are texts: their normal form and their unit.

    The vocabulary is that of the training split, labelled and not. It always has the 256 bytes, so that a symbol which
    only the other splits hold is spelled by its parts, and every item can be written.
    """

    encoding: str = "utf-8"
    """The encoding of the bytes; any codec that Python knows by name."""

    errors: Literal["strict", "replace"] = "strict"
    """What a wrong byte does: `strict` is an error that names the place, `replace` puts U+FFFD and counts."""

    normal_form: Literal["none", "NFC", "NFD", "NFKC", "NFKD"] = "none"
    """The Unicode normal form that the items are brought into."""

    case: Literal["keep", "lower"] = "keep"
    """`lower` lower-cases each character on its own (no rule looks at its neighbours)."""

    unit: Literal["char", "byte", "word"] = "char"
    """What a token is: a code point, a byte, or a word (a run of at most 64 letters, digits and underscores; all else
    character by character). `byte` reads the bytes of items as they are, text or not."""

    min_count: Count = 2
    """Symbols seen fewer times in training are spelled by their parts: words by characters, characters by bytes. From 2
    on training meets such parts too, and a symbol that is new in validation is spelled by parts that were learned."""

    longest: Count | None = None
    """An item is cut after so many tokens (within a spelled symbol, too), and how many were cut is told; `null` never
    cuts. Splits are decided before: items that are alike up to the cut are still distinct."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        return known_encoding(encoding)

    @model_validator(mode="after")
    def _bytes_are_bytes(self) -> TextItems:
        names = ("encoding", "errors", "newlines", "normal_form", "case", "min_count")
        fields = type(self).model_fields
        changed = [name for name in names if name in fields and getattr(self, name) != fields[name].default]
        if self.unit == "byte" and changed:
            raise ValueError(f"unit `byte` reads bytes as they are: remove {', '.join(changed)}")
        return self

    @property
    def form(self) -> Corpus:
        """The same normal form and unit as the settings of a text."""
        return Corpus(
            source=self.source,
            encoding=self.encoding,
            errors=self.errors,
            normal_form=self.normal_form,
            case=self.case,
            unit=self.unit,
            min_count=1 if self.unit == "byte" else self.min_count,
        ).model_copy(update={"newlines": "keep"} if self.unit == "byte" else {})


class Table(TextItems):
    """A table: a row for each item, with a column for the text and one for the label."""

    kind: Literal["table"] = "table"

    format: Literal["auto", "delimited", "jsonl"] = "auto"
    """`jsonl` is one JSON object per line, and columns are its keys; `delimited` is CSV, TSV and the like. `auto` looks
    at the first line."""

    text: Column = "text"
    """The column of the text: its name, or its number counted from 1."""

    label: Column = "label"
    """The column of the label: its name, or its number counted from 1. An `unlabelled_source` needs none."""

    header: bool = True
    """Whether the first row holds the names of the columns; without it they have numbers."""

    delimiter: str = "auto"
    """The character between columns; quote "\\t" doubly. `auto` takes the first of tab, comma, semicolon and bar by
    which the first row has the columns."""

    quoting: Literal["csv", "none"] = "csv"
    """`csv`: a field in double quotes may hold delimiters, newlines, and quotes written twice. `none`: a quote is a
    character like any other, and every line is a row."""

    newlines: Literal["lf", "keep"] = "lf"
    """`lf` turns CRLF and lone CR within items into LF."""

    unlabelled_form: Literal["same", "lines"] = "same"
    """How `unlabelled_source` is read: `same` as a table by the keys above, `lines` as one item per line."""

    @model_validator(mode="after")
    def _columns_can_be_found(self) -> Table:
        if self.text == self.label:
            raise ValueError("text and label are the same column")
        named = [name for name in ("text", "label") if isinstance(getattr(self, name), str)]
        if self.format == "jsonl" and len(named) < 2:
            raise ValueError("the columns of a `jsonl` table are keys, and have names")
        if self.format != "jsonl" and not self.header and named:
            raise ValueError(f"without a header columns have numbers: give that of {' and '.join(named)}")
        if self.delimiter != "auto" and (len(self.delimiter) != 1 or self.delimiter in '"\r\n '):
            raise ValueError("delimiter is `auto`, or one character that is no quote, space or newline")
        return self

    @property
    def form(self) -> Corpus:
        """The same normal form and unit as the settings of a text."""
        return super().form.model_copy(update={} if self.unit == "byte" else {"newlines": self.newlines})


class Folder(TextItems):
    """A folder or a glob with one file for each label: one item per line; empty lines are passed over."""

    kind: Literal["folder"]

    label_from: Literal["stem", "suffix"] = "stem"
    """Which part of a file's name is the label: `English.txt` has the stem `English`, `reviews.pos` the suffix `pos`.
    An ending `.gz` is part of neither."""


class Images(LabelledSource):
    """Pictures in idx files (the form of MNIST), plain or .gz, read pixel by pixel or row by row."""

    kind: Literal["images"]

    source: Place
    """The file of the pictures, or `builtin:digits`: 1,797 pictures of 8 × 8 pixels with values up to 16, which
    scikit-learn carries (the extra `labels`), or `named:mnist`: all four files of MNIST, its test set among them."""

    labels: Place | None = None
    """The file of their labels; `builtin:digits` and `named:mnist` have their own."""

    test_labels: Place | None = None
    """The file of the labels of `test_source`."""

    read: Literal["rows", "pixels"] = "rows"
    """What a step of an item is: a row of the picture, with a feature for each pixel, or a single pixel."""

    @model_validator(mode="after")
    def _every_picture_has_a_label(self) -> Images:
        if (self.labels is None) != (self.source in (DIGITS, MNIST)):
            raise ValueError(f"labels is needed, but for `{DIGITS}` and `{MNIST}`, which have their own")
        if (self.test_labels is None) != (self.test_source is None):
            raise ValueError("test_source and test_labels go together")
        if self.source == MNIST and self.test_source is not None:
            raise ValueError(f"`{MNIST}` has a test set of its own: remove test_source and test_labels")
        return self

    @property
    def test_given(self) -> str | None:
        """What gives the test set; None where `split` does."""
        return MNIST if self.source == MNIST else super().test_given

    @property
    def places(self) -> dict[str, str]:
        """Where the files lie, by the keys that say it, in the order in which they are read."""
        if self.source != MNIST:
            return super().places
        return {**_MNIST_PLACES, **{key: place for key, place in super().places.items() if key != "source"}}


Labelled = Annotated[Table | Folder | Images, Field(discriminator="kind"), default_kind("table")]
"""What a labelled corpus is made of."""
