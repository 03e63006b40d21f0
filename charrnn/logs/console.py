"""What the user sees while something runs: the only module beside `cli/` that prints, and only to standard error."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from charrnn.files.refusals import FULL
from charrnn.logs.lines import progress_line, record_line, sample_lines, tellable
from charrnn.logs.standing import LOSSES, Standing

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType
    from rich.live import Live

_FRAME_SECONDS = 0.25
_SHORT_WORK_SECONDS = 0.5
_PLAIN_PROGRESS_SECONDS = 10.0

_SAID = ("guard", "disk")
"""Records that are not figures to be drawn, but something that has happened."""

_ESCAPES = re.compile(
    r"(\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor, modes
    r"|(\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x1b\x07\x9c]*(\x07|\x1b\\|\x9c)"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` without what would steer a terminal: escape sequences, control characters (newlines and tabs stay),
    marks that turn the direction of writing, and halves of surrogate pairs."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def forget_unwritten(stream: TextIO) -> None:
    """Let go of the text that a full disk refuses: Python would offer it again and again, and when the program ends
    put an exit code of its own in the place of ours."""
    number = stream.fileno()
    kept, nowhere = os.dup(number), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, number)
        stream.flush()
    finally:
        os.dup2(kept, number)
        os.close(kept)
        os.close(nowhere)


class Console:
    """Notes, the progress of long work, and the records of a run.

    On a terminal there is a live view; elsewhere, under CI and on a dumb terminal, plain lines. Use it as a context
    manager, or call `finish`: a live view must end before anything else is printed.

    Args:
        quiet: print nothing at all.
        stream: where to print; standard error unless given.
        environ: the environment variables.
        clock: seconds from any moment on.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._environ = environ
        self._clock = clock
        self._on_terminal = not quiet and _can_be_live(self._stream, environ)
        self._live: Live | None = None
        self._drawn_at = -_FRAME_SECONDS
        self._work = ("", 0.0, 0.0)
        self._standing = Standing()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def note(self, text: str) -> None:
        """Say something worth knowing."""
        self._say(printable(text))

    def progress(self, label: str, done: int, total: int | None) -> None:
        """Tell how far some long work has come; call it as often as you like.

        Args:
            label: what is done.
            done: how much of it, in any unit.
            total: how much there is to do; None where nobody knows.
        """
        now = self._clock()
        known, began, told = self._work
        if label != known:
            self._close_view()
            self._work = (label, now, now)
        elif self._on_terminal and total is not None and done >= total:
            self._close_view()
        elif self._on_terminal and now - began >= _SHORT_WORK_SECONDS:
            self._draw_progress(printable(label), done, total, now - began)
        elif not self._on_terminal and now - told >= _PLAIN_PROGRESS_SECONDS:
            self._work = (label, began, now)
            self._say(progress_line(printable(label), done, total))

    def start(self, folder: Path, parameters: int, steps: int, steps_per_epoch: int, device: str) -> None:
        """Tell that a run begins, or goes on; its records follow."""
        self._close_view()
        self._standing.title = printable(folder.name)
        self._standing.steps, self._standing.steps_per_epoch = steps, steps_per_epoch
        size = f"{parameters:,} parameters, {steps:,} steps, {steps_per_epoch:,} per epoch"
        self.note(f"training {folder} on {device}: {size}")
        self._draw_run(force=True)

    def recall(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take note of the records of a run so far, in place of what was known; what cannot be shown is passed over."""
        self._standing.forget()
        for record in records:
            if any(name in record for name in LOSSES) and tellable(record):
                self._standing.take(record)

    @property
    def live(self) -> bool:
        """Whether there is a live view; else plain lines."""
        return self._on_terminal

    def follow(self, title: str, steps: int, steps_per_epoch: int) -> None:
        """Tell nothing yet: the records of this run follow, which another process trains; sizes are 0 until known."""
        self._standing.title = printable(title)
        self._standing.steps, self._standing.steps_per_epoch = steps, steps_per_epoch

    def former(self, record: Mapping[str, Any], told: bool) -> None:
        """Take note of a record from before anybody watched, which says nothing of the pace; a plain stream shows it
        unless it was `told`."""
        self._standing.take(record)
        if not told and not self._on_terminal:
            self._say(record_line(self._standing, record, None))

    def show(self) -> None:
        """Draw what is known now; a plain stream has shown it already."""
        self._draw_run(force=True)

    def forget(self) -> None:
        """Take back all records: they come again, as far as they still stand."""
        self._standing.forget()

    def record(self, record: Mapping[str, Any]) -> None:
        """Show a record."""
        self._standing.take(record)
        if self._on_terminal and record["split"] not in _SAID:
            self._draw_run()
        else:
            self._say(record_line(self._standing, record, self._left()))

    def sample(self, step: int, text: str) -> None:
        """Show a text from the model."""
        self._standing.sample = (step, printable(text))
        if self._on_terminal:
            self._draw_run()
        else:
            self._say(sample_lines(*self._standing.sample))

    def finish(self) -> None:
        """End the live view; its last state stays on the terminal. More than once does no harm."""
        if self._live is not None and not self._live.transient:
            self._draw_run(force=True)
        self._close_view()

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        with self._unless_nobody_reads():
            if self._live is not None:
                self._live.console.print(text, soft_wrap=True)
            else:
                print(text, file=self._stream, flush=True)

    def _left(self) -> float | None:
        return self._standing.left(self._clock())

    def _draw_progress(self, label: str, done: int, total: int | None, elapsed: float) -> None:
        from charrnn.logs.live import progress_view

        self._draw(lambda console: progress_view(label, done, total, elapsed), transient=True, force=False)

    def _draw_run(self, force: bool = False) -> None:
        from charrnn.logs.live import training_view

        self._draw(lambda console: training_view(self._standing, self._left(), console), transient=False, force=force)

    def _draw(self, view: Callable[[RichConsole], RenderableType], *, transient: bool, force: bool) -> None:
        if not self._on_terminal or (not force and self._clock() - self._drawn_at < _FRAME_SECONDS):
            return
        with self._unless_nobody_reads():
            if self._live is None:
                self._live = self._new_live(transient)
                self._live.start()
            self._live.update(view(self._live.console), refresh=True)
        self._drawn_at = self._clock()

    @contextmanager
    def _unless_nobody_reads(self) -> Iterator[None]:
        """Fall silent for good when the reader has left: a run must not end because nobody watches it. What a full disk
        has no room for, where the stream is a file, is lost; later texts may find some."""
        try:
            yield
        except BrokenPipeError:
            self._quiet, self._on_terminal, self._live = True, False, None
            # Python flushes the stream once more when it ends, and must find nothing to complain of.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        except OSError as error:
            if error.errno not in FULL:
                raise
            forget_unwritten(self._stream)

    def _new_live(self, transient: bool) -> Live:
        from rich.console import Console as RichConsole
        from rich.live import Live

        console = RichConsole(
            file=self._stream,
            force_terminal=True,
            no_color=bool(self._environ.get("NO_COLOR")),
            markup=False,
            highlight=False,
            emoji=False,
        )
        # no thread of its own: a frame is drawn when there is something new, and never while a signal is handled
        return Live(console=console, auto_refresh=False, transient=transient, redirect_stdout=False)

    def _close_view(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _can_be_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    shows_blocks = "utf" in (getattr(stream, "encoding", None) or "").lower()
    plain = environ.get("TERM") == "dumb" or environ.get("CI", "").lower() not in ("", "0", "false")
    return stream.isatty() and shows_blocks and not plain
