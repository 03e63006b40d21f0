"""What torchrun has put into the environment of this process: which of several it is. Torch-free."""

from __future__ import annotations

import os

ECHO = 5.0
"""Seconds in which a repeated signal is torchrun's, which hands on what the terminal has sent to every process."""


def started_by_torchrun() -> bool:
    """Whether this process is one of several."""
    return _number("WORLD_SIZE", 1) > 1


def is_first_process() -> bool:
    """Whether this process is the one that speaks, of all that torchrun has started; one that it did not start is."""
    return _number("RANK", 0) == 0


def local_rank() -> int:
    """Which of the processes of this machine this one is."""
    return _number("LOCAL_RANK", 0)


def restarts() -> int:
    """How often torchrun has started all processes anew, because one of them had died."""
    return _number("TORCHELASTIC_RESTART_COUNT", 0)


def _number(variable: str, otherwise: int) -> int:
    return int(os.environ.get(variable, otherwise))
