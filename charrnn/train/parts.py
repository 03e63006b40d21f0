"""A batch in parts: its rows go through the model one part after the other, or in several processes at once, with the
gradient of the whole batch.

Nothing is averaged over parts: sums are added up, and divided once by the targets of all. Dropout is drawn for all rows
and sliced (`models/core.py`), so that every row has the mask that it would have in the whole batch.

Shapes: B rows (lanes, items).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from charrnn.contracts import Batch, Loss, Task, all_rows
from charrnn.models.core import Draws, State
from charrnn.stream.rows import slices
from charrnn.train.precision import Precision
from charrnn.train.world import World, together

_AS_THEY_ARE = Precision()


def descend(
    task: Task,
    model: nn.Module,
    batch: Batch,
    state: State,
    draws: Draws,
    parts: int,
    world: World,
    precision: Precision = _AS_THEY_ARE,
) -> Loss:
    """The loss of a batch; afterwards the parameters, which begin without one, hold the gradient of its objective.

    Args:
        task: what is trained.
        model: its model.
        batch: all rows, or those of this process.
        state: what is carried from batch to batch for the rows of this process.
        draws: the random numbers of the step, for all rows.
        parts: how many parts the rows of this process are cut into; at most one for each row.
        world: the processes that share the batch.
        precision: in what numbers.

    Returns:
        The loss of this process's rows; of a batch in parts without a gradient of its own.
    """
    device = next(model.parameters()).device
    if parts == 1 and world.alone:
        with precision.forward(device):
            loss = task.loss(model, batch, state, draws)
        precision.backward(loss, batch.rows, whole=True)
        precision.unscale(model, loss, batch.rows, whole=True)
        return loss
    first, here = world.rows(all_rows(batch)).start, world.own(batch)
    losses = []
    for rows in cut(here.rows, parts):
        own, carried = here.part(rows, state)
        with precision.forward(device):
            loss = task.loss(model, own, carried, draws.of(first + rows.start))
        precision.backward(loss, all_rows(batch), whole=False)
        losses.append(_told(loss))
    mine = joined(losses)
    precision.unscale(model, mine, all_rows(batch), whole=False)
    count = mine.count if world.alone else world.add_gradients(model.parameters(), mine.count)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.div_(count.clamp(min=1))
    return mine


def cut(rows: int, parts: int) -> list[slice]:
    """Neighbouring rows in parts of about the same length; none is empty."""
    return slices(rows, min(rows, parts))


def joined(losses: Sequence[Loss]) -> Loss:
    """The loss of a whole batch from those of its parts, in the order of the rows."""
    said = [loss.outputs for loss in losses if loss.outputs is not None]
    return Loss(
        torch.cat([loss.each for loss in losses]),
        torch.stack([loss.count for loss in losses]).sum(),
        {name: torch.stack(found).sum() for name, found in _by_name(loss.parts for loss in losses).items()},
        together([loss.state for loss in losses]),
        torch.cat(said) if said else None,
        beside={name: _sums(pairs) for name, pairs in _by_name(loss.beside for loss in losses).items()},
    )


def _told(loss: Loss) -> Loss:
    """A loss without its gradient, which would hold on to the memory of its part."""
    parts = {name: value.detach() for name, value in loss.parts.items()}
    state = {name: tensor.detach() for name, tensor in loss.state.items()}
    return replace(loss, each=loss.each.detach(), parts=parts, state=state, outputs=None)


def _by_name(found: Iterable[Mapping[str, object]]) -> dict[str, list[Any]]:
    """What several mappings have under each name, in their order; not every one has all names."""
    gathered: dict[str, list[Any]] = {}
    for mapping in found:
        for name, value in mapping.items():
            gathered.setdefault(name, []).append(value)
    return gathered


def _sums(pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    totals, counts = zip(*pairs, strict=True)
    return torch.stack(totals).sum(), torch.stack(counts).sum()
