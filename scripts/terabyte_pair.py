"""What scripts/terabyte.py asks of two processes that share a run; this file is also their program."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

KIB = 1024
REPEATS = 9


def timed(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The median seconds of a call, after one that is not counted."""

    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    once()
    return statistics.median(once() for _ in range(repeats))


def ask(folder: Path, *question: Any) -> dict[str, Any]:
    """What two processes have found, of which each asks itself `question`: the name of a function here, and its
    arguments."""
    answer = folder / "answer.json"
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environ = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launch, __file__, str(answer), *map(str, question)]
    subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return found


def add_up(*kib: str) -> dict[str, Any]:
    """Sums of so many KiB, and the seconds of each."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    pairs = []
    for size in map(int, kib):
        tensor = torch.zeros(size * KIB // 4)
        pairs.append([size * KIB, timed(lambda: dist.all_reduce(tensor))])  # noqa: B023
    dist.destroy_process_group()
    return {"pairs": pairs}


def count(config: str, steps: str) -> dict[str, Any]:
    """A training of so many updates, and what was added up in it."""
    import torch.distributed as dist

    from charrnn.cli.main import app

    real, found = dist.all_reduce, {"messages": 0, "bytes": 0}

    def counted(tensor: Any, *rest: Any, **more: Any) -> Any:
        found["messages"] += 1
        found["bytes"] += tensor.numel() * tensor.element_size()
        return real(tensor, *rest, **more)

    dist.all_reduce = counted
    more = [f"--set=train.max_steps={steps}", "--set=train.log_every=1000000", "--out", f"count-{steps}", "--quiet"]
    app(["train", config, *more, "--force"], standalone_mode=False)
    return found


if __name__ == "__main__":
    place, name, *given = sys.argv[1:]
    answer = {"add-up": add_up, "count": count}[name](*given)
    if os.environ["RANK"] == "0":
        Path(place).write_text(json.dumps(answer), encoding="utf-8")
    os._exit(0)  # gloo may abort where Python takes down what is left
