"""Contiguous lanes: the plan of every step as a pure function of (tokens, settings, seed, step).

A split of N tokens is cut into B lanes, the first N mod B of them one token longer; lane b starts where lane b−1 ends.
Chunk k+1 of a lane begins exactly where chunk k ended, and the short tails are masked, so every token is a target
exactly once per epoch. A row's state begins anew at the start of each epoch and of each document, and in front of a
chunk where chance has it so; all three are properties of a place in the lane, so an update that reads older tokens
again meets the same resets.

Shapes: B rows (lanes), T columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from charrnn.config.schema.stream import FixedLengths, Lengths
from charrnn.errors import DataError
from charrnn.stream.chance import uniforms
from charrnn.stream.lengths import chunk_count, chunk_edges

_AUTO_LANES = 32
_AUTO_CHUNKS = 8


@dataclass(frozen=True)
class RowPlan:
    """What each row reads in one step.

    Attributes:
        start_B: the target of the first column, as an index into the split, which is read as a ring.
        length_B: how many columns hold a target, from 0 to `width`.
        width: T.
        past: the first columns, so many, hold tokens that do not count: they are there to be read.
        keep: the state after so many columns is what the next step begins with.
        starts_BT: whether a target is the first of a document.
        resets: for each column in front of which some row's state begins anew: which rows.
        rate: what the learning rate of this step is multiplied by.
    """

    start_B: np.ndarray
    length_B: np.ndarray
    width: int
    past: int
    keep: int
    starts_BT: np.ndarray
    resets: Mapping[int, np.ndarray]
    rate: float

    def of(self, rows: slice) -> RowPlan:
        """The plan of some neighbouring rows; columns in which only others begin anew are among its resets."""
        resets = {column: rows_B[rows] for column, rows_B in self.resets.items()}
        own = self.start_B[rows], self.length_B[rows], self.width, self.past, self.keep, self.starts_BT[rows]
        return RowPlan(*own, resets, self.rate)


@dataclass(frozen=True, eq=False)
class LanePlan:
    """How a split is read.

    Args:
        tokens: N.
        lanes: B.
        chunk: k1, the new tokens of a row per step.
        reach: k2, the tokens of a row that a step reads; None for k1.
        lengths: whether all chunks are equally long.
        shifted: whether each epoch begins at another place of the split.
        reset_chance: how often a row begins anew in front of a chunk.
        documents: where documents begin, ascending from 0.
        seed: what all chance is derived from.

    Raises:
        DataError: there are fewer tokens than lanes.
    """

    tokens: int
    lanes: int
    chunk: int
    reach: int | None = None
    lengths: Lengths = field(default_factory=FixedLengths)
    shifted: bool = False
    reset_chance: float = 0.0
    documents: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tokens < self.lanes:
            raise DataError(
                f"the text is shorter than the lanes: {self.tokens} tokens for {self.lanes} lanes",
                hint="use a longer text, or lower the number of lanes (`lanes: auto` fits small texts)",
            )

    @property
    def rows_per_batch(self) -> int:
        """B."""
        return self.lanes

    @property
    def columns(self) -> int:
        """k2: T, where chunks are equally long."""
        return self.reach or self.chunk

    @property
    def reading(self) -> Mapping[str, int]:
        """The number of lanes."""
        return {"lanes": self.lanes}

    @property
    def positions(self) -> bool:
        """Never: the columns of a chunk are no positions after a cold start."""
        return False

    @cached_property
    def starts_B(self) -> np.ndarray:
        """Where each lane begins, in an epoch that is not shifted."""
        return np.concatenate([[0], np.cumsum(self.lengths_B)[:-1]])

    @cached_property
    def lengths_B(self) -> np.ndarray:
        """How many tokens each lane holds."""
        short, longer = divmod(self.tokens, self.lanes)
        return short + (np.arange(self.lanes) < longer)

    @property
    def steps_per_epoch(self) -> int:
        """Chunks of the longest lane."""
        return chunk_count(self.lengths, self.chunk, self._longest, self.seed)

    def shift(self, epoch: int) -> int:
        """Where in the split an epoch begins."""
        return int(uniforms(1, self.seed, "offset", epoch)[0] * self.tokens) if self.shifted else 0

    def place(self, step: int) -> int:
        """How many columns, empty ones among them, the steps before `step` have moved every lane on."""
        epoch, k = divmod(step, self.steps_per_epoch)
        edges = chunk_edges(self.lengths, self.chunk, self._longest, self.seed, epoch)
        return int(epoch * edges[-1] + edges[k])

    def rows(self, step: int) -> RowPlan:
        """The plan of one step, counted from the beginning of training."""
        epoch, k = divmod(step, self.steps_per_epoch)
        edges = chunk_edges(self.lengths, self.chunk, self._longest, self.seed, epoch)
        older = 0 if self.reach is None else self.reach - self.chunk
        first, after = max(0, edges[k] - older), max(0, edges[k + 1] - older)
        width = int(edges[k + 1] - first)
        start_B = (self.shift(epoch) + self.starts_B + first) % self.tokens
        length_B = np.clip(self.lengths_B - first, 0, width)
        starts_BT = first_of_documents(self.documents, start_B, length_B, width, self.tokens)
        reset_BT = starts_BT.copy()
        for j in range(int(np.searchsorted(edges, first)), k + 1):
            reset_BT[:, edges[j] - first] |= self._begun_anew(epoch, j)
        reset_BT &= np.arange(width) < length_B[:, None]
        rate = 1.0 if isinstance(self.lengths, FixedLengths) else float(edges[k + 1] - edges[k]) / self.chunk
        past, keep = int(edges[k] - first), int(after - first)
        return RowPlan(start_B, length_B, width, past, keep, starts_BT, by_column(reset_BT), rate)

    @property
    def _longest(self) -> int:
        return -(-self.tokens // self.lanes)

    def _begun_anew(self, epoch: int, k: int) -> np.ndarray:
        """Which rows begin anew in front of chunk k of an epoch."""
        if k == 0 or self.reset_chance == 0.0:
            return np.full(self.lanes, k == 0)
        return uniforms(self.lanes, self.seed, "reset", epoch, k) < self.reset_chance


def first_of_documents(
    documents: np.ndarray, start_B: np.ndarray, length_B: np.ndarray, width: int, tokens: int
) -> np.ndarray:
    """Which targets of the rows are the first of a document: starts_BT. The split is read as a ring."""
    columns = np.arange(width)
    return begins_document(documents, (start_B[:, None] + columns) % tokens) & (columns < length_B[:, None])


def begins_document(documents: np.ndarray, position_BT: np.ndarray) -> np.ndarray:
    """Whether a document begins at each place of a split."""
    first_BT: np.ndarray = documents[np.searchsorted(documents, position_BT, side="right") - 1] == position_BT
    return first_BT


def by_column(reset_BT: np.ndarray) -> dict[int, np.ndarray]:
    """The columns in which any row begins anew, each with its rows."""
    return {int(column): reset_BT[:, column] for column in np.flatnonzero(reset_BT.any(0))}


def auto_lanes(tokens: int, chunk: int) -> int:
    """The number of lanes for `lanes: auto`: 32, or fewer so that each holds at least eight chunks."""
    return max(1, min(_AUTO_LANES, tokens // (_AUTO_CHUNKS * chunk)))
