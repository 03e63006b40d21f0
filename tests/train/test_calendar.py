"""What falls due at a step, and how far updates may run ahead of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.schema import Evaluate, Train
from charrnn.train.calendar import Calendar


class Every:
    """Wants a checkpoint every so many steps, and at no time for its own sake."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def due(self, step: int, steps_per_epoch: int, shift: int) -> bool:
        return step % self.steps == 0

    def late(self) -> bool:
        return False


@dataclass
class Standing:
    """Where a run stands, as far as its calendar asks."""

    shift: int
    step: int = 0
    skipped: int = 0
    history: list[dict[str, int]] = field(default_factory=list)

    @property
    def place(self) -> int:
        return self.step + self.shift


def calendar(
    *, end: int = 20, epoch: int = 7, log: int = 5, every: int | str = "epoch", save: int = 6, shift: int = 0
) -> tuple[Calendar, Any]:
    """A calendar and the state that it looks at."""
    state: Any = Standing(shift)
    stream: Any = SimpleNamespace(steps_per_epoch=epoch)
    train = Train.model_validate({"max_steps": end, "log_every": log})
    saver: Any = Every(save)
    return Calendar(state, stream, train, Evaluate.model_validate({"every": every}), saver, validates=True), state


def due(dates: Calendar, state: Any) -> list[str]:
    """What falls due where the state is; a validation is then known."""
    found = [name for name in ("record", "validation", "checkpoint") if getattr(dates, name)()]
    if "validation" in found:
        state.history.append({"step": state.step})
    return found


def test_every_kind_has_its_steps_and_the_end_has_a_validation_and_a_record() -> None:
    dates, state = calendar()
    told = {}
    for state.step in range(1, 21):
        told[state.step] = due(dates, state)
    assert {step: what for step, what in told.items() if what} == {
        5: ["record"],
        6: ["checkpoint"],
        7: ["validation"],
        10: ["record"],
        12: ["checkpoint"],
        14: ["validation"],
        15: ["record"],
        18: ["checkpoint"],
        20: ["record", "validation"],
    }


@given(
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(1, 12),
    st.one_of(st.just("epoch"), st.integers(1, 12)),
    st.integers(1, 12),
    st.integers(0, 5),
    st.integers(1, 9),
)
def test_updates_that_run_ahead_stop_wherever_something_falls_due(
    end: int, epoch: int, log: int, every: int | str, save: int, shift: int, most: int
) -> None:
    one, state = calendar(end=end, epoch=epoch, log=log, every=every, save=save, shift=shift)
    by_one = []
    while state.step < end:
        state.step += 1
        by_one.append((state.step, due(one, state)))
    ahead, leaping = calendar(end=end, epoch=epoch, log=log, every=every, save=save, shift=shift)
    by_leaps = []
    while leaping.step < end:
        room = ahead.room(most)
        assert 1 <= room <= most
        leaping.step += room
        by_leaps.append((leaping.step, due(ahead, leaping)))
    assert leaping.step == end
    assert [date for date in by_leaps if date[1]] == [date for date in by_one if date[1]]


def test_in_a_row_of_skipped_updates_what_is_missed_waits_for_the_first_that_is_done() -> None:
    dates, state = calendar()
    state.step, state.skipped = 7, 2
    assert (dates.validation(), dates.checkpoint(), dates.room(9)) == (False, False, 1)
    state.step, state.skipped = 9, 0
    assert dates.validation()
