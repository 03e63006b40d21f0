"""Windows: rows that begin from a cold state, in an order that is a pure function of (seed, step).

Window j has the targets j · stride … j · stride + length − 1, and is read from the token in front of the first of them
(`<start>` at the beginning of the split). Where each target counts, a last window that is shorter covers the end of the
split, so that with windows side by side every token is a target exactly once per epoch; where only the last target of
a window counts, windows are whole. The last batch of an epoch is filled up with empty rows and masked.

Shapes: B rows (windows), T columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from charrnn.config.schema.stream import Windows
from charrnn.errors import DataError
from charrnn.stream.chance import shuffled
from charrnn.stream.lanes import RowPlan, by_column, first_of_documents


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """How a split is read.

    Args:
        tokens: N.
        length: T, the symbols of a window.
        stride: from the beginning of one window to that of the next; at most `length`.
        batch: B.
        last: whether only the last target of a window counts.
        shuffle: whether every epoch reads the windows in another order.
        documents: where documents begin, ascending from 0; a state begins anew there within a window too.
        seed: what the orders are derived from.

    Raises:
        DataError: the split is shorter than a window.
    """

    tokens: int
    length: int
    stride: int
    batch: int
    last: bool = False
    shuffle: bool = False
    documents: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tokens < self.length:
            raise DataError(
                f"the text is shorter than a window: {self.tokens} tokens for windows of {self.length}",
                hint="use a longer text, or lower stream.length",
            )

    @property
    def rows_per_batch(self) -> int:
        """B."""
        return self.batch

    @property
    def columns(self) -> int:
        """T."""
        return self.length

    @property
    def reading(self) -> Mapping[str, int]:
        """The number of windows."""
        return {"windows": self.windows}

    @property
    def positions(self) -> bool:
        """Whether every position is told on its own: not where only the last one counts."""
        return not self.last

    @property
    def windows(self) -> int:
        """How many windows there are."""
        whole = (self.tokens - self.length) // self.stride + 1
        covered = (whole - 1) * self.stride + self.length
        return whole + (covered < self.tokens and not self.last)

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold all windows."""
        return -(-self.windows // self.batch)

    def rows(self, step: int) -> RowPlan:
        """The plan of one step, counted from the beginning of training."""
        epoch, k = divmod(step, self.steps_per_epoch)
        place_B = k * self.batch + np.arange(self.batch)
        there_B = place_B < self.windows
        window_B = np.where(there_B, place_B, 0)
        if self.shuffle:
            window_B = shuffled(window_B, self.windows, self.seed, "order of windows", epoch)
        start_B = window_B * self.stride
        length_B = np.where(there_B, np.minimum(self.length, self.tokens - start_B), 0)
        starts_BT = first_of_documents(self.documents, start_B, length_B, self.length, self.tokens)
        reset_BT = starts_BT.copy()
        reset_BT[:, 0] = True
        past = self.length - 1 if self.last else 0
        return RowPlan(start_B, length_B, self.length, past, self.length, starts_BT, by_column(reset_BT), rate=1.0)


def window_plan(settings: Windows, tokens: int, documents: np.ndarray, seed: int, training: bool) -> WindowPlan:
    """The windows of a split.

    Args:
        settings: the `stream:` section.
        tokens: N; at least 1.
        documents: where its documents begin.
        seed: the run's seed.
        training: in evaluation windows keep their order, and a split that is shorter than a window is a short window.

    Raises:
        DataError: the training split is shorter than a window.
    """
    length = settings.length if training else min(settings.length, tokens)
    return WindowPlan(
        tokens,
        length,
        min(settings.hop, length),
        settings.batch,
        settings.targets == "last",
        settings.shuffle and training,
        documents,
        seed,
    )
