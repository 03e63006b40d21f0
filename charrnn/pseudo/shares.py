"""Rounds by several processes: how a pass over items is shared, and which numbers of processes can share the trainings.

Nothing is carried from one batch of items to the next, so each process takes whole batches, a neighbouring slice of
them: what comes of a pass is that of one process to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from charrnn.errors import UsageError
from charrnn.text.watch import Check, Progress, no_progress
from charrnn.train.world import World

T = TypeVar("T")


def shared_pass(
    steps: int, world: World, check: Check, work: Callable[[int], T], progress: Progress = no_progress, label: str = ""
) -> list[T]:
    """What `work` makes of every batch, in order, in all processes.

    Args:
        steps: how many batches there are.
        world: the processes.
        check: called before every batch, in all processes equally often; it may raise to stop.
        work: takes the number of a batch; its value can be copied.
        progress: told how far this process has come.
        label: what is done.
    """
    own, found = world.rows(steps), []
    for number in range(-(-steps // world.size)):
        check()
        progress(label, number, own.stop - own.start)
        if own.start + number < own.stop:
            found.append(work(own.start + number))
    return [each for part in world.gathered(found) for each in part]


def refuse_uneven_stages(rows: Mapping[str, int], world: World) -> None:
    """Refuse so many processes before anything is trained, where they could not share the batches of every stage.

    Args:
        rows: of a batch, by the name of the stage.
        world: the processes.

    Raises:
        UsageError: they could not.
    """
    stage = next((name for name, count in rows.items() if count % world.size), None)
    if stage is None:
        return
    common = math.gcd(*rows.values())
    fits = [count for count in range(1, common + 1) if common % count == 0]
    raise UsageError(
        f"{rows[stage]} rows of a batch of {stage} cannot be shared equally by {world.size} processes",
        why="a batch has " + ", ".join(f"{count} rows for {name}" for name, count in rows.items()),
        hint=f"start as many processes as divide all of these: {', '.join(map(str, fits))}",
    )
