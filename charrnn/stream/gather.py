"""Fill a batch from a row plan.

Inputs are the split shifted by one, across lane joints too, with `<start>` in front of the first token of a document.

Shapes: B rows (lanes), T columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from charrnn.stream.lanes import LanePlan, RowPlan
from charrnn.stream.windows import WindowPlan
from charrnn.text.vocabulary import Vocabulary


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
    """

    x_BT: Tensor
    y_BT: Tensor
    mask_BT: Tensor
    counts_BT: Tensor
    resets: Mapping[int, Tensor]
    keep: int
    rate: float = 1.0

    @property
    def rows(self) -> int:
        """B."""
        return len(self.x_BT)


def gather(tokens: np.ndarray, plan: RowPlan, device: torch.device) -> TokenBatch:
    """Read a plan's rows from the tokens of a split.

    Args:
        tokens: the split, one-dimensional, of any unsigned integer type; it may be memory-mapped.
        plan: what each row reads.
        device: where the batch goes.
    """
    position_BT = (plan.start_B[:, None] + np.arange(plan.width)) % len(tokens)
    mask_BT = np.arange(plan.width) < plan.length_B[:, None]
    x_BT = np.where(mask_BT & ~plan.starts_BT, tokens[position_BT - 1], Vocabulary.START).astype(np.int64)
    y_BT = np.where(mask_BT, tokens[position_BT], Vocabulary.START).astype(np.int64)
    counts_BT = mask_BT & (np.arange(plan.width) >= plan.past)
    x, y, mask, counts = (torch.from_numpy(array).to(device) for array in (x_BT, y_BT, mask_BT, counts_BT))
    resets = {column: torch.from_numpy(rows_B).to(device) for column, rows_B in plan.resets.items()}
    return TokenBatch(x, y, mask, counts, resets, plan.keep, plan.rate)


class TokenStream:
    """The batches of a split, read as its plan says.

    Args:
        tokens: the split.
        plan: how it is cut.
    """

    def __init__(self, tokens: np.ndarray, plan: LanePlan | WindowPlan) -> None:
        self.tokens = tokens
        self.plan = plan

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

    def batch(self, step: int, device: torch.device) -> TokenBatch:
        """The batch of one step, counted from the beginning of training."""
        return gather(self.tokens, self.plan.rows(step), device)
