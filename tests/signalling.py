"""Signals that fall into a phase of choice: the program, which sends them to itself in the midst of it.

The functions run in a child of a nursery, which has no handlers but the program's.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nursery
import pytest

PHASES = {
    "prepare": ("charrnn.corpus.build", "Build._encode", 1),
    "step": ("charrnn.train.loop", "advance", 6),
    "evaluation": ("charrnn.train.evaluate", "_read", 1),
    "sampling": ("charrnn.sample.stream", "draw", 3),
    "checkpoint": ("charrnn.files.atomic", "_swap", 2),
    "pointer": ("charrnn.runs.folder", "write_text", 3),
    "preparing items": ("charrnn.corpus.labelled_build", "LabelledWriter", 1),
    "labelling": ("charrnn.pseudo.classify", "ClassifyLabeller._scores", 1),
    "measuring": ("charrnn.pseudo.classify", "ClassifyLabeller.measure", 2),
    "a stage's name": ("charrnn.pseudo.stage", "move_folder", 1),
}
"""Where a phase is met: a module, what is called there, and the call in front of which the signals come."""
COUNTS = "saves"
"""The file in which a child writes how many checkpoints were written after the first signal."""


class Signals:
    """Sends signals to this very process, in front of one call, and counts the checkpoints from then on."""

    def __init__(self, phases: Sequence[str], numbers: Sequence[int], patch: pytest.MonkeyPatch) -> None:
        self.numbers, self.sent, self.saves = numbers, 0, 0
        for phase in phases:
            module, name, call = PHASES[phase]
            *parents, name = name.split(".")
            owner = importlib.import_module(module)
            for parent in parents:
                owner = getattr(owner, parent)
            patch.setattr(owner, name, self._before(getattr(owner, name), call))
        saver = importlib.import_module("charrnn.runs.saver")
        patch.setattr(saver, "write_checkpoint", self._counted(saver.write_checkpoint))

    def _before(self, real: Callable[..., Any], call: int) -> Callable[..., Any]:
        left = [call]

        def signalling(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                for number in self.numbers:
                    os.kill(os.getpid(), number)
                    self.sent += 1
            return real(*args, **kwargs)

        return signalling

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            self.saves += bool(self.sent)
            return real(*args, **kwargs)

        return counting


def charrnn_signalled(phases: Sequence[str], numbers: Sequence[int], *arguments: str) -> None:
    """The program, which sends itself these signals in each of the phases."""
    with pytest.MonkeyPatch.context() as patch:
        signals = Signals(phases, numbers, patch)
        try:
            nursery.charrnn(*arguments)
        finally:
            Path(COUNTS).write_text(json.dumps([signals.sent, signals.saves]))
