"""A terminal that is read key by key, and two lines on it that are drawn again and again."""

from __future__ import annotations

import codecs
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from charrnn.errors import UsageError
from charrnn.text.watch import Check

_PATIENCE_SECONDS = 0.2
_MOST_BYTES = 1 << 10
_USUAL_WIDTH = 80
"""Where a terminal does not say how wide it is."""

_ESCAPE, _END = "\x1b", "\x04"


@contextmanager
def keyboard() -> Iterator[None]:
    """Let keys come one by one, unseen, inside the block; the terminal is as it was after it, whatever happens.

    Raises:
        UsageError: standard input or standard error is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "--interactive needs a terminal",
            why="standard input or standard error is none",
            hint="without one: charrnn suggest RUN --seed TEXT",
        )
    import termios  # not on every system, and needed here alone
    import tty

    terminal = sys.stdin.fileno()
    former = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, former)


def keys(check: Check) -> Iterator[str]:
    """The keys as they are pressed, up to Ctrl-D or the end of the input; those that send escape sequences, such as the
    arrows, are passed over.

    Args:
        check: called while nothing is pressed; it may raise to stop.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    terminal = sys.stdin.fileno()
    while True:
        check()
        if not select.select([terminal], [], [], _PATIENCE_SECONDS)[0]:
            continue
        data = os.read(terminal, _MOST_BYTES)
        text = decoder.decode(data)
        if not data:
            return
        if text.startswith(_ESCAPE):
            continue
        for key in text:
            if key == _END:
                return
            yield key


def draw(line: str, below: str) -> None:
    """Put the end of a line where the cursor's line is, and another below; the cursor stands behind the first. What is
    longer than the terminal is wide is cut."""
    from rich.cells import cell_len, set_cell_size

    from charrnn.logs.console import printable

    width = max(2, os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_WIDTH) - 1
    shown = printable(line).replace("\n", "⏎").replace("\t", " ")
    while cell_len(shown) > width:
        shown = shown[max(1, (cell_len(shown) - width) // 2) :]
    second = printable(below).replace("\n", " ")
    if cell_len(second) > width:
        second = set_cell_size(second, width)
    after = f"\x1b[{cell_len(shown)}C" if shown else ""
    sys.stderr.write(f"\r\x1b[J{shown}\n{second}\x1b[1A\r{after}")
    sys.stderr.flush()


def wipe() -> None:
    """Take both lines away."""
    sys.stderr.write("\r\x1b[J")
    sys.stderr.flush()
