"""The contests of mixed batches: against one stream of as many rows, and against a batch that is put together from the
batches of its sources, as the iterator of the course did it.

All items are equally long, so that both sides compute the same and only the way to the batch differs. The sides of a
row take steps in turn, not rounds: what a mix costs is less than what two rounds differ by on a machine that others use
too.

Shapes: B rows, T steps.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contests import Contest, Sides, Size

ITEMS, LABELLED, LENGTH, STEPS, LR = 2000, 1000, 60, 40, 1e-3
LETTERS = "abcdefghijklmnopqrstuvwxyz"
CONFIG = """\
task: classify
corpus: {{source: messages.csv, split: [0.8, 0.1, 0.1], labelled: {labelled}}}
stream: {{batch: {batch}, mix: {mix}}}
model: {{input: {{size: {embedding}}}, core: {{kind: gru, hidden: {hidden}}}, pool: max}}
train: {{max_steps: 1000000, device: cpu, threads: 1, tensorboard: false, schedule: {{kind: constant}}}}
"""
MIXES = {
    "64 + 16": (64, "{pseudo: {source: labels.csv, rows: 16}}"),
    "44 + 16 + 4": (44, "{pseudo: {source: labels.csv, rows: 16}, checked: {kind: split, rows: 4}}"),
    "80": (80, "null"),
    "64": (64, "null"),
}


def steps(ours: str, other: str) -> Contest:
    """Milliseconds of an update with the rows of `ours`, and of one with those of `other`."""

    def contest(folder: Path, size: Size) -> Sides:
        sides = [trial(folder, size, name) for name in (ours, other)]
        return in_turn(*(lambda one=one: one.advance(LR) for one in sides))

    return contest


def steps_concatenated(mix: str) -> Contest:
    """Milliseconds of an update with the rows of a mix, and of one whose batch is concatenated."""

    def contest(folder: Path, size: Size) -> Sides:
        from charrnn.train.step import advance

        one, two = trial(folder, size, mix), trial(folder, size, mix)
        put_together = Concatenated(two.task, two.stream)
        check_same(one.stream, put_together)
        settings = two.task.config.train
        return in_turn(
            lambda: one.advance(LR), lambda: advance(two.task, two.state, put_together, LR, settings, two.device)
        )

    return contest


def batches_concatenated(mix: str) -> Contest:
    """Milliseconds to make a batch of the rows of a mix, and one that is concatenated."""

    def contest(folder: Path, size: Size) -> Sides:
        import torch

        one = trial(folder, size, mix)
        put_together, cpu, step = Concatenated(one.task, one.stream), torch.device("cpu"), iter(range(1 << 30))
        check_same(one.stream, put_together)
        return in_turn(lambda: one.stream.batch(next(step), cpu), lambda: put_together.batch(next(step), cpu))

    return contest


class Concatenated:
    """The batches of a mix, each put together from a batch per source.

    Args:
        task: the task.
        stream: its training stream, which says what each step reads.
    """

    def __init__(self, task: Any, stream: Any) -> None:
        from charrnn.stream.sequences import filling
        from charrnn.tasks.mixed_items import sequences_of

        sources = {"train": sequences_of(task.corpus, "train")}
        sources |= {name: mixed.source for name, mixed in task.mixed.items()}
        self._plan = stream.plan
        self._fills = {name: filling({name: source}) for name, source in sources.items()}

    def batch(self, step: int, device: Any, share: Any = None) -> Any:
        """The batch of a step; there is no other process to share it with."""
        import torch
        from torch.nn.functional import pad

        from charrnn.stream.sequences import SequenceBatch

        weight_B, made, shares, end = self._plan.weight_B(step), [], {}, 0
        for (name, fill), numbers in zip(self._fills.items(), self._plan.numbers(step), strict=True):
            shares[name] = slice(end, end + len(numbers))
            made.append(fill([numbers], weight_B[shares[name]], device))
            end += len(numbers)
        del shares["train"]
        longest = max(one.x.shape[1] for one in made)
        x_BT = torch.cat([pad(one.x, (0, longest - one.x.shape[1])) for one in made])
        rest = [torch.cat([getattr(one, name) for one in made]) for name in ("length_B", "y_B", "weight_B")]
        return SequenceBatch(x_BT, rest[0], rest[1], None, rest[2], shares)


def check_same(stream: Any, other: Any) -> None:
    """Both make the same batch; else a comparison of their speeds says nothing."""
    import torch

    one, two = (side.batch(3, torch.device("cpu")) for side in (stream, other))
    same = all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("x", "length_B", "y_B", "weight_B"))
    if not same or one.shares != two.shares:
        raise SystemExit("scripts/bench.py: the two sides do not make the same batch")


def trial(folder: Path, size: Size, name: str) -> Any:
    """A training over generated messages with the rows of a mix, ready to take steps."""
    import torch

    from charrnn.config.load import load_config
    from charrnn.logs.console import Console
    from charrnn.runs.throwaway import throwaway
    from charrnn.train.interrupt import Interrupt

    torch.set_num_threads(1)
    batch, mix = MIXES[name]
    make_messages(folder)
    path = folder / f"mix-{name.replace(' ', '')}.yaml"
    sizes = {"embedding": max(1, size.embedding // 4), "hidden": max(1, size.hidden // 4)}
    path.write_text(CONFIG.format(batch=batch, mix=mix, labelled=LABELLED, **sizes), encoding="utf-8")
    with Console(quiet=True) as console:
        return throwaway(load_config(path), folder / "corpora", console, Interrupt())


def make_messages(folder: Path) -> None:
    """Random messages of two kinds, and labels of two kinds for some that have none."""
    drawn = random.Random(0)
    texts = ["".join(drawn.choices(LETTERS, k=LENGTH)) for _ in range(ITEMS)]
    rows = [f"{'ab'[i % 2]},{text}\n" for i, text in enumerate(texts)]
    (folder / "messages.csv").write_text("label,text\n" + "".join(rows), encoding="utf-8")
    rows = [f"unlabelled:{i},{'ab'[i % 2]}\n" for i in range(LABELLED // 4)]
    (folder / "labels.csv").write_text("item,label\n" + "".join(rows), encoding="utf-8")


def in_turn(ours: Callable[[], Any], other: Callable[[], Any]) -> Sides:
    """Two sides that work in turn, step by step, while the first of them is timed; their figures are medians."""
    took: tuple[list[float], list[float]] = ([], [])

    def both() -> float:
        for figures in took:
            figures.clear()
        for _ in range(STEPS):
            for work, figures in zip((ours, other), took, strict=True):
                began = time.perf_counter()
                work()
                figures.append(1000.0 * (time.perf_counter() - began))
        return statistics.median(took[0])

    return both, lambda: statistics.median(took[1])
