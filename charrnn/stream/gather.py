"""Fill a batch from a row plan.

Inputs are the split shifted by one, across lane joints too, with `<start>` in front of the first token of a document.

Shapes: B rows (lanes), T columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from charrnn.corpus.parts import PartedTokens
from charrnn.models.core import State
from charrnn.stream.lanes import LanePlan, RowPlan
from charrnn.stream.rows import overlap
from charrnn.stream.travel import sent
from charrnn.stream.windows import WindowPlan
from charrnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from charrnn.stream.resident import ResidentTokens


@dataclass(frozen=True)
class Share:
    """The rows of a batch that read another text than the first ones.

    Attributes:
        rows: which.
        resets: for each column in front of which the state of some of them begins anew: which of them.
    """

    rows: slice
    resets: Mapping[int, Tensor]

    @property
    def count(self) -> int:
        """How many they are."""
        count: int = self.rows.stop - self.rows.start
        return count


@dataclass(frozen=True)
class TokenBatch:
    """One step's worth of a text.

    Attributes:
        x_BT: input symbols.
        y_BT: target symbols; where `mask_BT` is False they mean nothing.
        mask_BT: True where a row holds a symbol.
        counts_BT: True where a target counts; symbols that are only there to be read do not.
        resets: for each column in front of which some row's state begins anew: which rows, as a mask over B.
        keep: the state after so many columns is what the next batch begins with.
        rate: what the learning rate of this step is multiplied by.
        shares: the rows of other texts, by name; the first rows, which are in none, are those of the main text.
        whole: the batch that this one is a part of, whose symbols mean nothing where they were not read; None where it
            is whole.
    """

    x_BT: Tensor
    y_BT: Tensor
    mask_BT: Tensor
    counts_BT: Tensor
    resets: Mapping[int, Tensor]
    keep: int
    rate: float = 1.0
    shares: Mapping[str, Share] = field(default_factory=dict)
    whole: TokenBatch | None = None

    @property
    def rows(self) -> int:
        """B."""
        return len(self.x_BT)

    @property
    def main(self) -> TokenBatch:
        """The rows of the main text."""
        if not self.shares:
            return self
        return self._rows(slice(0, min(share.rows.start for share in self.shares.values())))

    def part(self, rows: slice, state: State) -> tuple[TokenBatch, State]:
        """See `Batch.part`. What is carried on for the rows of one share alone has names that begin with its own."""
        shares: dict[str, Share] = {}
        for name, share in self.shares.items():
            within, own = overlap(share.rows, rows), overlap(rows, share.rows)
            if within is not None and own is not None:
                shares[name] = Share(within, {column: rows_B[own] for column, rows_B in share.resets.items()})
        carried = carried_of({name: share.rows for name, share in self.shares.items()}, state, rows)
        return replace(self._rows(rows), shares=shares, whole=self.whole or self), carried

    def _rows(self, rows: slice) -> TokenBatch:
        x, y, mask, counts = (tensor[rows] for tensor in (self.x_BT, self.y_BT, self.mask_BT, self.counts_BT))
        resets = {column: rows_B[rows] for column, rows_B in self.resets.items()}
        return TokenBatch(x, y, mask, counts, resets, self.keep, self.rate)


def carried_by(share: str) -> str:
    """How the names of what is carried on for the rows of one share begin."""
    return f"teacher.{share}."


def carried_of(shares: Mapping[str, slice], state: State, rows: slice) -> State:
    """What of `state`, which is carried on for all rows of a batch with these shares, is that of some `rows`."""
    carried = {key: tensor[rows] for key, tensor in state.items() if not key.startswith(tuple(map(carried_by, shares)))}
    for name, of_share in shares.items():
        own = overlap(rows, of_share)
        if own is not None:
            carried |= {key: tensor[own] for key, tensor in state.items() if key.startswith(carried_by(name))}
    return carried


def gather(tokens: np.ndarray, plan: RowPlan, device: torch.device) -> TokenBatch:
    """Read a plan's rows from the tokens of a split.

    Args:
        tokens: the split, one-dimensional, of any unsigned integer type; it may be memory-mapped, or lie in parts.
        plan: what each row reads.
        device: where the batch goes.
    """
    position_BT = (plan.start_B[:, None] + np.arange(plan.width)) % len(tokens)
    mask_BT = np.arange(plan.width) < plan.length_B[:, None]
    x_BT, y_BT = np.empty((2, *mask_BT.shape), np.int64)
    write_rows(tokens, position_BT, mask_BT, plan.starts_BT, x_BT, y_BT)
    counts_BT = mask_BT & (np.arange(plan.width) >= plan.past)
    x, y, mask, counts = (sent(torch.from_numpy(array), device) for array in (x_BT, y_BT, mask_BT, counts_BT))
    resets = {column: sent(torch.from_numpy(rows_B), device) for column, rows_B in plan.resets.items()}
    return TokenBatch(x, y, mask, counts, resets, plan.keep, plan.rate)


def write_rows(
    tokens: np.ndarray,
    position_BT: np.ndarray,
    mask_BT: np.ndarray,
    starts_BT: np.ndarray,
    x_BT: np.ndarray,
    y_BT: np.ndarray,
) -> None:
    """Write the symbols of some rows straight into their place in a batch.

    Args:
        tokens: the split.
        position_BT: where in it each target stands.
        mask_BT: where there is one.
        starts_BT: which of them are the first of a document.
        x_BT: takes the input symbols.
        y_BT: takes the targets.
    """
    if isinstance(tokens, PartedTokens):  # of parts that no row reads from none is opened
        x_BT[...] = tokens.where(mask_BT & ~starts_BT, position_BT - 1, Vocabulary.START)
        y_BT[...] = tokens.where(mask_BT, position_BT, Vocabulary.START)
    else:
        x_BT[...] = np.where(mask_BT & ~starts_BT, tokens[position_BT - 1], Vocabulary.START)
        y_BT[...] = np.where(mask_BT, tokens[position_BT], Vocabulary.START)


def unread(mask_BT: np.ndarray, past: int, resets: Mapping[int, np.ndarray], keep: int, rate: float) -> TokenBatch:
    """A batch of which only the shape is known, and which targets count: no symbol of it was read. On the CPU."""
    mask, none = torch.from_numpy(mask_BT), torch.zeros((), dtype=torch.int64).expand(mask_BT.shape)
    counts = mask & (torch.arange(mask_BT.shape[1]) >= past)
    on = {column: torch.from_numpy(rows_B) for column, rows_B in resets.items()}
    return TokenBatch(none, none, mask, counts, on, keep, rate)


class TokenStream:
    """The batches of a split, read as its plan says.

    Args:
        tokens: the split.
        plan: how it is cut.
        resident: the same tokens on a device; batches for it are made there.
    """

    def __init__(self, tokens: np.ndarray, plan: LanePlan | WindowPlan, resident: ResidentTokens | None = None) -> None:
        self.tokens = tokens
        self.plan = plan
        self.resident = resident

    @property
    def rows(self) -> int:
        """B."""
        return self.plan.rows_per_batch

    @property
    def columns(self) -> int:
        """T; a chunk of random length may be longer."""
        return self.plan.columns

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the split."""
        return self.plan.steps_per_epoch

    @property
    def reading(self) -> Mapping[str, int]:
        """The number of lanes, or of windows."""
        return self.plan.reading

    @property
    def positions(self) -> bool:
        """Whether the loss of every position after a cold start is told on its own."""
        return self.plan.positions

    def batch(self, step: int, device: torch.device, share: Callable[[int], slice] | None = None) -> TokenBatch:
        """The batch of one step, counted from the beginning of training; with `share`, those of its rows alone."""
        plan = self.plan.rows(step)
        if share is None:
            return self._gathered(plan, device)
        mask_BT = np.arange(plan.width) < plan.length_B[:, None]
        whole = unread(mask_BT, plan.past, plan.resets, plan.keep, plan.rate)
        return replace(self._gathered(plan.of(share(len(mask_BT))), device), whole=whole)

    def carried(self, state: State, rows: slice) -> State:
        """What of `state`, which is carried on for all rows, is that of some."""
        return carried_of({}, state, rows)

    def _gathered(self, plan: RowPlan, device: torch.device) -> TokenBatch:
        if self.resident is not None and self.resident.device == device:
            return self.resident.batch(plan)
        return gather(self.tokens, plan, device)
