"""Contiguous lanes: the plan of every step as a pure function of (tokens, lanes, chunk, step).

A split of N tokens is cut into B lanes, the first N mod B of them one token longer; lane b starts where lane b−1 ends.
Chunk k+1 of a lane begins exactly where chunk k ended, every state is reset at the start of each epoch, and the short
tails are masked, so every token is a target exactly once per epoch.

Shapes: B rows (lanes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charrnn.errors import DataError

_AUTO_LANES = 32
_AUTO_CHUNKS = 8


@dataclass(frozen=True)
class RowPlan:
    """What each row reads in one step.

    Attributes:
        start_B: the first target, as an index into the split.
        length_B: how many targets, from 0 to `chunk`.
        reset_B: whether the row's state begins anew.
        chunk: the width of the batch.
    """

    start_B: np.ndarray
    length_B: np.ndarray
    reset_B: np.ndarray
    chunk: int

    def rank(self, rank: int, world: int) -> RowPlan:
        """The rows of one process out of `world`; joined in order, the ranks' rows are all rows."""
        cut = np.array_split(np.arange(len(self.start_B)), world)[rank]
        return RowPlan(self.start_B[cut], self.length_B[cut], self.reset_B[cut], self.chunk)


@dataclass(frozen=True)
class LanePlan:
    """How a split of `tokens` is read by `lanes` rows, `chunk` tokens at a time.

    Raises:
        DataError: there are fewer tokens than lanes.
    """

    tokens: int
    lanes: int
    chunk: int

    def __post_init__(self) -> None:
        if self.tokens < self.lanes:
            raise DataError(
                f"the text is shorter than the lanes: {self.tokens} tokens for {self.lanes} lanes",
                hint="use a longer text, or lower the number of lanes (`lanes: auto` fits small texts)",
            )

    @property
    def starts_B(self) -> np.ndarray:
        """Where each lane begins."""
        return np.concatenate([[0], np.cumsum(self.lengths_B)[:-1]])

    @property
    def lengths_B(self) -> np.ndarray:
        """How many tokens each lane holds."""
        short, longer = divmod(self.tokens, self.lanes)
        return short + (np.arange(self.lanes) < longer)

    @property
    def steps_per_epoch(self) -> int:
        """Chunks of the longest lane."""
        longest = -(-self.tokens // self.lanes)
        return -(-longest // self.chunk)

    def rows(self, step: int) -> RowPlan:
        """The plan of one step, counted from the beginning of training."""
        k = step % self.steps_per_epoch
        done = k * self.chunk
        lengths_B = np.clip(self.lengths_B - done, 0, self.chunk)
        return RowPlan(self.starts_B + done, lengths_B, np.full(self.lanes, k == 0), self.chunk)


def auto_lanes(tokens: int, chunk: int) -> int:
    """The number of lanes for `lanes: auto`: 32, or fewer so that each holds at least eight chunks."""
    return max(1, min(_AUTO_LANES, tokens // (_AUTO_CHUNKS * chunk)))
