"""Fill a batch from a row plan.

Inputs are the split shifted by one, across lane joints too, with `<start>` in front of the first token of a document.

Shapes: B rows (lanes), T columns.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from charrnn.contracts import Batch
from charrnn.stream.lanes import LanePlan, RowPlan, is_start
from charrnn.stream.windows import WindowPlan
from charrnn.text.vocabulary import Vocabulary


def gather(tokens: np.ndarray, plan: RowPlan, documents: np.ndarray, device: torch.device) -> Batch:
    """Read a plan's rows from the tokens of a split.

    Args:
        tokens: the split, one-dimensional, of any unsigned integer type; it may be memory-mapped.
        plan: what each row reads.
        documents: where documents begin, ascending from 0.
        device: where the batch goes.
    """
    position_BT = (plan.start_B[:, None] + np.arange(plan.width)) % len(tokens)
    mask_BT = np.arange(plan.width) < plan.length_B[:, None]
    x_BT = np.where(mask_BT & ~is_start(documents, position_BT), tokens[position_BT - 1], Vocabulary.START).astype(
        np.int64
    )
    y_BT = np.where(mask_BT, tokens[position_BT], Vocabulary.START).astype(np.int64)
    counts_BT = mask_BT & (np.arange(plan.width) >= plan.past)
    x, y, mask, counts = (torch.from_numpy(array).to(device) for array in (x_BT, y_BT, mask_BT, counts_BT))
    resets = {column: torch.from_numpy(rows_B).to(device) for column, rows_B in plan.resets.items()}
    return Batch(x, y, mask, counts, resets, plan.keep, plan.rate)


class LaneStream:
    """The batches of a split read in contiguous lanes.

    Args:
        tokens: the split.
        plan: how it is cut.
    """

    def __init__(self, tokens: np.ndarray, plan: LanePlan) -> None:
        self.tokens = tokens
        self.plan = plan

    @property
    def rows(self) -> int:
        """The number of lanes."""
        return self.plan.lanes

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the split."""
        return self.plan.steps_per_epoch

    @property
    def reading(self) -> Mapping[str, int]:
        """The number of lanes."""
        return {"lanes": self.plan.lanes}

    @property
    def positions(self) -> bool:
        """Never: the columns of a chunk are no positions after a cold start."""
        return False

    def batch(self, step: int, device: torch.device) -> Batch:
        """The batch of one step, counted from the beginning of training."""
        return gather(self.tokens, self.plan.rows(step), self.plan.documents, device)


class WindowStream:
    """The batches of a split read in windows.

    Args:
        tokens: the split.
        plan: how it is cut.
    """

    def __init__(self, tokens: np.ndarray, plan: WindowPlan) -> None:
        self.tokens = tokens
        self.plan = plan

    @property
    def rows(self) -> int:
        """Windows per batch."""
        return self.plan.batch

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the split."""
        return self.plan.steps_per_epoch

    @property
    def reading(self) -> Mapping[str, int]:
        """The number of windows."""
        return {"windows": self.plan.windows}

    @property
    def positions(self) -> bool:
        """Whether every position is told on its own: not where only the last one counts."""
        return not self.plan.last

    def batch(self, step: int, device: torch.device) -> Batch:
        """The batch of one step, counted from the beginning of training."""
        return gather(self.tokens, self.plan.rows(step), self.plan.documents, device)
