"""The end of a SLURM job: work that can be gone on with stops while there is time enough to save it. Torch-free."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping

from charrnn.errors import JobEnds

VARIABLE = "SLURM_JOB_END_TIME"
"""The environment's variable in which SLURM says when the job will be ended, in seconds since 1970."""
SAVES = 3
"""So many times as long as the longest save so far is kept free for the last one."""
MARGIN = 60.0
"""Seconds that are kept free besides; of a short job no more than a tenth of what it had when this process began."""


class Deadline:
    """When the job ends, and how much of its time the last save needs.

    Args:
        ends: seconds since 1970.
        clock: the time now, in the same seconds.
    """

    def __init__(self, ends: float, clock: Callable[[], float] = time.time) -> None:
        self.ends = ends
        self._clock = clock
        self._margin = min(MARGIN, self.left / 10)
        self._longest_save = 0.0

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self.ends - self._clock()

    def saved(self, seconds: float) -> None:
        """Take note that a save took so long."""
        self._longest_save = max(self._longest_save, seconds)

    def check(self) -> None:
        """Raise `JobEnds` when the time that is left is needed for saving."""
        left = self.left
        if left <= SAVES * self._longest_save + self._margin:
            raise JobEnds(
                f"the job ends in {max(left, 0.0):.0f} s ({VARIABLE}), and the longest save so far took "
                f"{self._longest_save:.1f} s"
            )


def job_end(
    say: Callable[[str], None], environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.time
) -> Deadline | None:
    """The end of the SLURM job that this process runs in; None outside of one.

    Args:
        say: told what is done about the variable, where it is set.
        environ: the environment.
        clock: seconds since 1970.
    """
    text = environ.get(VARIABLE)
    if not text:
        return None
    try:
        ends = float(text)
    except ValueError:
        ends = math.nan
    if not math.isfinite(ends):
        say(f"{VARIABLE} is {text!r} and no number of seconds: the end of the job is not looked at")
        return None
    deadline = Deadline(ends, clock)
    if deadline.left <= 0:
        # Of a job that is over, in a shell that outlived it; who heeded it would never do a step.
        say(f"{VARIABLE} has passed already, so it is not this job's: the end of the job is not looked at")
        return None
    say(f"the job ends in {deadline.left / 60:.1f} minutes ({VARIABLE}): what is not done by then is saved in time")
    return deadline
