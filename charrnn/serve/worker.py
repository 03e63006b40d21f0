"""The one thread that computes: all samples as one batch, everything else in turns between its steps."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from charrnn.runs.use import OpenModel
from charrnn.serve.batch import Batch
from charrnn.serve.bodies import SampleBody
from charrnn.serve.limits import Limits, Refused
from charrnn.serve.tickets import Ticket
from charrnn.serve.turns import Turns
from charrnn.text.watch import Check

TURN = 0.005
"""Seconds that the batch works before another call may, and that this one works then."""
CALLS = 16
"""Calls that are under way at a time; each has a thread, and all but one of them pause."""


class Worker:
    """Owns a model, and carries requests out.

    Samples are drawn as rows of one batch, which they join in the order in which they came, as soon as there is room.
    Scores, suggestions and searches are calls: after every `TURN` seconds of the batch one of them works for as long,
    in turn; all of the time where nothing is drawn. A turn ends at the first step of the model after its time.

    Args:
        model: the model; nobody else may use it meanwhile.
        limits: how many samples are drawn at a time, how many requests wait, how long samples may be.
        clock: seconds.
    """

    def __init__(self, model: OpenModel, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._model, self._limits, self._clock = model, limits, clock
        self._batch = Batch(model)
        self._calls: deque[tuple[Ticket, Turns]] = deque()
        self._changed = threading.Condition()
        self._news = self._stopping = False  # these and the queues are for several threads
        self._samples: deque[tuple[Ticket, SampleBody]] = deque()
        self._works: deque[tuple[Ticket, Callable[[Check], Any]]] = deque()
        self._left: list[Ticket] = []
        self._thread = threading.Thread(target=self._run, name="charrnn-worker", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End all work at the next step; whoever waits is told so. Does not wait for it."""
        with self._changed:
            self._stopping = self._news = True
            self._changed.notify()

    def join(self, seconds: float | None = None) -> None:
        """Wait until all work has ended.

        Raises:
            TimeoutError: it has not after so much time.
        """
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError("the worker has not ended")

    def sample(self, ticket: Ticket, body: SampleBody) -> None:
        """Make samples; a search is a call.

        Raises:
            Refused: too many requests wait.
        """
        options = self._model.options
        if body.beam is None and not (self._model.config.sample.beam and options(body.given()).beam):
            with self._room():
                self._samples.append((ticket, body))
        else:
            self.call(ticket, lambda check: self._search(ticket, body, check))

    def call(self, ticket: Ticket, work: Callable[[Check], Any]) -> None:
        """Carry out some other work that calls what it is handed before every step of the model.

        Raises:
            Refused: too many requests wait.
        """
        with self._room():
            self._works.append((ticket, work))

    def drop(self, ticket: Ticket) -> None:
        """Nobody waits for it any more; of one that has ended nothing is left to drop."""
        with self._changed:
            ticket.gone = self._news = True
            self._left.append(ticket)
            self._changed.notify()

    @contextmanager
    def _room(self) -> Iterator[None]:
        """The queues, where one more may wait."""
        with self._changed:
            if self._stopping:
                raise _stopping()
            if len(self._samples) + len(self._works) >= self._limits.waiting:
                raise Refused(503, "too many requests wait already", hint="ask again in a moment")
            yield
            self._news = True
            self._changed.notify()

    def _run(self) -> None:
        while self._wait():
            self._admit()
            began = self._clock()
            while len(self._batch) and not self._stopping:
                self._step()
                self._admit()
                if self._calls and self._clock() - began >= TURN:
                    break
            self._take_turns()
        self._end()

    def _wait(self) -> bool:
        """Until there is something to do; whether to go on."""
        with self._changed:
            while not (self._stopping or self._news or len(self._batch) or self._calls):
                self._changed.wait()
            return not self._stopping

    def _admit(self) -> None:
        """Let go of those who have left, and let those join for whom there is room."""
        if not self._news:
            return
        with self._changed:
            self._news = False
            left, self._left = self._left, []
            self._samples = deque(one for one in self._samples if not one[0].gone)
            self._works = deque(one for one in self._works if not one[0].gone)
        for ticket in left:
            self._batch.drop(ticket)
        for ticket, turns in [call for call in self._calls if call[0].gone]:
            turns.stop()
            self._calls.remove((ticket, turns))
        while (sample := self._next_sample()) is not None:
            self._begin(*sample)
        while len(self._calls) < CALLS and self._works:
            ticket, work = self._works.popleft()
            self._calls.append((ticket, Turns(work, self._clock)))

    def _next_sample(self) -> tuple[Ticket, SampleBody] | None:
        """The first of those that wait, if there is room for it; none overtakes it."""
        with self._changed:
            room = self._limits.streams - len(self._batch)
            return self._samples.popleft() if self._samples and self._samples[0][1].count <= room else None

    def _begin(self, ticket: Ticket, body: SampleBody) -> None:
        try:
            options = self._model.options(body.given())
            self._limits.refuse_length(options.length)
            prompt = self._model.prompt(options, body.unknown)
            self._batch.add(ticket, prompt, options, body.count)
        except Exception as error:
            ticket.fail(error)
            return
        ticket.begin(options.model_dump(mode="json"))

    def _step(self) -> None:
        try:
            if self._batch.step():
                self._news = True  # there is room for others
        except Exception as error:
            self._batch.fail(error)

    def _search(self, ticket: Ticket, body: SampleBody, check: Check) -> None:
        options = self._model.options(body.given())
        self._limits.refuse_length(options.length)
        self._limits.refuse_samples(options.beam or 0, "beam")
        found = self._model.samples(options, range(body.count), body.unknown, check)
        ticket.begin(options.model_dump(mode="json"))
        for drawn in found:
            ticket.draw(drawn.stream, drawn)

    def _take_turns(self) -> None:
        """Let the call work whose turn it is."""
        if not self._calls:
            return
        ticket, turns = self._calls.popleft()
        if not turns.turn(TURN):
            self._calls.append((ticket, turns))
            return
        self._news = True  # another call may begin
        if turns.error is not None:
            ticket.fail(turns.error)
        else:
            ticket.finish(turns.result)

    def _end(self) -> None:
        """Tell everybody that nothing more comes."""
        self._batch.fail(_stopping())
        for ticket, turns in self._calls:
            turns.stop()
            ticket.fail(_stopping())
        for ticket, _ in (*self._samples, *self._works):
            ticket.fail(_stopping())


def _stopping() -> Refused:
    return Refused(503, "the server is stopping")
