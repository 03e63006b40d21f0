"""Real processes at the price of a fork: one that has loaded torch and all of charrnn, and makes children on demand.

A child is a process of its own, with one thread, its own standard output and error, and no handler but those that it
installs. It can be killed and signalled like any other, and what kills it from within (a counter of file operations)
is switched on before its work begins.

This file is also the program of that process: it reads orders from standard input, a line of JSON each, and answers in
the same way.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# torch._dynamo is loaded by the first optimizer, and takes longer than all the rest; the last two are for children.
OURS = "charrnn.cli.main", "charrnn.pseudo.command", "charrnn.logs.logger"
EVERYTHING = "torch._dynamo", *OURS, "killing", "signalling"
WITHOUT_TORCH = "charrnn.cli.main", "charrnn.config.load"


@dataclass(frozen=True)
class End:
    """How a child came to its end.

    Attributes:
        code: its exit code; negative where a signal ended it, as with subprocess.
        out: its standard output.
        err: its standard error.
        seconds: how long it lived, seen from inside the nursery.
    """

    code: int
    out: str
    err: str
    seconds: float

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


@dataclass(frozen=True)
class Child:
    """A living child."""

    nursery: Nursery
    pid: int

    def wait(self) -> End:
        return End(**self.nursery._ask({"wait": self.pid}))

    def kill_after(self, seconds: float) -> End:
        """SIGKILL from outside, unless it has ended by then; the instant is kept by the nursery."""
        return End(**self.nursery._ask({"wait": self.pid, "kill_after": seconds}))


class Nursery:
    """Makes children that run a function of a module in a folder.

    Args:
        loaded: the modules that they find loaded.
    """

    def __init__(self, loaded: Sequence[str]) -> None:
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "CHARRNN_"))}
        paths = [str(Path(__file__).parent), *sys.path]
        self._process = subprocess.Popen(
            [sys.executable, __file__, *loaded],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def start(self, function: str, folder: Path, *arguments: Any, heard: str = "", **environ: str) -> Child:
        """Begin `module:function` in a child whose working folder is `folder`, with the text `heard` on its standard
        input; a value that it returns is dropped, and SystemExit is its exit code."""
        order = {"run": function, "folder": str(folder), "arguments": arguments, "environ": environ, "heard": heard}
        return Child(self, self._ask(order)["pid"])

    def run(self, function: str, folder: Path, *arguments: Any, heard: str = "", **environ: str) -> End:
        """The same, to its end."""
        return self.start(function, folder, *arguments, heard=heard, **environ).wait()

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def nursery(loaded: Sequence[str] = EVERYTHING) -> Iterator[Nursery]:
    """A nursery, which goes when the block ends."""
    made = Nursery(loaded)
    try:
        yield made
    finally:
        made.close()


def charrnn(*arguments: str) -> None:
    """The program itself, as a user calls it."""
    from charrnn.cli.main import main

    sys.argv = ["charrnn", *arguments]
    main()


def probe(*arguments: str) -> None:
    """The same; afterwards a line of standard error has its exit code, and whether it has loaded torch."""
    code = 0
    try:
        charrnn(*arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    print("\n" + json.dumps([code, "torch" in sys.modules]), file=sys.stderr)


def _serve() -> None:
    for module in sys.argv[1:]:
        importlib.import_module(module)
    for line in sys.stdin:
        order = json.loads(line)
        answer = _fork(order) if "run" in order else _wait(order["wait"], order.get("kill_after"))
        print(json.dumps(answer), flush=True)


_BIRTHS: dict[int, tuple[float, Path]] = {}


def _fork(order: dict[str, Any]) -> dict[str, Any]:
    folder = Path(order["folder"])
    said = folder / (".said" + order["environ"].get("RANK", ""))  # several may work in one folder
    said.mkdir(exist_ok=True)
    for name, text in {
        "in": order["heard"],
        "out": "",
        "err": "",
    }.items():  # a child may be killed before it opens them
        (said / name).write_text(text, encoding="utf-8")
    born = time.monotonic()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = _live(order, folder, said)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _BIRTHS[pid] = born, said
    return {"pid": pid}


def _live(order: dict[str, Any], folder: Path, said: Path) -> int:
    os.chdir(folder)
    os.environ.update(order["environ"])
    for number, (name, flags) in enumerate({"in": os.O_RDONLY, "out": os.O_WRONLY, "err": os.O_WRONLY}.items()):
        os.dup2(os.open(said / name, flags), number)
    module, _, name = order["run"].partition(":")
    try:
        getattr(importlib.import_module(module), name)(*order["arguments"])
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    return 0


def _wait(pid: int, kill_after: float | None) -> dict[str, Any]:
    born, said = _BIRTHS.pop(pid)
    if kill_after is not None:
        # The child's own thread is the only one that could reap it: the number cannot be another process's yet.
        while time.monotonic() < born + kill_after:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                break
            time.sleep(min(0.002, max(0.0, born + kill_after - time.monotonic())))
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - born
    texts = {name: (said / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err")}
    return {"code": os.waitstatus_to_exitcode(status), **texts, "seconds": seconds}


if __name__ == "__main__":
    _serve()
    os._exit(0)  # to take torch down would take a second
