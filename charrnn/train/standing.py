"""An update over memory that stays where it is, so that a device can repeat it as a graph.

Before each repetition the batch, the rate and the masks of dropout are written into their places; the repetition reads
them there, and weights, optimizer, running statistics and the state of the lanes, and leaves all of these, and the
figures, where they were.
"""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.config.schema import Train
from charrnn.contracts import Task
from charrnn.models.capture import Capture, Work
from charrnn.models.held import HeldMasks
from charrnn.stream.orders import Order, Orders
from charrnn.stream.travel import sent
from charrnn.train.optim import rate_type, set_rate
from charrnn.train.state import TrainState, running_statistics
from charrnn.train.unseen import update_unseen


class StandingUpdate:
    """The updates by batches of one form.

    Making one does the update some times with nothing coming of it: the guard's patience is shown to be at its end.

    Args:
        task: what is trained.
        state: the run; its lanes, and all that its optimizer keeps, are where they will stay.
        orders: the batches.
        first: the order of a batch of this form.
        settings: the `train:` section.
        row: on the device, how many updates in a row were left out.
        capture: makes a graph of the work.

    Raises:
        RuntimeError: it cannot be captured; nothing has changed.
    """

    def __init__(
        self,
        task: Task,
        state: TrainState,
        orders: Orders,
        first: Order,
        settings: Train,
        row: Tensor,
        capture: Capture,
    ) -> None:
        self.task, self.state, self.orders, self.settings, self.row = task, state, orders, settings, row
        self.form, device = first.form, row.device
        self._numbers = [sent(each, device).clone() for each in first.numbers]
        self._rate = torch.zeros((), dtype=rate_type(device), device=device)
        self._masks = HeldMasks(state.seed)
        self._masks.draw(state.step)
        self._learned = [p for p in state.model.parameters() if p.requires_grad]
        self._repeat = self._captured(capture)

    def __call__(self, order: Order, step: int, rate: float) -> tuple[list[str], Tensor]:
        """Do the update after `step`; returns the names of its figures, and a copy of them on the device."""
        for place, number in zip(self._numbers, order.numbers, strict=True):
            place.copy_(number.pin_memory() if place.is_cuda else number, non_blocking=True)
        self._rate.fill_(rate)
        self._masks.draw(step)
        self._repeat()
        for parameter, gradient in zip(self._learned, self._gradients, strict=True):
            parameter.grad = gradient  # another update may have put its own there
        return self._names, self._figures.clone()

    def _captured(self, capture: Capture) -> Work:
        statistics = running_statistics(self.state.model)
        before = {name: tensor.clone() for name, tensor in statistics.items()}
        patience = self.row.clone()
        self.row.fill_(self.settings.guard.skips)
        try:
            repeat = capture(self._work)
        except RuntimeError:  # it may have ended where the statistics had moved already
            with torch.no_grad():
                for name, tensor in statistics.items():
                    tensor.copy_(before[name])
            self.state.optimizer.zero_grad(set_to_none=True)
            raise
        finally:
            self.row.copy_(patience)
        self._masks.close()
        return repeat

    def _work(self) -> None:
        """The update, from and to what stays."""
        batch = self.orders.fill(self._numbers, self.form)
        set_rate(self.state.optimizer, self._rate)
        draws = self._masks.draws(batch.rows)
        self._names, self._figures = update_unseen(self.task, self.state, batch, draws, self.settings, self.row)
        self._gradients = [parameter.grad for parameter in self._learned]
