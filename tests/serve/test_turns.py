from __future__ import annotations

import threading

import pytest
from serving import ticking

from charrnn.serve.turns import Turns
from charrnn.text.watch import Check


def test_a_call_pauses_at_the_first_check_after_its_time_and_goes_on_there() -> None:
    seen: list[int] = []

    def work(check: Check) -> str:
        for number in range(7):
            seen.append(number)
            check()
        return "done"

    turns = Turns(work, ticking())
    # each check looks at the clock, which is a second later then
    told = [(turns.turn(3.0), len(seen)) for _ in range(3)]
    assert told == [(False, 3), (False, 6), (True, 7)]
    assert turns.result == "done"


def test_only_one_of_the_two_ever_runs() -> None:
    running: list[str] = []

    def work(check: Check) -> None:
        for _ in range(50):
            running.append(threading.current_thread().name)
            check()

    turns = Turns(work, ticking())
    while not turns.turn(1.0):
        running.append("giver")
    assert running[::2] == ["charrnn-turns"] * 50
    assert running[1::2] == ["giver"] * 50


def test_what_it_raises_is_kept() -> None:
    def work(check: Check) -> None:
        check()
        raise ValueError("no")

    turns = Turns(work, ticking())
    assert not turns.turn(1.0)
    assert turns.turn(1.0)
    assert str(turns.error) == "no"


@pytest.mark.parametrize("begun", [False, True])
def test_one_that_is_stopped_ends_where_it_paused(begun: bool) -> None:
    seen: list[str] = []

    def work(check: Check) -> None:
        try:
            while True:
                check()
        finally:
            seen.append("end")

    turns = Turns(work, ticking())
    if begun:
        assert not turns.turn(1.0)
    turns.stop()
    assert (turns.over, seen, turns.error) == ((True, ["end"], None) if begun else (False, [], None))
