"""Kills at an instant of choice, by the clock or in the middle of the n-th file operation; and what must hold after it.

The functions that take a number run in a child of a nursery.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nursery
import pytest
from ledger import Count
from nursery import End, Nursery

from charrnn.checkpoint.layout import MANIFEST, step_of
from charrnn.checkpoint.read import Checkpoint
from charrnn.corpus.labelled_corpus import LabelledCorpus
from charrnn.corpus.tokens import TokenCorpus
from charrnn.files import atomic, digest
from charrnn.logs.record import read_records

OPERATIONS = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "ftruncate")
"""What is counted of `os`; beside these the exchange of two names, and the writes of files that Python opens."""
_LITTER = ".tmp-charrnn"


class _Operations:
    """The file operations of this process so far; in the middle of number `last` it is killed."""

    def __init__(self, last: int | None) -> None:
        self.last, self.count = last, 0

    def next(self) -> None:
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            self.next()
            return call(*args, **kwargs)

        return counting

    def opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def opened(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if not set("wax+") & set(mode):
                return real(path, mode, *args, **kwargs)
            self.next()
            return _HalfWritten(real(path, mode, *args, **kwargs), self)

        return opened


class _HalfWritten:
    """A file of which, when the process is killed in a write, half of that is on the disk."""

    def __init__(self, file: Any, operations: _Operations) -> None:
        self._file, self._operations = file, operations

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _HalfWritten:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, data: Any) -> int:
        half = len(data) // 2
        self._file.write(data[:half])
        self._file.flush()
        self._operations.next()
        self._file.write(data[half:])
        return len(data)


@contextmanager
def operations(last: int | None) -> Iterator[_Operations]:
    """Count the file operations of the block; kill this process in the middle of number `last`."""
    counted = _Operations(last)
    with pytest.MonkeyPatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(os, name, counted.counted(getattr(os, name)))
        patch.setattr(atomic, "_exchange", counted.counted(atomic._exchange))
        patch.setattr(io, "open", counted.opening(io.open))
        yield counted


def charrnn_to_operation(number: int | None, *arguments: str) -> None:
    """The program, killed in the middle of a file operation; without a number it writes down how many there are."""
    with operations(number) as counted:
        try:
            nursery.charrnn(*arguments)
        finally:
            if number is None:
                Path("operations").write_text(str(counted.count))


def saves(steps: Sequence[int], last: int | None = None) -> None:
    """Save a small run at each of these steps, each time better; the last save is killed in operation number `last`."""
    import torch

    from charrnn.config.schema.train import Save
    from charrnn.logs.console import Console
    from charrnn.logs.logger import RunLog
    from charrnn.runs.folder import RunFolder
    from charrnn.runs.saver import RunSaver
    from charrnn.train.state import TrainState

    model = torch.nn.Linear(2, 1)
    state = TrainState(model, torch.optim.SGD(model.parameters()), {"h": torch.zeros(1, 2)}, 1)
    folder = RunFolder(Path())
    folder.path.joinpath(".lock").touch()
    with Console(quiet=True) as console:
        log = RunLog(folder.path, console, {"metrics.jsonl": 1 << 20}, 0, events=False)
        saver = RunSaver(folder, Save(keep=1), {"config": {}}, log)
        for step in steps:
            state.step = step
            state.history.append({"step": step, "loss": 1.0 / step})
            log.log({"step": step, "split": "guard", "what": "nothing", "rolled_back_from": step})
            with operations(last if step == steps[-1] else None):
                saver.save(state)
        log.close()


def one_save(number: int) -> None:
    """The third save, after two others, killed in its operation of this number if it has as many."""
    saves([3], number)


@dataclass(frozen=True)
class Work:
    """Something that may be killed and gone on with.

    Attributes:
        nursery: where its processes come from.
        root: a folder for all its lives.
        given: a folder with what each begins with.
        command: the arguments of the program.
        same: raises unless two folders in which it has come to its end hold the same.
    """

    nursery: Nursery
    root: Path
    given: Path
    command: Sequence[str]
    same: Callable[[Path, Path], None]

    def begun(self, name: str) -> Path:
        """A folder in which nothing has been done yet."""
        shutil.copytree(self.given, self.root / name)
        return self.root / name

    @cached_property
    def unbroken(self) -> tuple[Path, float, int]:
        """What nobody has killed: its folder, how many seconds it took and how many file operations."""
        folder = self.begun("unbroken")
        end = self.nursery.run("killing:charrnn_to_operation", folder, None, *self.command)
        assert end.code == 0, end.err
        return folder, end.seconds, int((folder / "operations").read_text())

    def survives(self, kills: int, count: Count, seed: int) -> None:
        """So many kills, spread over all of the work: every second one by the clock, the others in a file operation."""
        assert self.unbroken
        chance = random.Random(seed)
        for number in range(kills):
            with count.trial():
                # Once more while it goes on, wherever that falls; only the first one is counted.
                shares = (number + chance.random()) / kills, chance.random()
                self.survives_kills(f"killed-{number}", shares, by_clock=number % 2 == 0)

    def survives_kills(self, name: str, shares: Sequence[float], by_clock: bool) -> None:
        """Killed after these shares of the whole work, it is gone on with each time, and comes to the same."""
        folder = self._killed(name, shares[0], by_clock)
        for share in shares[1:]:
            nothing_half_written(folder)
            self._life(folder, share, by_clock)
        nothing_half_written(folder)
        last = self.nursery.run("nursery:charrnn", folder, *self.command)
        assert last.code == 0, last.err
        nothing_half_written(folder)
        assert not list(folder.rglob(_LITTER + "*"))
        self.same(self.unbroken[0], folder)
        shutil.rmtree(folder)

    def _killed(self, name: str, share: float, by_clock: bool) -> Path:
        """The folder of a first life that was killed; one that was done before the kill came does not count."""
        while True:
            folder = self.begun(name)
            end = self._life(folder, share, by_clock)
            if end.killed:
                return folder
            assert end.code == 0, end.err
            shutil.rmtree(folder)
            share *= 0.8

    def _life(self, folder: Path, share: float, by_clock: bool) -> End:
        _, seconds, count = self.unbroken
        if by_clock:
            return self.nursery.start("nursery:charrnn", folder, *self.command).kill_after(share * seconds)
        number = 1 + int(share * count)
        return self.nursery.run("killing:charrnn_to_operation", folder, number, *self.command)


def nothing_half_written(folder: Path) -> None:
    """All that a reader would accept is whole: checkpoints, corpora, records, pointers, tables of labels."""
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(_LITTER) for part in path.parts):
            continue
        if path.is_dir() and step_of(path) is not None:
            verified(path)
        elif path.name == MANIFEST and path.parent.parent.name == "corpora":
            _corpus(path.parent)
        elif path.name in ("best", "last"):
            verified(path.parent / "checkpoints" / path.read_text().strip())
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".jsonl":
            read_records(path)
        elif path.name == "labels.csv" and (path.parent / MANIFEST).exists():
            assert digest.of_file(path) == json.loads((path.parent / MANIFEST).read_text())["labels_sha256"]


def verified(folder: Path) -> Checkpoint:
    """A checkpoint of which every byte has been read and checked."""
    checkpoint = Checkpoint.open(folder)
    for name in checkpoint.files:
        read = checkpoint.tensors if name.endswith(".safetensors") else checkpoint.document
        read(Path(name).stem)
    return checkpoint


def _corpus(folder: Path) -> None:
    kind = json.loads((folder / MANIFEST).read_text())["kind"]
    {"tokens": TokenCorpus, "labelled": LabelledCorpus}[kind].open(folder, verify=True)
