"""What shares every batch of training with the items that a run is about, whatever those are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from charrnn.stream.items import Part

S = TypeVar("S")


@dataclass(frozen=True)
class Mixed(Generic[S]):
    """A part of `stream.mix`.

    Attributes:
        part: its share of every batch, under its name.
        source: what its rows are gathered from.
        file: what it was read from; None for what the corpus itself holds.
        sha256: the digest of that file.
        transductive: how many of its items are inputs of the test split.
        validation: whether it is the validation split, which then validates nothing.
    """

    part: Part
    source: S
    file: Path | None = None
    sha256: str | None = None
    transductive: int = 0
    validation: bool = False

    def remarks(self) -> Iterator[str]:
        """What a user should know of it before training begins."""
        name, items, rows = f"stream.mix.{self.part.name}", self.part.items, self.part.rows
        if self.validation:
            yield f"{name}: the {items} validation items are trained on, so there is no validation in this run"
        if self.transductive:
            yield (
                f"transductive: {name} trains on {self.transductive} inputs of the test split; what this run comes to "
                "there says little about new data"
            )
        if items < rows:
            yield f"{name}: {items} for {rows} rows, so each comes {rows / items:.3g} times in every batch"

    def document(self) -> dict[str, Any]:
        """Where it comes from and what it is, for the checkpoints of the run."""
        origin = {} if self.file is None else {"file": str(self.file), "sha256": self.sha256}
        return origin | {"items": self.part.items, "transductive": self.transductive, "validation": self.validation}
