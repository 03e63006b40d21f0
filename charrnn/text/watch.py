"""What long work tells its caller: how far it has come, and when it may be stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Check = Callable[[], None]
"""Raises to stop the work."""

Progress = Callable[[str, int, int | None], None]
"""Takes a label, the bytes done, and the bytes in all (None when unknown)."""


def no_progress(label: str, done: int, total: int | None) -> None:
    """The progress of work that nobody watches."""


def no_check() -> None:
    """The check of work that nothing stops."""


@dataclass(frozen=True)
class Watch:
    """Progress and interruption, handed down together.

    Attributes:
        progress: told about every block.
        check: called once per block; it raises to stop the work.
    """

    progress: Progress = no_progress
    check: Check = no_check

    def block(self, label: str, done: int, total: int | None) -> None:
        """Report one more block, unless the work is to stop."""
        self.check()
        self.progress(label, done, total)
