"""`corpus:` of items that carry labels: where they come from, how they are read, and how they are split."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from charrnn.config.schema.base import AsTuple, Count, default_kind
from charrnn.config.schema.corpus import Corpus, Part, Source, known_encoding, whole

Place = Annotated[str, Field(min_length=1)]
Column = Annotated[str, Field(min_length=1)] | Count

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


class LabelledSource(Source):
    """Items with labels, and their splits.

    An item is distinct by what a model reads of it (the text in its normal form, or the pixels) and by nothing else:
    all rows of one distinct item lie in one split.
    """

    kind: str

    source: Place
    """A file (plain or .gz), a folder, a glob, `-` for standard input, or `https://…` (with `sha256`). Relative to the
    config's folder."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """The SHA-256 that the source must have where it is a single file; required for a URL."""

    split: Annotated[tuple[Part, ...], Field(min_length=2, max_length=3), AsTuple] | None = None
    """Train, validation, test; only the first two where the test set is given by a `test_source` or a `fold`. Fractions
    that sum to 1: then the split of an item is a function of the seed and of the item alone, whatever else the source
    holds, and the sizes are about so. Or counts of distinct items, one of them `rest`: then the sizes are exact. `null`
    means [0.9, 0.05, 0.05], and where the test set is given [0.9, 0.1]."""

    fold: Annotated[tuple[Count, Count], AsTuple] | None = None
    """Cross-validation: [k, n] deals the distinct items into n folds of about the same size, and fold k, from 1, is the
    test set. `split` parts the rest. The fold of an item is a function of the seed and of the item alone."""

    seed: Annotated[int, Field(ge=0)] = 1
    """What decides the splits, and which items keep their labels."""

    test_source: Place | None = None
    """A test set that is given: read like `source`, and all of it is for testing. How many of its items also occur in
    training or validation is told; they stay."""

    labelled: Count | None = None
    """Keep the labels of so many distinct items of the training split. The others become unlabelled; what they truly
    are is for reports only. An item with several labels is not chosen. `null` keeps all."""

    labelled_shares: Literal["equal", "natural"] = "equal"
    """Which items those are: of each label `equal`ly many (a label that has fewer gives all it has), or drawn whatever
    their label is, as if somebody had labelled some that came along."""

    unlabelled_source: Place | None = None
    """More items for training, without labels; read like `source`."""

    @field_validator("split")
    @classmethod
    def _splits_the_whole(cls, split: tuple[Part, ...] | None) -> tuple[Part, ...] | None:
        return None if split is None else whole(split)

    @field_validator("test_source", "unlabelled_source")
    @classmethod
    def _local(cls, place: str | None) -> str | None:
        if place is not None and (place == "-" or place.startswith(("https://", "http://", "named:", "builtin:"))):
            raise ValueError("this must be a file, a folder or a glob of this machine")
        return place

    @model_validator(mode="after")
    def _as_many_parts_as_splits(self) -> LabelledSource:
        given = self.test_given
        if self.fold is not None and given != "fold":
            raise ValueError(f"fold takes the test set out of the source, and `{given}` gives one")
        if self.fold is not None and not self.fold[0] <= self.fold[1] > 1:
            raise ValueError("fold is [k, n], fold k of n: n is at least 2, and k is from 1 to n")
        if len(self.parts) != (3 if given is None else 2):
            raise ValueError(
                "split has three parts: train, validation, test"
                if given is None
                else f"split has two parts, for `{given}` is the test set"
            )
        return self

    @property
    def test_given(self) -> str | None:
        """What gives the test set; None where `split` does."""
        return "test_source" if self.test_source is not None else None if self.fold is None else "fold"

    @property
    def places(self) -> dict[str, str]:
        """Where the files lie, by the keys that say it, in the order in which they are read."""
        keys = ("source", "labels", "test_source", "test_labels", "unlabelled_source")
        return {key: place for key in keys if (place := getattr(self, key, None)) is not None}

    @property
    def parts(self) -> tuple[Part, ...]:
        """`split` with its default written out."""
        if self.split is not None:
            return self.split
        return (0.9, 0.05, 0.05) if self.test_given is None else (0.9, 0.1)


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

PLACES = ("source", "sha256", "labels", "test_source", "test_labels", "unlabelled_source")
"""Keys that only say where data lie; what they hold is compared by content."""
