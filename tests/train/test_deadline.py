"""The end of a SLURM job, with a clock that the test turns."""

from __future__ import annotations

import signal

import pytest

from charrnn.errors import Interrupted, JobEnds
from charrnn.train.deadline import MARGIN, SAVES, VARIABLE, Deadline, job_end
from charrnn.train.interrupt import Interrupt


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def ends_at(deadline: Deadline, clock: Clock) -> float:
    """At how many seconds before the end the work stops, to the second."""
    clock.now = deadline.ends - 10_000
    while clock.now <= deadline.ends:
        try:
            deadline.check()
        except JobEnds:
            return deadline.ends - clock.now
        clock.now += 1.0
    raise AssertionError("it never stopped")


def test_work_stops_while_there_is_time_for_three_saves_and_a_minute() -> None:
    clock = Clock()
    deadline = Deadline(clock.now + 3600, clock)
    assert ends_at(deadline, clock) == MARGIN == 60
    for seconds, longest in ((5.0, 5.0), (20.0, 20.0), (1.0, 20.0)):
        deadline.saved(seconds)
        assert ends_at(deadline, clock) == SAVES * longest + MARGIN
    assert SAVES == 3


def test_a_short_job_keeps_a_tenth_of_its_time_and_not_all_of_it() -> None:
    clock = Clock()
    assert ends_at(Deadline(clock.now + 50, clock), clock) == 5


def test_it_counts_as_sigterm_and_says_why() -> None:
    clock = Clock()
    interrupt = Interrupt()
    interrupt.check()
    interrupt.deadline = Deadline(clock.now + 3600, clock)
    interrupt.saved(12.34)
    interrupt.check()
    clock.now += 3510
    with pytest.raises(Interrupted) as stop:
        interrupt.check()
    assert (stop.value.exit_code, stop.value.signal_number) == (143, signal.SIGTERM)
    assert stop.value.what == "stopped before the job's time is up"
    assert stop.value.why == f"the job ends in 90 s ({VARIABLE}), and the longest save so far took 12.3 s"


def test_a_signal_that_has_come_is_what_is_told() -> None:
    interrupt = Interrupt()
    interrupt.deadline = Deadline(0.0)
    interrupt.stop = signal.SIGINT
    with pytest.raises(Interrupted, match="stopped by SIGINT"):
        interrupt.check()


def test_the_end_is_read_from_the_environment_and_said_aloud() -> None:
    clock, said = Clock(), list[str]()
    assert job_end(said.append, {}, clock) is None
    assert said == []
    deadline = job_end(said.append, {VARIABLE: "1700003600"}, clock)
    assert deadline is not None
    assert deadline.left == 3600
    assert said == ["the job ends in 60.0 minutes (SLURM_JOB_END_TIME): what is not done by then is saved in time"]


@pytest.mark.parametrize("text", ["soon", "nan", "inf", "2026-01-01T00:00:00"])
def test_what_is_no_time_is_said_and_not_heeded(text: str) -> None:
    said: list[str] = []
    assert job_end(said.append, {VARIABLE: text}, Clock()) is None
    assert said == [f"{VARIABLE} is {text!r} and no number of seconds: the end of the job is not looked at"]


@pytest.mark.parametrize("text", ["0", "1699999999", "1700000000", "-5"])
def test_an_end_that_has_passed_is_another_jobs(text: str) -> None:
    """Who heeded it would be requeued for ever, without a step."""
    said: list[str] = []
    assert job_end(said.append, {VARIABLE: text}, Clock()) is None
    assert said == [f"{VARIABLE} has passed already, so it is not this job's: the end of the job is not looked at"]
