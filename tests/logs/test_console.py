import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.logs.console import Console, printable
from charrnn.logs.lines import duration
from charrnn.logs.standing import Standing


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def make(stream, clock=None, **environ):
    return Console(stream=stream, environ={"TERM": "xterm", **environ}, clock=clock or Clock())


def train(step, nats=2.0):
    figures = {"nats": nats, "bits_per_char": 2.5, "lr": 0.002, "grad_norm": 0.613, "chars_per_second": 25012.3}
    return {"step": step, "epoch": step / 100, "time": 0.0, "split": "train", **figures}


def valid(step, best):
    return {"step": step, "epoch": 1.0, "split": "valid", "nats": 1.5, "bits_per_char": 2.25, "lanes": 4, "best": best}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\n\tb é\u200f\U0001f600", "a\n\tb é\u200f\U0001f600"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("\x1b[31mred\x1b[0m \x1b[2J\x1b[1;1H", "red "),
        ("\x1b[?25l\x1b[38:5:1mx", "x"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", "ab"),
        ("\x1bP1;2q#0\x1b\\a\x1b_x\x1b\\b\x1b(0c\x1bMd\x1b7", "abcd"),
        ("\x9b31ma\x9d0;t\x9cb", "ab"),
        ("\x1b]0;never ended", "0;never ended"),
        ("a\r\nb\x08\x0b\x0c\x00\x7f\x85c", "a\nbc"),
        ("\x1b\x1b[31m[31mx", "[31mx"),
        ("\u202eabc\u202c\u2066d", "abcd"),
        ("\ud800x\udfff", "x"),
    ],
)
def test_printable_removes_what_steers_a_terminal(text, left):
    assert printable(text) == left


@given(st.text(st.sampled_from("\x1b[]0;m\x07\\a\n\x9b\x9c?P"), max_size=20) | st.text())
def test_nothing_printable_is_a_control_character(text):
    shown = printable(text)
    assert re.fullmatch(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]*", shown)
    assert printable(shown) == shown


class TestPlainLines:
    def test_a_run_is_one_line_per_record(self):
        stream, clock = io.StringIO(), Clock()
        with make(stream, clock) as console:
            console.start(Path("runs/demo"), 12345, 1000, 100, "cpu")
            console.record(train(50))
            clock.now = 10.0
            console.record(train(100, float("nan")))
            console.record(valid(100, True))
            console.record(valid(200, False))
            console.sample(200, "[red]a\nb\x07")
            console.note("stopped\x1b[0m")
        assert stream.getvalue().splitlines() == [
            "training runs/demo on cpu: 12,345 parameters, 1,000 steps, 100 per epoch",
            "step 50/1000  epoch 0.50  2.000 nats  2.500 bits/char  rate 0.002  gradient norm 0.613  25,012 chars/s",
            "step 100/1000  epoch 1.00  nan nats  2.500 bits/char  rate 0.002  gradient norm 0.613  25,012 chars/s"
            "  3:00 left",
            "step 100/1000  epoch 1.00  validation 1.500 nats  2.250 bits/char  the best so far",
            "step 200/1000  epoch 1.00  validation 1.500 nats  2.250 bits/char",
            "sample at step 200:",
            "  | [red]a",
            "  | b",
            "stopped",
        ]

    def test_progress_is_a_line_every_ten_seconds(self):
        stream, clock = io.StringIO(), Clock()
        console = make(stream, clock)
        for second in range(26):
            clock.now = second
            console.progress("read\x07ing", second * 1000, 26000)
        for second in range(26, 40):
            clock.now = second
            console.progress("counting", second * 1000, None)
        assert stream.getvalue().splitlines() == ["reading: 38 %", "reading: 76 %", "counting: 36,000"]

    @pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"CI": "true"}])
    def test_a_dumb_terminal_and_ci_get_plain_lines(self, environ):
        stream = Terminal()
        with make(stream, **environ) as console:
            console.start(Path("demo"), 1, 10, 5, "cpu")
            console.record(train(5))
        assert stream.getvalue().count("\n") == 2
        assert "\x1b" not in stream.getvalue()

    def test_a_file_gets_plain_lines(self):
        stream = Terminal()
        stream.isatty = lambda: False
        with make(stream) as console:
            console.record(train(5))
        assert stream.getvalue().startswith("step 5")

    def test_a_terminal_that_cannot_show_blocks_gets_plain_lines(self):
        stream = Terminal()
        stream.encoding = "ascii"
        with make(stream) as console:
            console.record(train(5))
        assert stream.getvalue().startswith("step 5")


def test_quiet_prints_nothing():
    for stream in (io.StringIO(), Terminal()):
        clock = Clock()
        with Console(quiet=True, stream=stream, environ={}, clock=clock) as console:
            console.note("x")
            console.progress("x", 0, 10)
            clock.now = 100.0
            console.progress("x", 5, 10)
            console.start(Path("demo"), 1, 10, 5, "cpu")
            console.record(train(5))
            console.sample(5, "x")
        assert stream.getvalue() == ""


def test_everything_goes_to_standard_error(capsys):
    with Console(environ={}) as console:
        console.note("x")
    assert capsys.readouterr() == ("", "x\n")


class TestTerminal:
    def run(self, sample="some text", **environ):
        stream, clock = Terminal(), Clock()
        with make(stream, clock, **environ) as console:
            console.start(Path("runs/[b]demo"), 12345, 1000, 100, "cpu")
            for step in range(10, 510, 10):
                clock.now = step / 10
                console.record(train(step, 4.0 - step / 200))
            console.record(valid(500, True))
            console.sample(500, sample)
            console.note("a note [i] :smile:")
        return stream.getvalue()

    def test_the_view_shows_the_whole_run(self):
        shown = self.run()
        last = shown[shown.rindex("[b]demo") :]
        for figure in (
            "step 500/1,000",
            "epoch 5.0/10.0",
            "0:50 left",
            "1.500 nats",
            "2.500 bits/char",
            "rate 0.002",
            "gradient norm 0.613",
            "25,012 chars/s",
            "best 2.250",
            "█",
            "sample at step 500",
            "some text",
        ):
            assert figure in last, figure
        assert "a note [i] :smile:\n" in shown

    def test_it_is_drawn_four_times_a_second_at_most(self):
        stream, clock = Terminal(), Clock()
        console = make(stream, clock)
        console.start(Path("demo"), 1, 1000, 10, "cpu")
        frames = stream.getvalue().count("/1,000")
        for step in range(100):
            clock.now = step / 100
            console.record(train(step))
        assert stream.getvalue().count("/1,000") - frames <= 4
        console.finish()

    def test_the_last_frame_shows_the_last_record(self):
        stream = Terminal()
        with make(stream) as console:
            console.start(Path("demo"), 1, 1000, 10, "cpu")
            console.record(train(999))
            assert "step 999" not in stream.getvalue(), "a frame was drawn at this very moment"
        assert "step 999" in stream.getvalue()

    def test_the_cursor_comes_back(self):
        shown = self.run()
        assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")

    def test_the_cursor_comes_back_after_an_error(self):
        def fail():
            with make(stream) as console:
                console.start(Path("demo"), 1, 10, 5, "cpu")
                raise ZeroDivisionError

        stream = Terminal()
        with pytest.raises(ZeroDivisionError):
            fail()
        assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")

    def test_a_sample_can_neither_style_nor_steer(self):
        shown = self.run(sample="[red]x[/red]\x1b]0;owned\x07\x1b[2J:smile:\r")
        assert "[red]x[/red]:smile:" in shown
        assert "owned" not in shown
        assert "\x1b[2J" not in shown

    def test_no_color_means_no_colours(self):
        colours = re.compile(r"\x1b\[[0-9;]*(3[0-7]|38;[25];[0-9;]+|9[0-7])m")
        assert colours.search(self.run())
        assert not colours.search(self.run(NO_COLOR="1"))

    def test_a_long_sample_does_not_outgrow_the_terminal(self, monkeypatch):
        monkeypatch.setenv("LINES", "12")
        monkeypatch.setenv("COLUMNS", "60")
        shown = self.run(sample="\n".join(f"line {n}" for n in range(50)))
        assert "line 0" in shown
        assert "line 8" not in shown
        frame = shown[shown.rindex("[b]demo") :].split("\x1b[?25h")[0]
        assert frame.count("\n") < 12

    def test_progress_is_a_bar_that_goes_when_the_work_is_done(self):
        stream, clock = Terminal(), Clock()
        console = make(stream, clock)
        console.progress("[i]reading", 0, 100)
        clock.now = 0.4
        console.progress("[i]reading", 1, 100)
        assert stream.getvalue() == "", "short work shows nothing"
        clock.now = 4.0
        console.progress("[i]reading", 40, 100)
        assert "[i]reading" in stream.getvalue()
        assert "40 %  0:06 left" in stream.getvalue()
        clock.now = 4.1
        console.progress("[i]reading", 41, 100)
        assert "41 %" not in stream.getvalue(), "too soon for another frame"
        console.progress("[i]reading", 100, 100)
        assert stream.getvalue().endswith(("\x1b[2K", "\x1b[1A\x1b[2K"))
        assert "\x1b[?25h" in stream.getvalue()

    def test_progress_without_an_end_counts(self):
        stream, clock = Terminal(), Clock()
        with make(stream, clock) as console:
            console.progress("counting", 0, None)
            clock.now = 1.0
            console.progress("counting", 12345, None)
        assert "12,345" in stream.getvalue()


class TestStanding:
    def test_time_left_needs_a_pace(self):
        standing = Standing(steps=100)
        assert standing.left(0.0) is None
        standing.take(train(40))
        assert standing.left(5.0) == pytest.approx(60 * 5.0 / 40)

    def test_time_left_of_a_resumed_run_ignores_the_steps_of_its_earlier_life(self):
        standing = Standing(steps=100)
        standing.take(train(40))
        assert standing.left(1000.0) is None
        standing.take(train(50))
        assert standing.left(1010.0) == pytest.approx(50.0)

    def test_the_best_is_the_latest_that_was_marked(self):
        standing = Standing()
        standing.take(valid(1, True))
        standing.take({**valid(2, False), "bits_per_char": 9.0})
        assert (standing.best, standing.valid["bits_per_char"]) == (2.25, 9.0)

    def test_the_sparkline_falls_with_the_loss(self):
        standing = Standing()
        assert standing.sparkline(8) == ""
        for loss in range(800, 0, -1):
            standing.take(train(1, float(loss)))
        assert standing.sparkline(8) == "█▇▆▅▄▃▂▁"
        assert len(standing.sparkline(1000)) == 800

    def test_the_sparkline_of_one_level_is_flat_and_losses_that_are_no_numbers_are_left_out(self):
        standing = Standing()
        for loss in (1.0, float("nan"), 1.0, float("inf")):
            standing.take(train(1, loss))
        assert standing.sparkline(8) == "▁▁"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (751, "12:31"), (3600, "1:00:00"), (90061, "25:01:01"), (-1, "0:00")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.faults
def test_what_a_full_disk_has_no_room_for_is_lost_and_nothing_else(tmp_path):
    """Standard error often goes to a file beside the run; a disk that is full must not end the run by it."""
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as stream:
        number, full = os.dup(stream.fileno()), os.open("/dev/full", os.O_WRONLY)
        console = Console(stream=stream)
        console.note("before")
        os.dup2(full, stream.fileno())
        console.note("lost")
        os.dup2(number, stream.fileno())
        console.note("after")
        os.close(number)
        os.close(full)
    assert path.read_text() == "before\nafter\n"


def test_a_checkpoint_without_room_is_told_on_a_terminal_too():
    for terminal in (False, True):
        stream = Terminal() if terminal else io.StringIO()
        with Console(stream=stream, environ={}) as console:
            console.record({"step": 7, "epoch": 0.5, "split": "disk", "what": "runs/x: the disk is full"})
        assert "WARNING: step 7 is not saved, and training goes on: runs/x: the disk is full" in stream.getvalue()
