"""An update that nobody looks at before it is done: the device leaves it out by itself where it is not finite.

A look at the device makes the host wait until all that was asked for is done, and the device wait for what is asked for
next. So updates run ahead, and their figures are read for several of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from charrnn.config.schema import Train
from charrnn.contracts import Batch, Task
from charrnn.models.core import Draws
from charrnn.train.state import TrainState, running_statistics
from charrnn.train.step import prospect

_LEAVES_OUT = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
"""The optimizers that can do nothing because of a number on the device (`found_inf`): these, and none made of them."""


def leaves_out(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer can leave out an update without a look of the host."""
    return type(optimizer) in _LEAVES_OUT


def primed(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer has all that it keeps; what it has not, it makes at its first update, which must be done."""
    learned = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    if isinstance(optimizer, torch.optim.SGD):
        keeps = any(group["momentum"] for group in optimizer.param_groups)
        return not keeps or all("momentum_buffer" in optimizer.state.get(p, {}) for p in learned)
    return bool(optimizer.state)


def update_unseen(
    task: Task, state: TrainState, batch: Batch, draws: Draws, settings: Train, row: Tensor
) -> tuple[list[str], Tensor]:
    """Do an update at the rates that the optimizer's groups have; the counts of steps of `state` stay.

    Where a figure is not finite nothing changes but `row`. The state of the lanes is written into the tensors of
    `state.lanes`; all that changes keeps its place in memory.

    Args:
        task: what is trained.
        state: the run.
        batch: the batch, on the device.
        draws: its random numbers.
        settings: the `train:` section: clipping, parts, and the guard's patience.
        row: on the device, how many updates in a row were left out; once the guard must act, nothing changes any more.

    Returns:
        The figures of the update, as `prospect` has them: their names, and a vector on the device.
    """
    statistics = running_statistics(state.model)
    before = {name: tensor.clone() for name, tensor in statistics.items()}
    scale = [number.clone() for number in state.precision.numbers]
    found = prospect(task, state, batch, draws, settings.clip_norm, settings.micro_batches)
    figures = torch.stack(list(found.figures.values()))
    # What is finite is nothing when it is taken from itself: less work for the device than `isfinite`.
    lives = row < settings.guard.skips
    done = (figures - figures == 0.0).all() & lives
    with _leaving_out(state.optimizer, ~done):
        state.optimizer.step()
    with torch.no_grad():
        for name, tensor in statistics.items():
            torch.where(done, tensor, before[name], out=tensor)
        for name, tensor in state.lanes.items():
            torch.where(done, found.lanes[name], tensor, out=tensor)
        for number, former in zip(state.precision.numbers, scale, strict=True):
            torch.where(lives, number, former, out=number)
        left_out = row + (found.figures["overflow"] == 0.0) if "overflow" in found.figures else row + 1
        row.copy_(left_out.masked_fill(done, 0))
    return list(found.figures), figures


@contextmanager
def _leaving_out(optimizer: torch.optim.Optimizer, out: Tensor) -> Iterator[None]:
    """Steps of the optimizer do nothing where `out` is true; within a capture it is told that it may be captured."""
    capturing = out.is_cuda and torch.cuda.is_current_stream_capturing()
    groups = [group for group in optimizer.param_groups if capturing and "capturable" in group]
    optimizer.found_inf = out.float()  # the name by which torch's kernels know it
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        optimizer.found_inf = None
        for group in groups:
            group["capturable"] = False
