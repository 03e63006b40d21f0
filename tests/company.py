"""Several processes that share a run, as torchrun would start them, at the price of forks."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import nursery
import pytest
from nursery import Child, End, Nursery


def start(processes: Nursery, folder: Path, size: int, function: str, *arguments: Any, **environ: str) -> list[Child]:
    """Begin a function in so many processes that know of each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size), **environ}
    return [
        processes.start(function, folder, *arguments, **shared, RANK=str(rank), LOCAL_RANK=str(rank))
        for rank in range(size)
    ]


def together(processes: Nursery, folder: Path, size: int, *arguments: str, **environ: str) -> list[End]:
    """The program in so many processes, to the end of all; of one process as ever."""
    if size == 1:
        return [processes.run("nursery:charrnn", folder, *arguments, **environ)]
    return [child.wait() for child in start(processes, folder, size, "nursery:charrnn", *arguments, **environ)]


def charrnn_stopping(*arguments: str) -> None:
    """The program; what happens to the last process is in the environment.

    `CHARRNN_TEST_STOP`: the step in front of which it gets a SIGTERM; `CHARRNN_TEST_DEATH`: the step at which its first
    life gets a SIGKILL; `CHARRNN_TEST_NAN`: the step from which on its loss is no number, twice.
    """
    import charrnn.train.loop as loop

    real, last = loop.advance, int(os.environ.get("RANK", "0")) == int(os.environ.get("WORLD_SIZE", "1")) - 1
    stop, death, bad = (int(os.environ.get(f"CHARRNN_TEST_{name}", "-9")) for name in ("STOP", "DEATH", "NAN"))
    left = [2]

    def advance(task: Any, state: Any, *rest: Any) -> Any:
        if last and state.step == stop - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        if last and state.step == death and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            os.kill(os.getpid(), signal.SIGKILL)
        spoiled = state.step in (bad, bad + 1) and left[0] > 0
        left[0] -= spoiled
        if not (spoiled and last):
            return real(task, state, *rest)
        with pytest.MonkeyPatch.context() as patch:
            loss = type(task).loss
            patch.setattr(type(task), "loss", lambda *given: _spoiled(loss(*given)))
            return real(task, state, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "advance", advance)
        nursery.charrnn(*arguments)


def charrnn_struck(*arguments: str) -> None:
    """The program, of whose processes the last one gets the signal `CHARRNN_TEST_SIGNAL` at its second batch of items
    to be labelled."""
    import charrnn.pseudo.classify as classify

    real, last = classify.shared_pass, int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1

    def struck(steps: int, world: Any, check: Any, work: Any, progress: Any, label: str) -> Any:
        seen: list[int] = []

        def batch(step: int) -> Any:
            seen.append(step)
            if last and len(seen) == 2:
                os.kill(os.getpid(), int(os.environ["CHARRNN_TEST_SIGNAL"]))
            return work(step)

        return real(steps, world, check, batch, progress, label)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classify, "shared_pass", struck)
        nursery.charrnn(*arguments)


def _spoiled(loss: Any) -> Any:
    return replace(loss, each=loss.each * float("nan"))
