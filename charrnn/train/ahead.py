"""Updates that run ahead of whoever looks at their figures, one by one or each as a graph.

Whether an update is a graph makes no difference to what comes of it: both read and write the same memory, have the same
random numbers, and leave out what is not finite.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence

import torch
from torch import Tensor

from charrnn.config.schema import Train
from charrnn.contracts import Stream, Task
from charrnn.models.capture import Capture
from charrnn.models.core import Draws
from charrnn.stream.orders import Order, orders_of
from charrnn.stream.travel import sent
from charrnn.train.optim import rate_on, set_rate
from charrnn.train.standing import StandingUpdate
from charrnn.train.state import TrainState
from charrnn.train.step import StepResult, advance, counted, result_of
from charrnn.train.unseen import primed, update_unseen

MOST = 64
"""At most so many updates are done between two looks; fewer where they would take longer than half a second."""
_SECONDS = 0.5
_SIGHTINGS = 3
"""A form of batches becomes a graph when it is met so often: what comes once per epoch hardly is worth one."""
_GRAPHS = 8
_REMEMBERED = 1000


class Ahead:
    """The updates of a run, several at a time.

    Args:
        task: what is trained.
        state: the run.
        stream: the batches of the training split.
        settings: the `train:` section.
        device: where the model is.
        capture: makes a graph of an update; None for none.
        say: is told, once, why updates are graphs no more.
        clock: tells seconds.

    Attributes:
        most: how many updates a caller may ask for.
    """

    def __init__(
        self,
        task: Task,
        state: TrainState,
        stream: Stream,
        settings: Train,
        device: torch.device,
        capture: Capture | None = None,
        say: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.task, self.state, self.stream, self.settings, self.device = task, state, stream, settings, device
        self.most = 1
        self._orders = orders_of(stream, device)
        self._capture = None if self._orders is None else capture
        self._say, self._clock = say, clock
        self._lanes: dict[str, Tensor] = {}
        self._row = torch.zeros((), dtype=torch.int64, device=device)
        self._places: tuple[int, ...] = ()
        self._met: Counter[Hashable] = Counter()
        self._updates: dict[Hashable, StandingUpdate] = {}

    @property
    def graphs(self) -> int:
        """How many forms of batches have a graph."""
        return len(self._updates)

    def run(self, rates: Sequence[float]) -> Iterator[StepResult]:
        """Do the next updates, at these rates times what their batches ask for, and then look at all of them: at most
        so many as there are rates, and at least one. The counts of steps go on as the results are taken."""
        state = self.state
        if not primed(state.optimizer):
            yield advance(self.task, state, self.stream, rates[0], self.settings, self.device)
            return
        began = self._clock()
        self._settle()
        done = [self._update(ahead, rate) for ahead, rate in enumerate(rates)]
        values = iter(torch.cat([figures for _, figures in done]).tolist())
        self.most = max(1, min(MOST, int(_SECONDS * len(rates) / max(self._clock() - began, 1e-9))))
        for rate, (names, _) in zip(rates, done, strict=True):
            result = result_of(names, [next(values) for _ in names])
            counted(state, result)
            if state.skipped == self.settings.guard.skips:
                self._update(-1, rate)  # changes nothing any more, and brings back the gradient that is asked after
            yield result

    def _settle(self) -> None:
        """Let all that updates change lie where it will stay, and forget the graphs that know other places."""
        state = self.state
        if state.lanes is not self._lanes:
            self._lanes = {name: tensor.detach().clone() for name, tensor in state.lanes.items()}
            state.lanes = self._lanes
        kept = [value for slots in state.optimizer.state.values() for value in slots.values()]
        lasting = [*self._lanes.values(), *kept, *state.precision.numbers]
        tensors = [*state.model.parameters(), *state.model.buffers(), *lasting]
        places = (state.seed, *(tensor.data_ptr() for tensor in tensors if isinstance(tensor, Tensor)))
        if places != self._places:
            self._places = places
            self._updates.clear()
        # A run that goes on with less patience than it had has one update more, as the guard acts behind an update.
        self._row.fill_(min(state.skipped, self.settings.guard.skips - 1))

    def _update(self, ahead: int, rate: float) -> tuple[list[str], Tensor]:
        """Do one update, so many after the last that was counted; returns its figures' names and their vector."""
        state = self.state
        step, place = state.step + ahead, state.place + ahead
        if self._orders is None:
            batch = self.stream.batch(place, self.device)
            factor = batch.rate
        else:
            order = self._orders.order(place)
            standing = self._standing(order)
            if standing is not None:
                return standing(order, step, rate * order.rate)
            factor = order.rate
            batch = self._orders.fill([sent(number, self.device) for number in order.numbers], order.form)
        set_rate(state.optimizer, rate_on(self.device, rate * factor))
        return update_unseen(self.task, state, batch, Draws(state.seed, step, batch.rows), self.settings, self._row)

    def _standing(self, order: Order) -> StandingUpdate | None:
        """The graph for batches of this form; None where they are too rare for one."""
        form = order.form, tuple(number.shape for number in order.numbers)
        if self._capture is None or form in self._updates:
            return self._updates.get(form)
        if len(self._met) > _REMEMBERED:
            self._met.clear()
        self._met[form] += 1
        if self._met[form] < _SIGHTINGS or len(self._updates) >= _GRAPHS:
            return None
        assert self._orders is not None, "without orders there is no capture"
        try:
            made = StandingUpdate(self.task, self.state, self._orders, order, self.settings, self._row, self._capture)
        except RuntimeError as error:
            self._capture = None
            self._updates.clear()
            self._say(f"updates are done one by one, as they cannot be a graph: {_first_of(error)}")
            return None
        self._updates[form] = made
        return made


def _first_of(error: BaseException) -> str:
    """What went wrong first: the end of a capture that has failed fails too."""
    while error.__context__ is not None:
        error = error.__context__
    return next(iter(str(error).splitlines()), type(error).__name__)
