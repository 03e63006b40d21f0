"""Who shares the batch, who works between its steps, who waits; with steps that wait until the test lets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from serving import LETTERS, PATIENCE, Gated, Heard, small, ticking
from smallmodel import Small

from charrnn.errors import DataError, UsageError
from charrnn.scratch.cells import State
from charrnn.serve.bodies import SampleBody
from charrnn.serve.limits import Limits, Refused
from charrnn.serve.tickets import Begun, Done, Failed, Piece
from charrnn.serve.worker import CALLS, Worker
from charrnn.text.watch import Check


@pytest.fixture
def gate() -> Gated:
    return Gated()


@pytest.fixture
def worker(gate: Gated) -> Iterator[Worker]:
    made = Worker(small(gate), Limits(samples=4, streams=4, waiting=3))
    made.start()
    yield made
    made.stop()
    gate.let_all()
    made.join()


def body(**given: Any) -> SampleBody:
    return SampleBody.model_validate({"length": 4, **given})


def asked(worker: Worker, **given: Any) -> Heard:
    heard = Heard()
    worker.sample(heard.ticket, body(**given))
    return heard


def alone(**given: Any) -> list[str]:
    """What `charrnn sample` writes."""
    model, asked = small(), body(**given)
    texts = [""] * asked.count
    for drawn in model.samples(model.options(asked.given()), range(asked.count), asked.unknown):
        texts[drawn.stream] += drawn.piece
    return texts


def test_a_request_joins_those_that_are_being_drawn_and_all_get_their_own_texts(worker: Worker, gate: Gated) -> None:
    wanted: list[dict[str, Any]] = [
        {"seed": "ab", "length": 9, "random_seed": 5},
        {"seed": "c", "length": 6, "temperature": 1.7, "count": 2},
    ]
    first = asked(worker, **wanted[0])
    gate.arrived()
    gate.let(2)
    second = asked(worker, **wanted[1])
    gate.let(3)
    # a seed of two samples is read once, as a row of its own; then there are two
    assert gate.rows[:5] == [1, 1, 1, 2, 3]
    gate.let_all()
    assert first.texts() == alone(**wanted[0])
    assert second.texts() == alone(**wanted[1])


def test_it_begins_with_the_options_and_ends_with_how_each_sample_has_ended(worker: Worker, gate: Gated) -> None:
    gate.let_all()
    heard = asked(worker, count=2, stop=["a"], length=400, temperature=3.0)
    texts = heard.texts()
    assert isinstance(heard.events[0], Begun)
    assert heard.events[0].options["temperature"] == 3.0
    assert heard.events[0].options["random_seed"] == 1
    ends = [(event.sample, event.ended) for event in heard.events if isinstance(event, Piece) and event.ended]
    assert sorted(ends) == [(0, "stop"), (1, "stop")]
    assert texts == alone(count=2, stop=["a"], length=400, temperature=3.0)


def test_the_samples_of_who_has_left_leave_before_the_next_step(worker: Worker, gate: Gated) -> None:
    leaving, staying = asked(worker, length=50, count=2), asked(worker, length=6)
    gate.arrived()
    gate.let(2)
    assert gate.rows[1:] == [3]
    worker.drop(leaving.ticket)
    gate.let(2)
    assert gate.rows[3:] == [1]
    gate.let_all()
    assert staying.texts() == alone(length=6)
    assert isinstance(leaving.next(), Begun)
    assert leaving.silent()


def test_who_does_not_fit_waits_and_nobody_overtakes(worker: Worker, gate: Gated) -> None:
    first = asked(worker, count=3)
    gate.arrived()
    large, small_one = asked(worker, count=2), asked(worker, count=1)
    gate.let(2)
    assert isinstance(first.next(), Begun)
    assert large.silent()
    assert small_one.silent()  # it would fit, but came later
    gate.let_all()
    assert [len(heard.texts()) for heard in (first, large, small_one)] == [3, 2, 1]
    assert max(gate.rows) == 3


def test_too_many_that_wait_are_refused_until_one_has_begun_or_left(worker: Worker, gate: Gated) -> None:
    asked(worker, count=4)
    gate.arrived()
    waiting = [asked(worker) for _ in range(3)]
    with pytest.raises(Refused, match="too many") as refused:
        asked(worker)
    assert refused.value.status == 503
    with pytest.raises(Refused):
        worker.call(Heard().ticket, lambda check: None)
    worker.drop(waiting[0].ticket)
    gate.let(1)
    last = asked(worker)
    gate.let_all()
    assert last.texts() == alone()
    assert waiting[0].silent()


class Steps(Small):
    """Writes down each step of the batch."""

    def __init__(self, log: list[str]) -> None:
        super().__init__(LETTERS)
        self.log = log

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        self.log.append("batch")
        return super().step(ids_B, state)


def test_calls_work_in_turn_between_the_steps_of_the_batch() -> None:
    log: list[str] = []

    def work(name: str) -> Any:
        def steps(check: Check) -> str:
            for _ in range(3):
                check()
                log.append(name)
            return name

        return steps

    worker = Worker(small(Steps(log)), Limits(), ticking())  # whose every look at the clock ends a turn
    heard = [Heard() for _ in range(3)]
    worker.sample(heard[0].ticket, body(length=20))
    worker.call(heard[1].ticket, work("one"))
    worker.call(heard[2].ticket, work("two"))
    worker.start()
    ends = [one.end() for one in heard]
    worker.stop()
    worker.join()
    # each pauses at its first check, and then takes a step in each of its turns
    begin = ["batch"] * 2
    assert log[:14] == [*begin, *(["batch", "one", "batch", "two"] * 3)]
    assert log[14:] == ["batch"] * 12
    assert [end.result for end in ends if isinstance(end, Done)] == [None, "one", "two"]


def test_without_a_batch_calls_have_all_of_the_time_and_more_than_there_are_places_for_wait() -> None:
    worker = Worker(small(), Limits(), ticking())
    began: list[int] = []

    def work(number: int) -> Any:
        def steps(check: Check) -> int:
            began.append(number)
            for _ in range(3 if number else 1):
                check()
            return len(began)

        return steps

    heard = [Heard() for _ in range(CALLS + 2)]
    for number, one in enumerate(heard):
        worker.call(one.ticket, work(number))
    worker.start()
    results = [one.end() for one in heard]
    worker.stop()
    worker.join()
    assert began == list(range(CALLS + 2))
    # the first ends in the second round, and lets another in: all that there are places for have begun
    assert isinstance(results[0], Done)
    assert results[0].result == CALLS


def test_a_call_of_who_has_left_is_stopped(worker: Worker, gate: Gated) -> None:
    heard, steps = Heard(), list[int]()

    def work(check: Check) -> None:
        while True:
            gate.step(np.array([1]), gate.initial_state(1))
            steps.append(1)
            check()

    worker.call(heard.ticket, work)
    gate.arrived()
    gate.let(3)
    worker.drop(heard.ticket)
    gate.let_all()
    other = asked(worker)
    assert other.texts() == alone()
    assert heard.silent()


@pytest.mark.parametrize(
    ("given", "kind", "what"),
    [
        ({"seed": "xyz"}, DataError, "the vocabulary lacks 3 symbols"),
        ({"require": ["abc"], "length": 2}, UsageError, "require"),
        ({"only": "x"}, UsageError, "no symbol of the model's vocabulary is left"),
        ({"beam": 2, "temperature": 0.5}, UsageError, "exclude one another"),
        ({"beam": 2, "count": 3}, UsageError, "beams have no 3 texts"),
    ],
)
def test_what_cannot_be_made_is_told_and_nobody_else_hears_of_it(
    worker: Worker, gate: Gated, given: dict[str, Any], kind: type[Exception], what: str
) -> None:
    other = asked(worker, length=6)
    gate.arrived()
    wrong = asked(worker, **given)
    gate.let_all()
    end = wrong.end()
    assert isinstance(end, Failed)
    assert isinstance(end.error, kind)
    assert what in str(end.error)
    assert wrong.events == [end]
    assert other.texts() == alone(length=6)


def test_a_search_is_a_call_and_finds_what_a_search_alone_finds(worker: Worker, gate: Gated) -> None:
    drawn = asked(worker, length=30)
    gate.arrived()
    found = asked(worker, beam=4, count=2, seed="ab")
    gate.let_all()
    assert found.texts() == alone(beam=4, count=2, seed="ab")
    assert drawn.texts() == alone(length=30)


def test_the_limits_hold_for_what_comes_from_the_config_too() -> None:
    model = small(sample={"length": 30, "beam": 9})
    worker = Worker(model, Limits(length=20, samples=8))
    worker.start()
    ends = []
    for given in ({}, {"length": 5}, {"beam": 2, "length": 5}, {"temperature": 1.0}):
        heard = Heard()
        worker.sample(heard.ticket, SampleBody.model_validate(given))
        ends.append(heard.end())
    worker.stop()
    worker.join()
    said = [str(end.error) if isinstance(end, Failed) else None for end in ends]
    assert said == [
        "30 is more than this server does: 20 symbols of a sample",
        "9 is more than this server does: 8 samples of a request",
        None,
        "30 is more than this server does: 20 symbols of a sample",
    ]


def test_a_fault_ends_what_is_being_drawn_and_not_the_worker() -> None:
    class Faulty(Small):
        def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
            if len(self.rows) == 3:
                self.rows.append(0)
                raise RuntimeError("a fault")
            return super().step(ids_B, state)

    worker = Worker(small(Faulty(LETTERS)), Limits())
    worker.start()
    end = asked(worker, length=9).end()
    after = asked(worker, length=9).texts()
    worker.stop()
    worker.join()
    assert isinstance(end, Failed)
    assert str(end.error) == "a fault"
    assert after == alone(length=9)


def test_it_stops_though_it_was_just_looking_at_other_news() -> None:
    class Interrupted(Worker):
        def _admit(self) -> None:
            self.stop()
            super()._admit()

    worker = Interrupted(small(), Limits())
    worker.start()
    worker.drop(Heard().ticket)
    worker.join(PATIENCE)


def test_when_it_stops_everybody_is_told_and_nobody_more_is_taken(gate: Gated) -> None:
    worker = Worker(small(gate), Limits(streams=2, samples=2))
    heard = [Heard() for _ in range(4)]
    worker.sample(heard[0].ticket, body(length=50, count=2))
    worker.sample(heard[1].ticket, body())

    def endless(check: Check) -> None:
        while True:
            check()

    for one in heard[2:]:
        worker.call(one.ticket, endless)
    worker.start()
    gate.arrived()
    worker.stop()
    with pytest.raises(Refused, match="stopping"):
        asked(worker)
    gate.let_all()
    ends = [one.end() for one in heard]
    worker.join()
    assert [str(end.error) for end in ends if isinstance(end, Failed)] == ["the server is stopping"] * 4
