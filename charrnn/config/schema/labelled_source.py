"""Where labelled items come from, whatever they are, and how they are split."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from charrnn.config.schema.base import AsTuple, Count
from charrnn.config.schema.corpus import Part, Source, whole

Place = Annotated[str, Field(min_length=1)]

PLACES = ("source", "sha256", "labels", "test_source", "test_labels", "unlabelled_source")
"""Keys that only say where data lie; what they hold is compared by content."""


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
