"""The loss of a text position by position after a cold start.

Shapes: B rows (lanes, windows), T columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.contracts import Loss
from charrnn.stream.gather import TokenBatch


class Positions:
    """The mean loss at each position after a cold start, from the first: sums over all rows and batches.

    Args:
        told: whether rows begin cold; where they do not, nothing is told.
    """

    def __init__(self, told: bool) -> None:
        self.told = told
        self.nats_T = torch.zeros(0, dtype=torch.float64)
        self.count_T = torch.zeros(0, dtype=torch.int64)

    def add(self, batch: TokenBatch, loss: Loss) -> None:
        """Take a batch into account."""
        if not self.told:
            return
        place_BT = _since_begin(batch)
        if len(self.nats_T) == 0:  # no batch is wider than the first
            self.nats_T = torch.zeros_like(batch.x_BT[0], dtype=torch.float64)
            self.count_T = torch.zeros_like(batch.x_BT[0], dtype=torch.int64)
        self.nats_T.index_add_(0, place_BT.flatten(), loss.each.double().flatten())
        self.count_T.index_add_(0, place_BT.flatten(), batch.counts_BT.flatten().to(torch.int64))

    def figures(self) -> dict[str, list[float]]:
        """`positions`: mean nats at each that any row has reached."""
        if not self.told:
            return {}
        reached_T = self.count_T > 0
        return {"positions": (self.nats_T[reached_T] / self.count_T[reached_T]).tolist()}


def _since_begin(batch: TokenBatch) -> Tensor:
    """How many columns lie between each one and the nearest in front of it where its row began: place_BT."""
    width = batch.x_BT.shape[1]
    column_T = torch.arange(width, device=batch.x_BT.device)
    place_BT = column_T.expand(batch.rows, -1)
    for column, rows_B in sorted(batch.resets.items()):
        since_BT = rows_B[:, None] & (column_T >= column)  # rows chosen by an index would make the host wait
        place_BT = torch.where(since_BT, column_T - column, place_BT)
    return place_BT
