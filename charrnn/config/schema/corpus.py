"""`corpus:` where the text comes from and how it becomes tokens."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from charrnn.config.schema.base import AsTuple, Count, Section, default_kind

_OF_HOSTS = ("idna", "punycode")

Part = Annotated[float, Field(ge=0.0)] | Annotated[int, Field(ge=0)] | Literal["rest"]


class FileDocuments(Section):
    """Every file of the source is a document."""

    kind: Literal["files"]


class SeparatedDocuments(Section):
    """A document ends with each occurrence of a separator, and the next one begins after it."""

    kind: Literal["separator"] = "separator"

    text: Annotated[str, Field(min_length=1)]
    """The separator. It is brought into the form of the corpus (case, newlines, normal form) and taken apart into
    tokens like the text, and it stays in the text. Quote it doubly where it has escapes: "\\n\\n" is an empty line."""


Documents = Annotated[FileDocuments | SeparatedDocuments, Field(discriminator="kind"), default_kind("separator")]


class Source(Section):
    """Where data come from."""

    source: Annotated[str, Field(min_length=1)]


class Corpus(Source):
    """The text, its normal form, its unit, and its split."""

    source: Annotated[str, Field(min_length=1)]
    """A file (plain or .gz), a folder, a glob, `-` for standard input, `https://…` (with `sha256`),
    `named:nietzsche`, `named:tiny-shakespeare`, or `builtin:python-reference`. Relative to the config's
    folder."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """The SHA-256 that the source must have where it is a single file; required for a URL."""

    encoding: str = "utf-8"
    """The encoding of the bytes; any codec that Python knows by name."""

    errors: Literal["strict", "replace"] = "strict"
    """What a wrong byte does: `strict` is an error that names the place, `replace` puts U+FFFD and counts."""

    bom: Literal["strip", "keep"] = "strip"
    """What happens to a byte order mark at the beginning of a file; unit `byte` keeps it."""

    newlines: Literal["lf", "keep"] = "lf"
    """`lf` turns CRLF and lone CR into LF."""

    normal_form: Literal["none", "NFC", "NFD", "NFKC", "NFKD"] = "none"
    """The Unicode normal form that the text is brought into."""

    case: Literal["keep", "lower"] = "keep"
    """`lower` lower-cases each character on its own (no rule looks at its neighbours)."""

    unit: Literal["char", "byte", "word"] = "char"
    """What a token is: a code point, a byte, or a word (a run of at most 64 letters, digits and underscores; all else
    character by character)."""

    min_count: Count = 1
    """Symbols seen fewer times are spelled by their parts: words by characters, characters by bytes."""

    split: Annotated[tuple[Part, ...], Field(min_length=3, max_length=3), AsTuple] = (0.9, 0.05, 0.05)
    """Train, validation, test, in this order and each one unbroken passage: three fractions that sum to 1, or
    three counts of tokens of which one may be `rest`."""

    documents: Documents | None = None
    """Where documents begin, for states that begin anew there: `{kind: files}`, `{kind: separator, text: "\\n\\n"}`, or
    `null`: the text is one document."""

    part_bytes: Annotated[int, Field(ge=4)] | None = None
    """The tokens are written in files of so many bytes (`tokens-00000.bin`, …), each of which may be moved to another
    disk with a link in its place; `null`: one file. It changes where the bytes of a corpus lie and nothing else; one
    that is there already stays as it is."""

    @field_validator("split")
    @classmethod
    def _splits_the_whole(cls, split: tuple[Part, ...]) -> tuple[Part, ...]:
        return whole(split, "tokens")

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        return known_encoding(encoding)

    @model_validator(mode="after")
    def _bytes_are_bytes(self) -> Corpus:
        if self.unit == "byte":
            changed = [
                name
                for name in ("encoding", "errors", "newlines", "normal_form", "case", "min_count")
                if name in self.model_fields_set and getattr(self, name) != Corpus.model_fields[name].default
            ]
            if changed:
                raise ValueError(f"unit `byte` reads bytes as they are: remove {', '.join(changed)}")
        return self


def whole(split: tuple[Part, ...], things: str = "items") -> tuple[Part, ...]:
    """`split`, if it is fractions that sum to 1, or counts of `things` of which one is `rest`; else a ValueError."""
    if split.count("rest") > 1:
        raise ValueError("only one part may be `rest`")
    numbers = [part for part in split if part != "rest"]
    if any(isinstance(part, float) for part in numbers):
        if "rest" in split or abs(sum(map(float, numbers)) - 1.0) > 1e-9:
            raise ValueError(f"fractions must sum to 1 (or give counts of {things}, one of them `rest`)")
    elif "rest" not in split and (numbers[0] != 1 or any(numbers[1:])):
        raise ValueError(f"one of {'three' if len(split) == 3 else 'two'} counts must be `rest`")
    return split


def known_encoding(encoding: str) -> str:
    """`encoding`, if Python knows it; else a ValueError."""
    try:
        "".encode(encoding)  # unlike `codecs.lookup`, refuses what is no encoding of text: base64, zip
    except (LookupError, ValueError):
        raise ValueError(f"Python knows no encoding named {encoding!r}") from None
    if codecs.lookup(encoding).name in _OF_HOSTS:
        raise ValueError(f"{encoding!r} is for the names of hosts: it cannot be read piece by piece")
    return encoding
