"""charrnn with the lanes of the course of 2016, to measure what they cost; for nothing else.

    scripts/broken_lanes.py train configs/course/l6-stateful.yaml --out runs/l6-broken-lanes

The arguments are those of `charrnn`. Training reads windows side by side, as many to a batch as there are lanes:
row r of batch k holds window B k + r. Each row hands its state on as if its text went on, but the next window begins
(B − 1) windows later: with 64 rows of 8 characters, 504 are jumped over. Validation is read in true lanes.

Shapes: B rows, T columns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from charrnn.cli.main import main
from charrnn.corpus.tokens import Split
from charrnn.stream.lanes import LanePlan, RowPlan
from charrnn.tasks.language import LanguageTask


class BrokenLanes(LanePlan):
    """Every token is a target once per epoch, as in true lanes; only what a row goes on with is wrong."""

    def rows(self, step: int) -> RowPlan:
        """The plan of one step: the next B windows of the text."""
        k = step % self.steps_per_epoch
        start_B = (k * self.lanes + np.arange(self.lanes)) * self.chunk
        length_B = np.clip(self.tokens - start_B, 0, self.chunk)
        starts_BT = start_B[:, None] + np.arange(self.chunk) == 0
        resets = {0: np.full(self.lanes, True)} if k == 0 else {}
        return RowPlan(start_B % self.tokens, length_B, self.chunk, 0, self.chunk, starts_BT, resets, rate=1.0)


def broken(true_plan: Callable[[LanguageTask, Split], LanePlan]) -> Callable[[LanguageTask, Split], LanePlan]:
    """In place of the lanes that a task trains on, as many rows that jump."""

    def plan(task: LanguageTask, part: Split) -> LanePlan:
        true = true_plan(task, part)
        return BrokenLanes(true.tokens, true.lanes, true.chunk)

    return plan


if __name__ == "__main__":
    LanguageTask._training_plan = broken(LanguageTask._training_plan)  # type: ignore[method-assign]
    main()
