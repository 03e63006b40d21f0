"""One update: forward, backward, clip, look, and only then step and carry the state on.

Shapes: B rows (lanes).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from charrnn.config.schema import Train
from charrnn.contracts import Batch, Loss, Stream, Task, all_rows
from charrnn.models.core import Draws, State
from charrnn.train.optim import rate_on, set_rate
from charrnn.train.parts import descend
from charrnn.train.precision import Precision
from charrnn.train.state import Tally, TrainState, running_statistics
from charrnn.train.world import World


@dataclass(frozen=True)
class StepResult:
    """What one update saw.

    Attributes:
        sum: the loss, summed over the targets.
        count: those targets.
        parts: what training added to its loss, summed likewise.
        grad_norm: the gradient's norm before clipping.
        state_norm: the norm of the state that the batch leaves, as a root mean square over the rows.
        skipped: whether one of these is not finite, so that nothing was changed.
        overflow: whether that is because the loss scale was too high; it has fallen, and the guard counts no skip.
        beside: of parts that are losses of other targets: the sum and the count of those.
    """

    sum: float
    count: int
    parts: Mapping[str, float]
    grad_norm: float
    state_norm: float
    skipped: bool
    beside: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    overflow: bool = False

    def add_to(self, tally: Tally) -> None:
        """Count this update in."""
        if self.skipped:
            tally.skipped += 1
            return
        tally.sum += self.sum
        tally.count += self.count
        tally.grad_norms += self.grad_norm
        tally.state_norms += self.state_norm
        tally.steps += 1
        for name, value in self.parts.items():
            tally.parts[name] = tally.parts.get(name, 0.0) + value
        for name, (total, count) in self.beside.items():
            before = tally.beside.get(name, [0.0, 0.0])
            tally.beside[name] = [before[0] + total, before[1] + count]


@dataclass(frozen=True)
class Prospect:
    """What an update would do, before any of it is done; nothing of it has been read from the device.

    Attributes:
        figures: scalars in float64, by name; where one of them is not finite the update must not be done.
        lanes: the state that the batch leaves.
    """

    figures: Mapping[str, Tensor]
    lanes: State


_ALONE = World()


def advance(
    task: Task,
    state: TrainState,
    stream: Stream,
    lr: float,
    settings: Train,
    device: torch.device,
    world: World = _ALONE,
) -> StepResult:
    """Do the next update of a stream at the rate `lr`, times what the batch asks for."""
    batch = stream.batch(state.place, device, world.share)
    set_rate(state.optimizer, rate_on(device, lr * batch.rate))
    return update(task, state, batch, settings.clip_norm, settings.micro_batches, world)


def update(
    task: Task,
    state: TrainState,
    batch: Batch,
    clip_norm: float | None,
    parts: int = 1,
    world: World = _ALONE,
) -> StepResult:
    """Do the update after `state.step`, the batch in so many `parts`, and count it; of several processes each does its
    own rows, and all come to the same.

    Where the loss, the gradient, the state or a running statistic is not finite the update is skipped: weights, running
    statistics, the optimizer and the lanes' state stay as they were in front of it, and only the counts of steps go on.
    """
    model, optimizer = state.model, state.optimizer
    before = {name: tensor.clone() for name, tensor in running_statistics(model).items()}
    draws = Draws(state.seed, state.step, all_rows(batch))
    found = prospect(task, state, batch, draws, clip_norm, parts, world)
    result = result_of(found.figures, torch.stack(list(found.figures.values())).tolist())
    if result.skipped:
        with torch.no_grad():
            for name, tensor in running_statistics(model).items():
                tensor.copy_(before[name])
    else:
        device = next(model.parameters()).device
        mean = torch.tensor(result.sum / max(result.count, 1), dtype=torch.float64, device=device)
        optimizer.step(lambda: mean)
        state.lanes = found.lanes
        if state.average is not None:
            state.average.update(model, state.history)
    counted(state, result)
    return result


def prospect(
    task: Task,
    state: TrainState,
    batch: Batch,
    draws: Draws,
    clip_norm: float | None,
    parts: int = 1,
    world: World = _ALONE,
) -> Prospect:
    """Forward, backward and clip, on the device and without a look at it: afterwards the parameters hold the clipped
    gradient, and the running statistics have moved; the rest is as it was."""
    model = state.model
    state.optimizer.zero_grad(set_to_none=True)
    with state.precision.products():
        loss = descend(task, model, batch, state.lanes, draws, parts, world, state.precision)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if clip_norm is None else clip_norm)
    lanes = {name: tensor.detach() for name, tensor in loss.state.items()}
    return Prospect(_figures(loss, norm, lanes, running_statistics(model), world, state.precision), lanes)


def result_of(names: Iterable[str], values: Iterable[float]) -> StepResult:
    """What an update saw, from its figures, which have come to the host."""
    seen = dict(zip(names, values, strict=True))

    def named(kind: str) -> dict[str, float]:
        return {name.removeprefix(kind): value for name, value in seen.items() if name.startswith(kind)}

    rows, counts = named("rows "), named("count ")
    carried = math.sqrt(sum(squares / rows[name] for name, squares in named("squares ").items()))
    beside = {name: (total, counts[name]) for name, total in named("beside ").items()}
    finite = all(map(math.isfinite, seen.values()))
    overflow = bool(seen.get("overflow"))
    return StepResult(
        seen["sum"], int(seen["count"]), named("part "), seen["grad"], carried, not finite, beside, overflow
    )


def counted(state: TrainState, result: StepResult) -> None:
    """Let the counts of steps go on after an update."""
    if not result.overflow:
        state.skipped = state.skipped + 1 if result.skipped else 0
    state.step += 1


def _figures(
    loss: Loss,
    grad_norm: Tensor,
    lanes: State,
    statistics: Mapping[str, Tensor],
    world: World,
    precision: Precision,
) -> dict[str, Tensor]:
    """What is looked at of an update, on the device; the loss scale, if there is one, moves by it."""
    sums = {"sum": loss.sum, "count": loss.count} | {f"part {name}": part for name, part in loss.parts.items()}
    for name, (total, own) in loss.beside.items():
        sums |= {f"beside {name}": total, f"count {name}": own}
    for name, tensor in lanes.items():
        rows = torch.full((), len(tensor), dtype=torch.float64, device=tensor.device)  # `torch.tensor` would wait
        sums |= {f"squares {name}": tensor.double().square().sum(), f"rows {name}": rows}
    figures = world.add_by_name("an update", {name: figure.detach() for name, figure in sums.items()})
    # An infinite variance would pass unseen: what it divides is zero.
    figures |= {f"moved {name}": tensor.sum().double() for name, tensor in statistics.items()}
    figures |= precision.look(figures, grad_norm) | {"grad": grad_norm.detach()}
    return {name: figure.double() for name, figure in figures.items()}
