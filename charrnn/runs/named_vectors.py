"""Vectors of a trained model, each with a name: torch-free.

Shapes: V things with a name, D factors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charrnn.checkpoint.read import Checkpoint
from charrnn.corpus.ready import named_by
from charrnn.errors import CheckpointError, UsageError


@dataclass(frozen=True)
class Origin:
    """Where vectors come from.

    Attributes:
        checkpoint: the model.
        label: how to call it in a message.
        corpora: where prepared data lie.
    """

    checkpoint: Checkpoint
    label: str
    corpora: Path

    @property
    def folder(self) -> Path:
        """The checkpoint's."""
        return self.checkpoint.folder

    def data(self) -> Path | None:
        """The prepared corpus that the model was trained on; None where it is not there."""
        return named_by(self.corpora, self.checkpoint.document("config")["corpus_digest"])

    def needed(self, for_what: str, otherwise: str = "") -> Path:
        """The same, for what nothing else tells; `otherwise` is another way out.

        Raises:
            UsageError: it is not there.
        """
        folder = self.data()
        if folder is None:
            raise UsageError(
                f"{for_what} is not known",
                where=self.corpora,
                why="what the model was trained on is not prepared here",
                hint=f"prepare it with charrnn prepare CONFIG{otherwise}",
            )
        return folder


class Chosen(NamedTuple):
    """Some of the rows, and what their order is."""

    rows: np.ndarray
    order: str


@dataclass(frozen=True)
class NamedVectors(ABC):
    """A table of vectors.

    Attributes:
        origin: where it comes from.
        thing: what a row stands for, in one word: `symbol`, `item` or `user`.
        names: one for each row, no two alike: a symbol on one line and without spaces, such as `<space>`; an item's or
            a user's own id.
        table_VD: the rows.

    Raises:
        CheckpointError: there are not as many rows as names.
    """

    origin: Origin
    thing: str
    names: Sequence[str]
    table_VD: np.ndarray

    def __post_init__(self) -> None:
        if len(self.table_VD) != len(self.names):
            raise CheckpointError(
                "the vectors do not fit their names",
                where=self.origin.folder,
                why=f"{len(self.table_VD)} vectors for {len(self.names)} {self.thing}s",
            )

    @property
    @abstractmethod
    def titles(self) -> Sequence[str] | None:
        """What people call each row; None where nothing but its name says."""

    @property
    @abstractmethod
    def used(self) -> np.ndarray:
        """The numbers of the rows that were trained, ascending."""

    @abstractmethod
    def most_frequent(self, most: int) -> Chosen:
        """At most so many rows that were trained, those that training met most often.

        Raises:
            UsageError: nothing tells which these are.
        """

    @abstractmethod
    def row(self, name: str) -> int:
        """The row that a user means.

        Raises:
            UsageError: there is none, or it was never trained; near spellings are offered.
        """

    @cached_property
    def unit_VD(self) -> np.ndarray:
        """The rows with the length 1; zeros stay."""
        length_V = np.linalg.norm(self.table_VD, axis=1)
        return self.table_VD / np.where(length_V > 0.0, length_V, 1.0)[:, None]

    def neighbours(self, row: int, count: int) -> list[tuple[int, float]]:
        """The `count` rows whose directions are nearest to that of `row`, and the cosines; the nearest first."""
        others = self.used[self.used != row]
        cosines = self.unit_VD[others] @ self.unit_VD[row]
        order = np.argsort(-cosines, kind="stable")[:count]
        return [(int(others[place]), float(cosines[place])) for place in order]

    def first(self, counts_V: np.ndarray, most: int) -> np.ndarray:
        """At most so many trained rows, those of the greatest counts first; equal ones stay in order."""
        return self.used[np.argsort(-counts_V[self.used], kind="stable")[:most]]
