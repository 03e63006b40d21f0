from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell

pytestmark = pytest.mark.slow


def block(stderr: str) -> str:
    """The error block; there is exactly one, and no traceback."""
    assert stderr.count("error: ") == 1, stderr
    assert "Traceback" not in stderr
    return stderr[stderr.index("error: ") :]


def test_the_table_shows_the_figures_of_the_json(trained: Shell) -> None:
    found = json.loads(trained("suggest", "runs/tiny", "--seed", "the c", "-k", "3", "--json").stdout)
    assert found["seed"] == "the c"
    assert all(offer["word"] == f"c{offer['text']}" for offer in found["words"])
    assert [len(found[name]) for name in ("characters", "words")] == [3, 3]
    rows = [row.split() for row in trained("suggest", "runs/tiny", "--seed", "the c", "-k", "3").stdout.splitlines()]
    for name, shown in (("characters", rows[1:4]), ("words", rows[5:8])):
        expected = [[str(n), f"{o['probability']:.4f}", o["word"]] for n, o in enumerate(found[name], start=1)]
        assert shown == expected


def test_keystrokes_on_the_validation_text_and_on_another(trained: Shell) -> None:
    found = json.loads(trained("suggest", "runs/tiny", "--measure", "valid", "--length", "60", "--json").stdout)
    assert (found["characters"], found["k"]) == (60, 5)
    assert found["saved"] == pytest.approx(1 - found["keys"] / 60)
    other = trained("suggest", "runs/tiny", "--measure", "-", "-k", "2", text="the cat sat").stdout
    assert "of keystrokes saved with 2 words" in other
    assert "for 11 characters" in other
    assert "0 of 3 words" in other or "1 of 3 words" in other or "2 of 3 words" in other or "3 of 3 words" in other


def test_bad_usage_is_one_clear_error(trained: Shell) -> None:
    assert "É" in block(trained("suggest", "runs/tiny", "--seed", "É", code=3).stderr)
    assert "--measure" in block(trained("suggest", "runs/tiny", "--seed", "a", "--measure", "valid", code=2).stderr)
    assert "terminal" in block(trained("suggest", "runs/tiny", "--interactive", code=2).stderr)
    assert "empty" in block(trained("suggest", "runs/tiny", "--measure", "-", code=3).stderr)
    assert "--json" in block(trained("suggest", "runs/tiny", "--interactive", "--json", code=2).stderr)
    trained("suggest", "runs/tiny", "--seed", "É", "--unknown", "replace")


class Terminal:
    """A terminal with `charrnn suggest --interactive` in it."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self.ours, self.theirs = pty.openpty()  # it has a width of 0, which says nothing
        self.before = termios.tcgetattr(self.theirs)
        self.child = subprocess.Popen(
            shell.command("suggest", "runs/tiny", "--interactive", "--quiet", *arguments),
            cwd=shell.path,
            stdin=self.theirs,
            stdout=subprocess.PIPE,
            stderr=self.theirs,
            env=os.environ | {"TERM": "xterm"},
        )
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Read what is drawn until it holds `text`."""
        end = time.monotonic() + 30
        while text not in self.shown:
            if time.monotonic() > end:
                self.child.kill()
                pytest.fail(f"never shown: {text!r}, but {self.shown!r}")
            if select.select([self.ours], [], [], 0.1)[0]:
                self.shown += os.read(self.ours, 4096).decode()

    def press(self, keys: str, then: str) -> None:
        self.shown = ""
        os.write(self.ours, keys.encode())
        self.wait_for(then)

    def end(self) -> tuple[int, str]:
        """The exit code and standard output; the terminal is as it was."""
        assert self.child.stdout is not None
        out = self.child.stdout.read().decode()
        code = self.child.wait(timeout=30)
        assert termios.tcgetattr(self.theirs) == self.before
        self.child.stdout.close()
        os.close(self.ours)
        os.close(self.theirs)
        return code, out


def test_keys_in_a_terminal(trained: Shell) -> None:
    offers = json.loads(trained("suggest", "runs/tiny", "--seed", "the c", "--json").stdout)["words"]
    terminal = Terminal(trained, "--seed", "the")
    terminal.wait_for("1 ")
    terminal.press(" c", "the c\n".replace("\n", "\r\n"))
    terminal.wait_for(f"1 {offers[0]['word']}")
    terminal.press("\t", f"the {offers[0]['word']} ")
    terminal.press("d", " d")
    terminal.press("Xa", "da")  # a key that the model does not know is of no use
    os.write(terminal.ours, b"\x04")
    code, out = terminal.end()
    assert code == 0
    assert out == f"the {offers[0]['word']} da\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_the_terminal_as_it_was(trained: Shell, number: signal.Signals, code: int) -> None:
    terminal = Terminal(trained)
    terminal.wait_for("1 ")
    assert termios.tcgetattr(terminal.theirs) != terminal.before
    terminal.child.send_signal(number)
    assert terminal.end() == (code, "")
