from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from charrnn.errors import Interrupted
from charrnn.train.interrupt import Interrupt, listening


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_only_sets_a_flag_until_it_is_looked_at(number: int, code: int) -> None:
    with listening() as interrupt:
        interrupt.check()
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        with pytest.raises(Interrupted) as stop:
            interrupt.check()
    assert stop.value.exit_code == code


def test_sigusr1_asks_for_one_save_and_lets_go_on() -> None:
    with listening() as interrupt:
        assert not interrupt.take_save()
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.01)
        interrupt.check()
        assert [interrupt.take_save(), interrupt.take_save()] == [True, False]


def test_former_handlers_come_back() -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    with pytest.raises(ValueError, match="x"), listening():
        raise ValueError("x")
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == before


def test_the_second_signal_ends_the_process_at_once() -> None:
    code = (
        "import time\n"
        "from charrnn.train.interrupt import listening\n"
        "with listening() as interrupt:\n"
        "    print('ready', flush=True)\n"
        "    while interrupt.stop is None: time.sleep(0.01)\n"
        "    print('once', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.stdout.readline() == "once\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(5) == 143


def test_an_echo_of_a_signal_is_not_a_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchrun hands on to its processes what the terminal has sent them already."""
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    now = [100.0]
    interrupt = Interrupt(echo=5.0, clock=lambda: now[0])
    for seconds, ended in [(100.0, []), (100.1, []), (104.9, []), (105.0, [143])]:
        now[0] = seconds
        interrupt.handle(signal.SIGTERM, None)
        assert left == ended
    assert interrupt.stop == signal.SIGTERM
