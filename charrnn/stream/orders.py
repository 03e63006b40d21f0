"""What of a batch of tokens travels to the device, and the batch that is made of it there.

The two are taken apart for a training step that is a graph: what travels is written into memory that stays, and the
batch is made of it within the graph. Where the tokens lie on the device only the place of each row travels, else all
of the batch does.

Shapes: B rows (lanes), T columns.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from charrnn.contracts import Batch, Stream
from charrnn.stream.gather import Share, TokenBatch, TokenStream
from charrnn.stream.resident import Form

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Order:
    """A batch on its way.

    Attributes:
        numbers: what travels, on the CPU.
        form: all that the host must know to make the batch; batches of one form are made alike.
        rate: what the learning rate of this step is multiplied by.
    """

    numbers: tuple[Tensor, ...]
    form: Hashable
    rate: float


class Orders(Protocol):
    """The batches of a stream, taken apart."""

    def order(self, step: int) -> Order:
        """What of the batch of a step travels."""

    def fill(self, numbers: Sequence[Tensor], form: Any) -> Batch:
        """The batch, on the device where the numbers are; nothing is read from there."""


def orders_of(stream: Stream, device: torch.device) -> Orders | None:
    """The batches of a stream taken apart, for a device; None where its batches are not of tokens."""
    if not isinstance(stream, TokenStream):
        return None
    there = stream.resident is not None and stream.resident.device == device
    return _OfPlaces(stream) if there else _OfTokens(stream)


class _OfPlaces:
    """The place of each row travels."""

    def __init__(self, stream: TokenStream) -> None:
        assert stream.resident is not None, "its tokens lie on the device"
        self.plan, self.tokens = stream.plan, stream.resident

    def order(self, step: int) -> Order:
        plan = self.plan.rows(step)
        rows_NB, form = self.tokens.order(plan)
        return Order((rows_NB,), form, plan.rate)

    def fill(self, numbers: Sequence[Tensor], form: Form) -> TokenBatch:
        return self.tokens.fill(numbers[0], form)


@dataclass(frozen=True)
class _Layout:
    """What the host knows of a batch that was gathered there."""

    shape: tuple[int, ...]
    keep: int
    columns: tuple[int, ...]
    shares: tuple[tuple[str, int, int, tuple[int, ...]], ...]


class _OfTokens:
    """All of the batch travels."""

    def __init__(self, stream: TokenStream) -> None:
        self.stream = stream

    def order(self, step: int) -> Order:
        batch = self.stream.batch(step, _CPU)
        shares = [(name, own.rows.start, own.rows.stop, tuple(own.resets)) for name, own in batch.shares.items()]
        layout = _Layout(tuple(batch.x_BT.shape), batch.keep, tuple(batch.resets), tuple(shares))
        numbers = [batch.x_BT, batch.y_BT, batch.mask_BT, batch.counts_BT]
        numbers += [rows_B.contiguous() for rows_B in batch.resets.values()]
        return Order(tuple(numbers), layout, batch.rate)

    def fill(self, numbers: Sequence[Tensor], form: _Layout) -> TokenBatch:
        x_BT, y_BT, mask_BT, counts_BT, *masks = numbers
        resets = dict(zip(form.columns, masks, strict=True))
        shares = {}
        for name, start, stop, columns in form.shares:
            own = slice(start, stop)
            shares[name] = Share(own, {column: resets[column][own] for column in columns})
        return TokenBatch(x_BT, y_BT, mask_BT, counts_BT, resets, form.keep, shares=shares)
