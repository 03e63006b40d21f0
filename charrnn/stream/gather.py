"""Fill a batch from a row plan.

Inputs are the split shifted by one, with `<start>` in front of its first token, across lane joints too.

Shapes: B rows (lanes), T steps.
"""

from __future__ import annotations

import numpy as np
import torch

from charrnn.contracts import Batch
from charrnn.stream.lanes import LanePlan, RowPlan
from charrnn.text.vocabulary import Vocabulary


def gather(tokens: np.ndarray, plan: RowPlan, device: torch.device) -> Batch:
    """Read a plan's rows from the tokens of a split.

    Args:
        tokens: the split, one-dimensional, of any unsigned integer type; it may be memory-mapped.
        plan: what each row reads.
        device: where the batch goes.
    """
    # One read of T+1 tokens per row serves inputs and targets.
    index_BS = plan.start_B[:, None] + np.arange(-1, plan.chunk)
    block_BS = tokens[np.clip(index_BS, 0, len(tokens) - 1)].astype(np.int64)
    block_BS[index_BS < 0] = Vocabulary.START
    mask_BT = np.arange(plan.chunk) < plan.length_B[:, None]
    x_BT, y_BT = (np.where(mask_BT, part, Vocabulary.START) for part in (block_BS[:, :-1], block_BS[:, 1:]))
    arrays = (x_BT, y_BT, mask_BT, plan.reset_B)
    return Batch(*(torch.from_numpy(array).to(device) for array in arrays))


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

    def batch(self, step: int, device: torch.device) -> Batch:
        """The batch of one step, counted from the beginning of training."""
        return gather(self.tokens, self.plan.rows(step), device)
