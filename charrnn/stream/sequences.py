"""Labelled sequences in a batch: each source's rows are gathered straight into their place.

Sequences are filled up behind their ends to the longest of the batch with whatever lies there: no model looks at it.

Shapes: B rows (items), T steps, D values per step, C classes, N steps of all sequences of a source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from charrnn.models.core import State
from charrnn.stream.items import Fill
from charrnn.stream.rows import overlap, shares_of


@dataclass(frozen=True)
class Sequences:
    """A source of labelled sequences.

    Attributes:
        steps: symbols, steps_N, or bytes, steps_ND; it may be memory-mapped.
        offsets: where in `steps` each sequence begins, and where the last one ends; of chosen ones, where each begins.
        labels: the number of each sequence's label; -1 where it has none.
        highest: of values, the highest that there can be: it becomes 1.
        soft: shares of the labels, one row per sequence, in place of `labels`; or None.
        temperature: what scores are divided by before they are held against `soft`.
        ends: where each sequence ends, where they do not follow each other; else None.
    """

    steps: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    highest: int = 255
    soft: np.ndarray | None = None
    temperature: float = 1.0
    ends: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        """How many steps the sequences with these numbers have."""
        ends = self.offsets[numbers + 1] if self.ends is None else self.ends[numbers]
        lengths: np.ndarray = (ends - self.offsets[numbers]).astype(np.int64)
        return lengths

    def write(self, x: np.ndarray, numbers: np.ndarray) -> None:
        """Put the sequences with these numbers into the rows of x_BT or x_BTD."""
        places_BT = self.offsets[numbers].astype(np.int64)[:, None] + np.arange(x.shape[1])
        np.take(self.steps, places_BT, axis=0, out=x, mode="clip")

    def chosen(
        self, numbers: np.ndarray, labels: np.ndarray, soft: np.ndarray | None = None, temperature: float = 1.0
    ) -> Sequences:
        """The sequences with these numbers, with other labels; their steps stay where they are."""
        begins = self.offsets[numbers].astype(np.int64)
        ends = begins + self.lengths(numbers)
        return Sequences(self.steps, begins, labels, self.highest, soft, temperature, ends)


@dataclass(frozen=True)
class SequenceBatch:
    """Sequences and what they should be called.

    Attributes:
        x: symbols x_BT, or values x_BTD from 0 to 1.
        length_B: how many steps of each row are its sequence.
        y_B: the numbers of the labels.
        soft_BC: shares of the labels, where a source has them; of the other sources' rows, all in one label.
        weight_B: how much each row counts.
        shares: the rows of each source but the first, by its name.
        temperature_B: what the scores of each row are divided by; None where they are taken as they are.
        rate: what the learning rate of this step is multiplied by.
        whole: the batch that this one is a part of, whose `x` means nothing where it was not read; None where it is
            whole.
    """

    x: Tensor
    length_B: Tensor
    y_B: Tensor
    soft_BC: Tensor | None
    weight_B: Tensor
    shares: Mapping[str, slice]
    temperature_B: Tensor | None = None
    rate: float = 1.0
    whole: SequenceBatch | None = None

    @property
    def rows(self) -> int:
        """B."""
        return len(self.y_B)

    def part(self, rows: slice, state: State) -> tuple[SequenceBatch, State]:
        """See `Batch.part`. Its rows stay as long as those of the whole, whose dropout is drawn over all steps."""
        soft_BC = None if self.soft_BC is None else self.soft_BC[rows]
        heat_B = None if self.temperature_B is None else self.temperature_B[rows]
        own = self.x[rows], self.length_B[rows], self.y_B[rows], soft_BC, self.weight_B[rows]
        return SequenceBatch(*own, shares_of(self.shares, rows), heat_B, self.rate, self.whole or self), state


def filling(sources: Mapping[str, Sequences]) -> Fill:
    """How batches of these sources, in this order, are made."""
    names, parts = list(sources), list(sources.values())
    first, warm = parts[0].steps, any(source.temperature != 1.0 for source in parts)

    def fill(
        numbers: Sequence[np.ndarray], weight_B: np.ndarray, device: torch.device, own: slice | None = None
    ) -> SequenceBatch:
        ends = np.cumsum([len(chosen) for chosen in numbers])
        rows = [slice(end - len(chosen), end) for end, chosen in zip(ends.tolist(), numbers, strict=True)]
        chosen = list(zip(parts, numbers, rows, strict=True))
        length_B, y_B = np.empty(ends[-1], np.int64), np.empty(ends[-1], np.int64)
        for source, items, place in chosen:
            length_B[place], y_B[place] = source.lengths(items), source.labels[items]
        wanted = slice(0, len(y_B)) if own is None else own
        x = np.empty((wanted.stop - wanted.start, max(1, length_B.max()), *first.shape[1:]), first.dtype)
        for source, items, place in chosen:
            of_source, at = overlap(wanted, place), overlap(place, wanted)
            if of_source is not None and at is not None:
                source.write(x[at], items[of_source])
        on = [torch.from_numpy(array).to(device) for array in (x, length_B, y_B, weight_B)]
        values = on[0].long() if first.ndim == 1 else on[0].float() / parts[0].highest
        soft_BC = _soft(chosen, y_B)
        soft_BC = None if soft_BC is None else soft_BC.to(device)
        temperature_B = _temperatures(chosen, len(y_B)).to(device) if warm else None
        shares = dict(zip(names[1:], rows[1:], strict=True))
        if own is None:
            return SequenceBatch(values, on[1], on[2], soft_BC, on[3], shares, temperature_B)
        unread = values.new_zeros(()).expand(len(y_B), *values.shape[1:])
        whole = SequenceBatch(unread, on[1], on[2], soft_BC, on[3], shares, temperature_B)
        return replace(whole.part(own, {})[0], x=values)

    return fill


def _soft(chosen: Sequence[tuple[Sequences, np.ndarray, slice]], y_B: np.ndarray) -> Tensor | None:
    """The shares of the labels of all rows; None where no source has any but whole ones."""
    classes = [source.soft.shape[1] for source, _, _ in chosen if source.soft is not None]
    if not classes:
        return None
    soft_BC = np.zeros((len(y_B), classes[0]), np.float32)
    for source, items, place in chosen:
        if source.soft is not None:
            np.take(source.soft, items, axis=0, out=soft_BC[place], mode="clip")
        else:
            soft_BC[place][np.arange(len(items)), y_B[place]] = 1.0
    return torch.from_numpy(soft_BC)


def _temperatures(chosen: Sequence[tuple[Sequences, np.ndarray, slice]], rows: int) -> Tensor:
    temperature_B = np.empty(rows, np.float32)
    for source, _, place in chosen:
        temperature_B[place] = source.temperature
    return torch.from_numpy(temperature_B)
