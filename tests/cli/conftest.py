from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from nursery import Nursery

TINY = """\
corpus: {source: text.txt}
stream: {chunk: 8}
model: {core: {hidden: 4}, input: {size: 3}}
train: {max_steps: 12, save: {every: 5}}
sample: {length: 10}
"""


@dataclass
class Shell:
    """A folder with a text and a config, and the program as a user calls it.

    A call is a process of its own, at the price of a fork; `start` begins one with nothing in it but Python.
    """

    path: Path
    processes: Nursery
    environ: dict[str, str] = field(default_factory=dict)

    def at(self, path: Path) -> Shell:
        """The same in another folder."""
        return replace(self, path=path)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "charrnn", *arguments]

    def __call__(self, *arguments: str, text: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        end = self.processes.run("nursery:charrnn", self.path, *arguments, heard=text, **self.environ)
        assert end.code == code, (end.code, end.out, end.err)
        return subprocess.CompletedProcess(list(arguments), end.code, end.out, end.err)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture
def shell(tmp_path: Path, processes: Nursery) -> Shell:
    (tmp_path / "text.txt").write_text("the cat sat on the mat, and the dog ate it.\n" * 30)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return Shell(tmp_path, processes)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, processes: Nursery) -> Shell:
    """A folder with a finished run; tests must not change it."""
    path = tmp_path_factory.mktemp("trained")
    (path / "text.txt").write_text("the cat sat on the mat, and the dog ate it.\n" * 30)
    (path / "tiny.yaml").write_text(TINY)
    shell = Shell(path, processes)
    shell("train", "tiny.yaml", "--quiet")
    return shell


def stop(child: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Send a signal and wait for the end."""
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err
