"""`stream:` how a split becomes batches."""

from __future__ import annotations

from typing import Literal

from charrnn.config.schema.base import Count, Section


class Lanes(Section):
    """Contiguous lanes: each row of the batch reads its own unbroken passage, chunk after chunk."""

    kind: Literal["lanes"] = "lanes"

    lanes: Count | Literal["auto"] = "auto"
    """How many lanes the split is cut into: the rows of a batch. `auto` takes 32, and fewer where the text is
    so short that a lane would hold less than eight chunks."""

    chunk: Count = 64
    """Tokens per row and step: the length of truncated back-propagation."""
