"""The manifest of a labelled corpus."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from charrnn.config.schema.base import Section
from charrnn.config.schema.labelled import Images, Labelled
from charrnn.config.schema.labelled_source import PLACES, LabelledSource
from charrnn.corpus.allot import PARTS
from charrnn.corpus.manifest import FORMAT, MANIFEST, VOCABULARY, Digest, FileRecord, Size, SourceRecord
from charrnn.files import digest

KIND = "labelled"
ITEMS, OFFSETS, LABELS, TRUTHS, PLACES_FILE = "items.bin", "offsets.bin", "labels.bin", "truths.bin", "places.bin"
ALL_FILES = {MANIFEST, ITEMS, OFFSETS, LABELS, TRUTHS, PLACES_FILE, VOCABULARY}

WIDTHS = {OFFSETS: 8, LABELS: 4, TRUTHS: 4, PLACES_FILE: 16}
"""Bytes per row of the files that have a record for each."""


class InputRecord(SourceRecord):
    """A file that items or their labels came from."""

    role: Literal["items", "labels", "test", "test labels", "unlabelled"]
    """What it is for."""

    label: str | None = None
    """The label of all its items, where the file's name says it."""


class PartRecord(Section):
    """A part of the corpus: its rows from `start` to before `end`."""

    start: Size
    end: Size
    distinct: Size
    """Distinct items among them."""

    per_label: list[Size]
    """Rows of each label; nothing is said of hidden labels."""


class LabelledCounts(Section):
    """What was read, and what a reader of figures should know about it."""

    rows: Size
    distinct: Size
    ambiguous: Size
    """Distinct items with more than one label."""

    empty: Size
    """Rows that were left out because their text is empty."""

    cut: Size
    """Items that were cut to `longest`."""

    replaced: Size
    """U+FFFD in place of wrong bytes."""

    test_seen: Size
    """Rows of the given test set whose item also occurs in training or validation."""

    unlabelled_held_out: Size
    """Rows of the unlabelled source whose item also occurs in validation or test."""


class LabelledManifest(Section):
    """All that is known about a labelled corpus without opening its arrays."""

    format: Literal[1]
    kind: Literal["labelled"]
    digest: Digest
    sources: list[InputRecord]
    settings: Labelled
    counts: LabelledCounts
    labels: list[str]
    dtype: Literal["uint8", "uint16", "uint32"]
    features: Size | None
    """Values per step; null where a step is a token."""

    highest: Size | None
    """The highest value that a pixel can have; null where items are tokens."""

    files: dict[str, FileRecord]
    splits: dict[str, PartRecord]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> LabelledManifest:
        if set(self.files) != files_of(self.settings) or tuple(self.splits) != PARTS:
            raise ValueError("its files or its splits are not those of a labelled corpus")
        images = isinstance(self.settings, Images)
        if (self.features is not None) != images or (self.highest is not None) != images or self.features == 0:
            raise ValueError("its features are not those of its kind")
        for name, width in WIDTHS.items():
            rows = self.counts.rows + (name == OFFSETS)
            if name in self.files and self.files[name].bytes != rows * width:
                raise ValueError(f"the size of {name} is not that of its rows")
        at = 0
        for record in self.splits.values():
            if record.start != at or record.end < at or len(record.per_label) != len(self.labels):
                raise ValueError("the splits do not follow each other, or are of other labels")
            at = record.end
        if at != self.counts.rows:
            raise ValueError("the splits are not all rows")
        return self

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of figures should know about the data, a line each."""
        counts = self.counts
        found = (
            (counts.rows - counts.distinct, "rows that repeat an item (all rows of one item are in one split)"),
            (counts.ambiguous, "items that carry more than one label"),
            (counts.empty, "rows that were left out, for their text is empty"),
            (counts.cut, "items that were cut to corpus.longest"),
            (counts.replaced, "wrong bytes that were replaced"),
            (counts.test_seen, "rows of the test set whose item also occurs in training or validation"),
            (counts.unlabelled_held_out, "unlabelled rows whose item also occurs in validation or test"),
        )
        return tuple(f"{what}: {count:,}" for count, what in found if count)

    def to_json(self) -> dict[str, Any]:
        """The manifest as a JSON object."""
        return self.model_dump(mode="json")


def files_of(settings: LabelledSource) -> set[str]:
    """The files, besides the manifest, of a corpus with these settings."""
    names = {ITEMS, OFFSETS, LABELS, PLACES_FILE}
    if settings.labelled is not None:
        names.add(TRUTHS)
    if not isinstance(settings, Images):
        names.add(VOCABULARY)
    return names


def labelled_digest(settings: LabelledSource, sources: list[InputRecord]) -> str:
    """The identity of a labelled corpus: its settings but where its sources lie, and what those hold and are for."""
    return digest.of_json(
        {
            "format": FORMAT,
            "kind": KIND,
            "settings": settings.model_dump(mode="json", exclude=set(PLACES), exclude_none=True),
            "sources": [[source.role, source.sha256, source.label] for source in sources],
        }
    )
