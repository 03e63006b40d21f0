"""Tokens that lie on the device, and batches that are made of them there: only where each row begins travels.

The batch is the one that `gather.py` makes in NumPy, number for number.

Shapes: B rows (lanes), T columns, N what of each row travels: its start, its length, and a reset for every column in
which some row begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from charrnn.corpus.parts import PartedTokens
from charrnn.stream.gather import TokenBatch
from charrnn.stream.lanes import RowPlan
from charrnn.stream.travel import sent, sent_in_pieces
from charrnn.text.vocabulary import Vocabulary

_SHARE = 0.25
"""At most so much of the device's free memory is given to the tokens of a split."""


@dataclass(frozen=True)
class Form:
    """What the host knows of a batch whose numbers are on the device.

    Attributes:
        width: T.
        past: the first columns, so many, hold tokens that do not count.
        keep: the state after so many columns is what the next batch begins with.
        columns: those in front of which some row begins anew.
    """

    width: int
    past: int
    keep: int
    columns: tuple[int, ...]


class ResidentTokens:
    """A split on a device, once, in the narrow type in which it is stored.

    Args:
        tokens: the split, one-dimensional, of an unsigned type of 1, 2 or 4 bytes; it may be memory-mapped, or
            lie in parts.
        documents: where documents begin, ascending from 0.
        device: where to keep them.
    """

    def __init__(self, tokens: np.ndarray | PartedTokens, documents: np.ndarray, device: torch.device) -> None:
        self.device = device
        size = tokens.dtype.itemsize
        self._bits = 8 * size
        # Torch indexes few unsigned types: wider ones lie there as signed, and `_wide` takes the sign away again.
        self._tokens = sent_in_pieces(tokens, device, tokens.dtype if size == 1 else f"i{size}")
        self._documents = sent_in_pieces(np.asarray(documents, np.int64), device)

    @cached_property
    def count(self) -> int:
        """The tokens."""
        return len(self._tokens)

    def order(self, plan: RowPlan) -> tuple[Tensor, Form]:
        """What of a batch travels, rows_NB on the CPU, and what the host knows of it."""
        rows_NB = np.stack([plan.start_B, plan.length_B, *plan.resets.values()]).astype(np.int64, copy=False)
        return torch.from_numpy(rows_NB), Form(plan.width, plan.past, plan.keep, tuple(plan.resets))

    def fill(self, rows_NB: Tensor, form: Form, rate: float = 1.0) -> TokenBatch:
        """The batch, from what has travelled; nothing here waits for the device, or asks it anything."""
        start_B, length_B, *reset_B = rows_NB.unbind()
        column_T = torch.arange(form.width, device=self.device)
        position_BT = (start_B[:, None] + column_T) % self.count
        mask_BT = column_T < length_B[:, None]
        fresh_BT = self._begins_document(position_BT) | ~mask_BT
        x_BT = self._wide(self._tokens[position_BT - 1]).masked_fill(fresh_BT, Vocabulary.START)
        y_BT = self._wide(self._tokens[position_BT]).masked_fill(~mask_BT, Vocabulary.START)
        counts_BT = mask_BT & (column_T >= form.past)
        resets = {column: rows_B.bool() for column, rows_B in zip(form.columns, reset_B, strict=True)}
        return TokenBatch(x_BT, y_BT, mask_BT, counts_BT, resets, form.keep, rate)

    def batch(self, plan: RowPlan) -> TokenBatch:
        """The batch of a plan."""
        rows_NB, form = self.order(plan)
        return self.fill(sent(rows_NB, self.device), form, plan.rate)

    def _begins_document(self, position_BT: Tensor) -> Tensor:
        if len(self._documents) == 1:
            return position_BT == 0
        before_BT = torch.searchsorted(self._documents, position_BT, right=True) - 1
        return self._documents[before_BT] == position_BT

    def _wide(self, tokens_BT: Tensor) -> Tensor:
        return tokens_BT.long() if self._bits == 8 else tokens_BT.long() & ((1 << self._bits) - 1)


def free_memory(device: torch.device) -> int:
    """How many bytes of a CUDA device are free; 0 of a CPU, where tokens lie already."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def resident(
    tokens: np.ndarray | PartedTokens,
    documents: np.ndarray,
    device: torch.device,
    free: Callable[[torch.device], int] = free_memory,
) -> ResidentTokens | None:
    """A split on a device; None where it would take more than a quarter of the memory that is free there.

    Args:
        tokens: the split.
        documents: where documents begin in it.
        device: where to keep it.
        free: tells the free bytes of a device.
    """
    needed = len(tokens) * tokens.dtype.itemsize + 8 * len(documents)
    return ResidentTokens(tokens, documents, device) if needed <= _SHARE * free(device) else None
