"""What the fault tests count: how often a fault was tried, and how often something was lost by it.

A soak (`make soak`) tries each of them far oftener than the tests of every day, and gathers the counts for
`docs/reliability.md`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOAK = "CHARRNN_SOAK"
"""Set where faults are to be tried far oftener."""
LEDGER = "CHARRNN_LEDGER"
"""The file to which the counts are appended, a line of JSON each; without it they are dropped."""


@dataclass
class Count:
    """How one fault went.

    Attributes:
        fault: in a few words, as the table has it.
        tried: how often it was tried.
        lost: how often the promise was broken.
    """

    fault: str
    tried: int = 0
    lost: int = 0

    @contextmanager
    def trial(self) -> Iterator[None]:
        """One trial; whatever the block raises counts as a loss, and goes on."""
        self.tried += 1
        try:
            yield
        except BaseException:
            self.lost += 1
            raise


class Ledger:
    """The faults of one test."""

    def __init__(self) -> None:
        self.counts: list[Count] = []

    def fault(self, name: str) -> Count:
        """The count of a fault, in a few words: `SIGKILL while training, then --resume`."""
        self.counts.append(Count(name))
        return self.counts[-1]

    def times(self, usually: int, soak: int) -> int:
        """How often to try."""
        return soak if os.environ.get(SOAK) else usually

    def close(self) -> None:
        """Write the counts down where a soak gathers them."""
        if LEDGER in os.environ:
            with Path(os.environ[LEDGER]).open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(vars(count)) + "\n" for count in self.counts if count.tried)
