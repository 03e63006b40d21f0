"""The vectors of items and of users that a model of ratings has, under their own ids.

Shapes: V items or users, D factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

import numpy as np

from charrnn.config.schema import RateConfig
from charrnn.config.schema.rate import Histories
from charrnn.corpus.ratings import RatingsCorpus
from charrnn.errors import UsageError
from charrnn.runs.named_vectors import Chosen, NamedVectors, Origin

Of = Literal["items", "users"]

_OFFERED = 5


@dataclass(frozen=True)
class RatedVectors(NamedVectors):
    """Vectors of items or of users. Which of them have ratings in training only the prepared table tells."""

    @cached_property
    def _corpus(self) -> RatingsCorpus:
        return RatingsCorpus.open(self.origin.needed(f"which {self.thing}s have ratings in training"))

    @cached_property
    def seen_V(self) -> np.ndarray:
        """How many ratings of each are trained on."""
        split = self._corpus.split("train")
        return np.bincount(split.items if self.thing == "item" else split.users, minlength=len(self.names))

    @property
    def titles(self) -> Sequence[str] | None:
        """What items are called, where the config names a table that says so."""
        return self._corpus.names if self.thing == "item" else None

    @property
    def used(self) -> np.ndarray:
        """See `NamedVectors.used`."""
        return np.flatnonzero(self.seen_V)

    def most_frequent(self, most: int) -> Chosen:
        """See `NamedVectors.most_frequent`."""
        order = "the most rated first" if self.thing == "item" else "those who rate most first"
        return Chosen(self.first(self.seen_V, most), order)

    def row(self, name: str) -> int:
        """The row of an id, or of the one item of this name; see `NamedVectors.row`."""
        rows = [self.names.index(name)] if name in self.names else self._called(name)
        if len(rows) > 1:
            raise UsageError(
                f"{len(rows)} items are called {name!r}",
                where=self.origin.folder,
                hint=f"name one by its id: {', '.join(self.names[row] for row in rows[:_OFFERED])}",
            )
        if not rows:
            raise self._unknown(name)
        if not self.seen_V[rows[0]]:
            raise UsageError(
                f"{self.thing} {self.names[rows[0]]} has no vector to speak of",
                where=self.origin.folder,
                why="it has no ratings in training",
            )
        return rows[0]

    def _called(self, name: str) -> list[int]:
        """The items of this name; capitals make no difference where that leaves one."""
        titles = self.titles or ()
        exactly = [row for row, title in enumerate(titles) if title == name]
        return exactly or [row for row, title in enumerate(titles) if title.casefold() == name.casefold()]

    def _unknown(self, name: str) -> UsageError:
        titles, folded = self.titles or (), name.casefold()
        holding = [
            row for row in self.most_frequent(len(self.names)).rows if titles and folded in titles[row].casefold()
        ]
        near = [f"{self.names[row]} ({titles[row]})" for row in holding[:_OFFERED]]
        near = near or get_close_matches(name, [*self.names, *titles], n=3, cutoff=0.6)
        also = ", or by their whole names" if titles else ""
        return UsageError(
            f"the model knows no {self.thing} {name!r}",
            where=self.origin.folder,
            why=f"{self.thing}s go by their ids, such as {', '.join(self.names[:3])}{also}",
            hint=f"did you mean one of these: {', '.join(near)}?" if near else "charrnn embeddings lists what there is",
        )


def rated_vectors(origin: Origin, config: RateConfig, of: Of) -> RatedVectors:
    """The vectors of a model of ratings.

    Those of `histories` are what the sum over a user's (or an item's) history is multiplied with.

    Raises:
        UsageError: it has none.
        CheckpointError: the checkpoint is damaged.
    """
    name = "items_ID" if of == "items" else "users_UD"
    if isinstance(config.model, Histories):
        if config.model.sides == of:
            raise UsageError(
                f"this model has no vectors of {of}",
                where=origin.folder,
                why=f"with `sides: {of}` it only sums vectors of {_other(of)} up",
                hint=f"--of {_other(of)}",
            )
        name = f"of_{_other(of)}.target_YD"
    ids = origin.checkpoint.document("ids")[of]
    return RatedVectors(origin, of.removesuffix("s"), ids, origin.checkpoint.tensors("model")[name])


def _other(of: Of) -> Of:
    return "users" if of == "items" else "items"
