"""Items in batches: in what order they are read, and how several sources share every batch.

In training every source has a fixed number of rows in each batch and is read over and over on its own: it keeps its own
order, and its own count of passes. Which items a step reads is a pure function of the step. Evaluation reads every item
of one source once, in order.

Shapes: B rows (items).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from charrnn.errors import DataError
from charrnn.models.core import State
from charrnn.stream.chance import shuffled

Fill = Callable[[Sequence[np.ndarray], np.ndarray, torch.device, slice | None], Any]
"""Makes a batch: of the items of each source with these numbers, the sources in order; the weight of each row; the
device; which of its rows are wanted, None for all. It writes each source's rows straight into their place."""


@dataclass(frozen=True)
class Part:
    """A source's share of every batch.

    Attributes:
        name: tells its order from those of the others.
        items: how many items it has.
        rows: how many rows of a batch are its.
        weight: how much each of its rows counts in the loss.
        ramp: epochs over which the weight rises from 0, in a straight line.
    """

    name: str
    items: int
    rows: int
    weight: float = 1.0
    ramp: float = 0.0

    def __post_init__(self) -> None:
        if self.items == 0:
            raise DataError(f"there are no items for the part `{self.name}` of every batch")


@dataclass(frozen=True)
class MixPlan:
    """What each step of training reads.

    Attributes:
        parts: the sources, at least one; a pass over the first is an epoch.
        seed: what the orders are derived from.
    """

    parts: tuple[Part, ...]
    seed: int

    @property
    def rows(self) -> int:
        """B."""
        return sum(part.rows for part in self.parts)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the first source; the last of them may begin the next pass."""
        return -(-self.parts[0].items // self.parts[0].rows)

    def weight_B(self, step: int) -> np.ndarray:
        """The weight of each row of the batch of a step."""
        epoch = step / self.steps_per_epoch
        weights = [part.weight * (min(1.0, epoch / part.ramp) if part.ramp else 1.0) for part in self.parts]
        return np.repeat(weights, [part.rows for part in self.parts]).astype(np.float32)

    def numbers(self, step: int) -> list[np.ndarray]:
        """For each source the numbers of its items in the batch of a step, counted from the beginning of training."""
        return [self._of(part, step) for part in self.parts]

    def _of(self, part: Part, step: int) -> np.ndarray:
        passes, places = np.divmod(step * part.rows + np.arange(part.rows), part.items)
        numbers = np.empty(part.rows, np.int64)
        for number in np.unique(passes):  # more than one where a pass ends within the batch
            now = passes == number
            numbers[now] = shuffled(places[now], part.items, self.seed, "order of items", part.name, number)
        return numbers


@dataclass(frozen=True)
class OncePlan:
    """Every item once, in order; the last batch may be smaller.

    Attributes:
        items: how many there are.
        rows: B.
    """

    items: int
    rows: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches in all."""
        return -(-self.items // self.rows)

    def numbers(self, step: int) -> list[np.ndarray]:
        """The numbers of the items in the batch of a step."""
        return [np.arange(step * self.rows, min((step + 1) * self.rows, self.items))]


class ItemStream:
    """Batches of items, as a plan has them.

    Args:
        plan: what each step reads.
        fill: makes a batch.
        columns: T: the most steps that an item has.
        unit: what items are called beside a figure.
    """

    def __init__(self, plan: MixPlan | OncePlan, fill: Fill, columns: int = 1, unit: str = "items") -> None:
        self.plan = plan
        self.fill = fill
        self.columns = columns
        self.unit = unit

    @property
    def rows(self) -> int:
        """B."""
        return self.plan.rows

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass."""
        return self.plan.steps_per_epoch

    @property
    def reading(self) -> Mapping[str, int]:
        """How many items are read; of several sources, those of the first."""
        return {self.unit: self.plan.parts[0].items if isinstance(self.plan, MixPlan) else self.plan.items}

    def batch(self, step: int, device: torch.device, share: Callable[[int], slice] | None = None) -> Any:
        """The batch of one step, counted from the beginning of training; with `share`, those of its rows alone."""
        numbers = self.plan.numbers(step)
        rows = sum(map(len, numbers))
        weight_B = self.plan.weight_B(step) if isinstance(self.plan, MixPlan) else np.ones(rows, np.float32)
        return self.fill(numbers, weight_B, device, None if share is None else share(rows))

    def carried(self, state: State, rows: slice) -> State:
        """Nothing is carried on."""
        return state
