"""A prepared table of ratings: who rated what, how, and in which split; users and items keep their ids.

users.bin, items.bin    the numbers of the users and the items of all ratings, in the order of the table (uint32)
ratings.bin             the ratings (float32)
splits.bin              0, 1 or 2: train, valid or test (uint8)
ids.json                the ids of users and items, in the order of their numbers, and the items' names
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import model_validator

from charrnn.config.schema import Ratings
from charrnn.config.schema.base import Section
from charrnn.corpus.manifest import (
    FORMAT,
    SPLITS,
    Digest,
    FileRecord,
    Size,
    SourceRecord,
    damaged,
    read_json,
    read_manifest,
)
from charrnn.corpus.tokens import check_file
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.text.blocks import read_errors

KIND = "ratings"
IDS = "ids.json"
ARRAYS: Mapping[str, np.dtype[Any]] = {
    "users.bin": np.dtype("<u4"),
    "items.bin": np.dtype("<u4"),
    "ratings.bin": np.dtype("<f4"),
    "splits.bin": np.dtype("u1"),
}
"""The arrays of a corpus and what each holds for a rating."""


class RatingsManifest(Section):
    """All that is known about a prepared table without opening its arrays.

    `repeated` counts ratings of an item by a user who has rated it in an earlier line.
    """

    format: Literal[1]
    kind: Literal["ratings"]
    digest: Digest
    sources: list[SourceRecord]
    settings: Ratings
    users: Size
    items: Size
    ratings: Size
    repeated: Size
    files: dict[str, FileRecord]
    splits: dict[str, Size]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> RatingsManifest:
        if set(self.files) != {*ARRAYS, IDS} or tuple(self.splits) != SPLITS:
            raise ValueError("its files or its splits are not those of a table of ratings")
        for name, dtype in ARRAYS.items():
            if self.files[name].bytes != self.ratings * dtype.itemsize:
                raise ValueError(f"the size of {name} is not that of its ratings")
        if sum(self.splits.values()) != self.ratings:
            raise ValueError("the splits are not all ratings")
        return self


class Rated(NamedTuple):
    """Ratings of one split, in the order of the table; not to be written to."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray


@dataclass(frozen=True)
class RatingsCorpus:
    """A table of ratings as numbers, with the ids that give them meaning.

    Attributes:
        folder: where it lies.
        manifest: what it is made of.
        users: the users' ids, in the order of their numbers.
        items: the items' ids likewise.
        names: what items are called, in the same order; None where nothing says so.
    """

    folder: Path
    manifest: RatingsManifest
    users: tuple[str, ...]
    items: tuple[str, ...]
    names: tuple[str, ...] | None
    vocabulary: None = None

    @classmethod
    def open(cls, folder: Path, verify: bool = False) -> RatingsCorpus:
        """The corpus in `folder`.

        Args:
            folder: where it was prepared.
            verify: read all of it and compare the digests, not only the sizes.

        Raises:
            DataError: there is none, it is damaged, or it was written by another version.
        """
        manifest = read_manifest(RatingsManifest, KIND, folder)
        # The ids are read whole anyway, and in another order they would give every rating to somebody else.
        for name, record in manifest.files.items():
            check_file(folder / name, record, verify or name == IDS)
        ids = read_json(folder / IDS)
        if not isinstance(ids, dict) or set(ids) != {"users", "items", "names"}:
            raise damaged(folder / IDS, "it is not an object with the ids of users and items, and names")
        users, items = _texts(folder, ids["users"], manifest.users), _texts(folder, ids["items"], manifest.items)
        names = None if ids["names"] is None else _texts(folder, ids["names"], manifest.items)
        return cls(folder, manifest, users, items, names)

    @property
    def digest(self) -> str:
        """The identity of the corpus: the digest of its settings and of the content of its sources."""
        return self.manifest.digest

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {}
        for name, dtype in ARRAYS.items():
            with read_errors(self.folder / name):
                arrays[name] = np.fromfile(self.folder / name, dtype)
        if read_manifest(RatingsManifest, KIND, self.folder).digest != self.digest:
            raise DataError("the corpus was replaced meanwhile", where=self.folder, hint="start again")
        if any(len(array) != self.manifest.ratings for array in arrays.values()):
            raise DataError("the corpus was replaced meanwhile", where=self.folder, hint="start again")
        most = {"users.bin": self.manifest.users, "items.bin": self.manifest.items, "splits.bin": len(SPLITS)}
        for name, limit in most.items():
            if arrays[name].size and int(arrays[name].max()) >= limit:
                raise damaged(self.folder / name, f"it has a number beyond the {limit} that there are")
        if not np.isfinite(arrays["ratings.bin"]).all():
            raise damaged(self.folder / "ratings.bin", "it has what is no number")
        return arrays

    @property
    def remarks(self) -> tuple[str, ...]:
        """What should be known of a new one."""
        repeated = self.manifest.repeated
        told = f"{repeated} ratings are of an item that the same user has rated before: all of them count"
        return (told,) if repeated else ()

    def summary(self) -> dict[str, Any]:
        """What it holds, in numbers."""
        manifest = self.manifest
        return {
            "users": manifest.users,
            "items": manifest.items,
            "ratings": manifest.splits,
            "repeated": manifest.repeated,
        }

    def split(self, name: str) -> Rated:
        """The ratings of `train`, `valid` or `test`; there may be none.

        Raises:
            DataError: there is none of this name, or the corpus was replaced or damaged since it was opened.
        """
        if name not in SPLITS:
            raise DataError(f"there is no split named {name!r}", why=f"there are {', '.join(SPLITS)}")
        arrays = self._arrays
        chosen = arrays["splits.bin"] == SPLITS.index(name)
        parts = Rated(
            arrays["users.bin"][chosen].astype(np.int64),
            arrays["items.bin"][chosen].astype(np.int64),
            arrays["ratings.bin"][chosen],
        )
        for part in parts:
            part.flags.writeable = False
        return parts


def _texts(folder: Path, value: object, count: int) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise damaged(folder / IDS, "its ids and names are not lists of texts")
    if len(value) != count:
        raise damaged(folder / IDS, "it has other numbers of users and items than the manifest")
    return tuple(value)


def ratings_digest(settings: Ratings, sources: list[SourceRecord]) -> str:
    """The identity of a corpus: what the settings make of the table, and the content of its sources in order."""
    shown: dict[str, Any] = settings.model_dump(mode="json", exclude={"source", "sha256"}, exclude_none=True)
    shown.get("names", {}).pop("source", None)
    return digest.of_json(
        {"format": FORMAT, "kind": KIND, "settings": shown, "sources": [source.sha256 for source in sources]}
    )
