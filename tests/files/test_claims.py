"""Claims between machines, which differ in their names alone here, and whose clocks are the tests'."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from nursery import Nursery

from charrnn.errors import LockedError
from charrnn.files import claims
from charrnn.files.claims import PATIENCE, Claim


class Clock:
    """A machine's seconds."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(claims, "_clock", made)
    monkeypatch.setattr(claims, "BEAT", 1e6)  # nobody beats but where a test does
    return made


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Be on the machine of this name from now on."""
    return lambda name: monkeypatch.setattr(claims, "machine", lambda: name)


def beat(claim: Claim) -> None:
    """A sign of life."""
    assert claim._file is not None
    claim._beats += 1
    claim._write(claim._file)


def left_behind(path: Path) -> bytes:
    """What a holder on this machine leaves that died."""
    claim = Claim(path)
    assert claim.take()
    found = path.read_bytes()
    claim.release()
    path.write_bytes(found)
    return found


def test_one_holds_it_and_then_another(tmp_path: Path) -> None:
    one, other = Claim(tmp_path / "c"), Claim(tmp_path / "c")
    assert (one.take(), other.take(), other.alive) == (True, False, True)
    one.check()
    one.release()
    assert not list(tmp_path.iterdir())
    assert other.take()
    other.release()


def test_on_its_own_machine_what_a_dead_process_held_is_free_at_once(tmp_path: Path, clock: Clock) -> None:
    left_behind(tmp_path / "c")
    other = Claim(tmp_path / "c")
    assert other.take()
    other.release()
    assert not list(tmp_path.iterdir())


def test_on_another_machine_it_is_free_when_it_was_silent_for_long(
    tmp_path: Path, clock: Clock, on: Callable[[str], None]
) -> None:
    """Seconds of the looker's clock, of which a long pause counts for half."""
    left_behind(tmp_path / "c")
    on("elsewhere")
    other = Claim(tmp_path / "c")
    for pause in (0.0, 1e9, PATIENCE / 2 - 1.0):
        clock.now += pause
        assert not other.take()
        assert not other.alive
    clock.now += 1.0
    assert other.take()
    other.release()


def test_a_holder_that_gives_signs_of_life_keeps_it(tmp_path: Path, clock: Clock, on: Callable[[str], None]) -> None:
    holder, looker = Claim(tmp_path / "c"), Claim(tmp_path / "c")
    assert holder.take()
    on("elsewhere")
    assert not looker.take()
    assert not looker.alive
    for _ in range(5):
        clock.now += PATIENCE / 2 - 1.0
        assert not looker.take()
        clock.now += PATIENCE / 2 - 1.0
        beat(holder)
        assert not looker.take()
        assert looker.alive
    holder.release()


def test_another_holder_is_watched_anew(tmp_path: Path, clock: Clock, on: Callable[[str], None]) -> None:
    first, second, looker = (Claim(tmp_path / "c") for _ in range(3))
    assert first.take()
    on("elsewhere")
    for _ in range(2):
        assert not looker.take()
        clock.now += PATIENCE / 2
    first.release()
    assert second.take()
    on("a third one")
    assert not looker.take()
    assert not looker.alive
    clock.now += PATIENCE / 2
    assert not looker.take()
    second.release()


def test_who_sleeps_too_long_loses_it_and_learns_so(tmp_path: Path, clock: Clock, on: Callable[[str], None]) -> None:
    sleeper, other = Claim(tmp_path / "c"), Claim(tmp_path / "c")
    assert sleeper.take()
    on("elsewhere")
    for _ in range(3):
        assert not other.take() or other._file is not None
        clock.now += PATIENCE / 2
    assert other._file is not None or other.take()
    with pytest.raises(LockedError, match="has taken over"):
        sleeper.check()
    sleeper.release()
    other.check()
    assert not Claim(tmp_path / "c").take()
    other.release()


def test_a_thread_gives_the_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT", 0.01)
    claim = Claim(tmp_path / "c")
    assert claim.take()
    found = [(tmp_path / "c").read_bytes()]
    while len(found) < 4:
        time.sleep(0.005)
        now = (tmp_path / "c").read_bytes()
        found += [now] if now != found[-1] else []
    assert found == sorted(found)
    (tmp_path / "c").unlink()
    while not claim._gone:
        time.sleep(0.005)
    with pytest.raises(LockedError):
        claim.check()
    claim.release()


def test_a_claim_that_came_a_moment_ago_is_not_taken_for_the_one_that_was_silent(
    tmp_path: Path, clock: Clock, on: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the removal a third machine is quicker."""
    stale = left_behind(tmp_path / "c")
    on("elsewhere")
    slow, quick = Claim(tmp_path / "c"), Claim(tmp_path / "c")
    for _ in range(2):
        assert not slow.take()
        clock.now += PATIENCE / 2
    known = Claim._removed

    def late(claim: Claim, found: bytes) -> bool:
        with monkeypatch.context() as patch:
            patch.setattr(Claim, "_removed", known)
            (tmp_path / "c").unlink()
            assert quick.take()
        return known(claim, found)

    monkeypatch.setattr(Claim, "_removed", late)
    assert stale == (tmp_path / "c").read_bytes()
    assert not slow.take()
    quick.check()
    assert quick._holds()
    quick.release()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", [b"", b"{", b"[1]\n", b'{"machine": 3}\n'])
def test_what_says_nothing_is_watched_like_another_machine(tmp_path: Path, clock: Clock, text: bytes) -> None:
    (tmp_path / "c").write_bytes(text)
    claim = Claim(tmp_path / "c")
    for _ in range(2):
        assert not claim.take()
        clock.now += PATIENCE / 2
    assert claim.take()
    claim.release()


@pytest.mark.parametrize("machines", [["a"], ["a", "b", "c"]])
def test_no_two_hold_it_at_once(processes: Nursery, tmp_path: Path, machines: list[str]) -> None:
    """Two processes on each machine, one of which has died while it held it."""
    (tmp_path / "number").write_text("0")
    if machines == ["a"]:
        assert processes.run("claiming:hold_and_die", tmp_path, "a").killed
        assert (tmp_path / "c").exists()
    children = [
        processes.start("claiming:count_up", tmp_path, name, 40, RANK=f"{name}{number}")
        for name in machines
        for number in range(2)
    ]
    ends = [child.wait() for child in children]
    assert [end.code for end in ends] == [0] * len(ends), [end.err for end in ends]
    assert (tmp_path / "number").read_text() == str(40 * len(ends))
