"""The manifest of a corpus: what it is made of, how, and the digests of its files."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import Field, ValidationError, model_validator

from charrnn.config.schema.base import Section
from charrnn.config.schema.corpus import Corpus
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.files.atomic import write_json
from charrnn.text.blocks import read_errors

FORMAT = 1
"""The version of the format of prepared corpora; it is part of their digest."""

KIND = "tokens"
MANIFEST, TOKENS, VOCABULARY, DOCUMENTS = "manifest.json", "tokens.bin", "vocabulary.json", "documents.bin"
_PART = re.compile(r"tokens-[0-9]{5}[0-9]*\.bin")
START_BYTES = 8
"""How many bytes of `documents.bin` say where a document begins."""

SPLITS = ("train", "valid", "test")

PREPARE_AGAIN = "prepare the corpus again (charrnn prepare)"

_SEAL = "seal"
"""The SHA-256 of all else that a manifest says; those of earlier versions have none."""

_MOST_JSON = 256 << 20
_M = TypeVar("_M", bound=Section)
Size = Annotated[int, Field(ge=0, lt=1 << 62)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def part_name(number: int) -> str:
    """The file of a part of the tokens, counted from 0, where they lie in parts."""
    return f"tokens-{number:05}.bin"


def is_part(name: str) -> bool:
    """Whether a file of this name is a part of the tokens; such a file may be a link."""
    return _PART.fullmatch(name) is not None


class SourceRecord(Section):
    """A file that the text came from, as it lay there."""

    name: str
    bytes: Size
    sha256: Digest


class FileRecord(Section):
    """A file of the corpus."""

    bytes: Size
    sha256: Digest


class SplitRecord(Section):
    """A split: the tokens from `start` to before `end`, and the text that they stand for."""

    start: Size
    end: Size
    characters: Size
    bytes: Size


class Counts(Section):
    """The size of the normalised text; `replaced` counts U+FFFD in place of wrong bytes."""

    tokens: Size
    characters: Size
    bytes: Size
    replaced: Size


class Manifest(Section):
    """All that is known about a prepared corpus without opening its arrays."""

    format: Literal[1]
    kind: Literal["tokens"]
    digest: Digest
    sources: list[SourceRecord]
    settings: Corpus
    counts: Counts
    dtype: Literal["uint8", "uint16", "uint32"]
    files: dict[str, FileRecord]
    splits: dict[str, SplitRecord]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Manifest:
        names = {*self.token_files, VOCABULARY, *([] if self.settings.documents is None else [DOCUMENTS])}
        if set(self.files) != names or set(self.splits) != set(SPLITS):
            raise ValueError("its files or its splits are not those of a corpus")
        sizes = [self.files[name].bytes for name in self.token_files]
        if self.counts.tokens * self.width != sum(sizes):
            raise ValueError(f"the size of {TOKENS} is not that of its tokens")
        if self.part_bytes and (set(sizes[:-1]) - {sizes[0]} or not 0 < sizes[-1] <= sizes[0]):
            raise ValueError("its parts are not of one size")
        if sizes[0] % self.width:
            raise ValueError("a token lies in two parts")
        if DOCUMENTS in self.files and not 1 <= self.documents <= self.counts.tokens:
            raise ValueError("there are no documents, or more of them than tokens")
        if DOCUMENTS in self.files and self.files[DOCUMENTS].bytes % START_BYTES:
            raise ValueError(f"the size of {DOCUMENTS} is not that of whole numbers")
        at = 0
        for name in SPLITS:
            if self.splits[name].start != at or self.splits[name].end < at:
                raise ValueError("the splits do not follow each other")
            at = self.splits[name].end
        if at != self.counts.tokens:
            raise ValueError("the splits are not the whole text")
        return self

    @property
    def width(self) -> int:
        """The bytes of a token."""
        return int(self.dtype[4:]) // 8

    @property
    def token_files(self) -> list[str]:
        """The files that hold the tokens, in order."""
        parts = sum(map(is_part, self.files))
        return [part_name(number) for number in range(parts)] if parts else [TOKENS]

    @property
    def part_bytes(self) -> int | None:
        """The size of the first part; None where the tokens lie in one file."""
        first = self.token_files[0]
        return None if first == TOKENS else self.files[first].bytes

    @property
    def documents(self) -> int:
        """How many documents the text has; it is a single one unless the settings say where others begin."""
        return self.files[DOCUMENTS].bytes // START_BYTES if DOCUMENTS in self.files else 1

    def to_json(self) -> dict[str, Any]:
        """The manifest as a JSON object."""
        return self.model_dump(mode="json")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of the corpus in `folder`.

        Raises:
            DataError: there is no corpus, it was written by another version, or its manifest is damaged.
        """
        return read_manifest(cls, KIND, folder)


def read_manifest(form: type[_M], kind: str, folder: Path) -> _M:
    """The manifest of the corpus in `folder`, which is of `kind` and has this `form`.

    Raises:
        DataError: there is no corpus, it is another one or of another version, or its manifest is damaged.
    """
    path = folder / MANIFEST
    with read_errors(path):
        if path.is_symlink() or not path.is_file():
            raise DataError("there is no prepared corpus", where=folder, hint=PREPARE_AGAIN)
    value = read_json(path)
    found = (value.get("format"), value.get("kind")) if isinstance(value, dict) else None
    if found is not None and found != (FORMAT, kind):
        raise DataError(
            "this is not a corpus that this version of charrnn reads",
            where=path,
            why=f"format {found[0]!r} of kind {found[1]!r}; expected {FORMAT} of kind {kind!r}",
            hint=PREPARE_AGAIN,
        )
    seal = value.pop(_SEAL, None) if isinstance(value, dict) else None
    try:
        manifest = form.model_validate_json(json.dumps(value))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise damaged(path, f"{key}: {first['msg']}" if key else first["msg"]) from error
    if seal not in (None, digest.of_json(value)):
        raise damaged(path, "its seal is not the SHA-256 of what it says")
    return manifest


def write_manifest(folder: Path, value: dict[str, Any]) -> None:
    """Put the manifest of a corpus, sealed, into its folder, last of all files; raises `StorageError`."""
    write_json(folder / MANIFEST, {**value, _SEAL: digest.of_json(value)})


def corpus_digest(settings: Corpus, sources: list[SourceRecord], given: Mapping[str, str] | None = None) -> str:
    """The identity of a corpus: what the settings do to the text, and the content of its sources in order; and what
    else is `given`, such as the digest of a vocabulary that is not the text's own. In how many files the tokens lie
    plays no part.

    A key at `null` does nothing to the text and is left out, so that a corpus outlives the versions that add such keys.
    """
    return digest.of_json(
        {
            "format": FORMAT,
            "kind": KIND,
            "settings": settings.model_dump(mode="json", exclude={"source", "sha256", "part_bytes"}, exclude_none=True),
            "sources": [source.sha256 for source in sources],
            **(given or {}),
        }
    )


def read_json(path: Path) -> Any:
    """The JSON value in a file of the corpus.

    Raises:
        DataError: it cannot be read, is larger than any such file, or is no JSON.
    """
    with read_errors(path):
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise damaged(path, "it is no file")  # to read a pipe would never end
        if status.st_size > _MOST_JSON:
            raise damaged(path, f"it is larger than {_MOST_JSON:,} bytes")
        data = path.read_bytes()
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"it is not JSON: {error}") from error


def damaged(path: Path, why: str) -> DataError:
    """The error for a file of a corpus that is not what `charrnn prepare` wrote."""
    return DataError(f"the corpus is damaged: {path.name}", where=path, why=why, hint=PREPARE_AGAIN)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")
