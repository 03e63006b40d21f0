"""A crew that prepares a text within the process of the test."""

from __future__ import annotations

import os
from typing import Any

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus import worker as worker_module


class Here:
    """A member of a crew that is no process: it answers at once, through a pipe that is always ready."""

    def __init__(self, settings: Corpus) -> None:
        self.worker = worker_module.Worker(settings)
        self.line, other = os.pipe()
        os.write(other, b"x")
        os.close(other)
        self.busy = False

    def ask(self, name: str, *given: Any) -> None:
        self.found, self.busy = worker_module._answer(getattr(self.worker, name), given), True

    def answer(self) -> Any:
        self.busy = False
        kind, value = self.found
        if kind == "error":
            raise value
        assert kind == "done", value
        return value

    def end(self) -> None:
        os.close(self.line)
        self.worker.close()
