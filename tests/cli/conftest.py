from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TINY = """\
corpus: {source: text.txt}
stream: {chunk: 8}
model: {core: {hidden: 4}, input: {size: 3}}
train: {max_steps: 12, save: {every: 5}}
sample: {length: 10}
"""


@dataclass
class Shell:
    """A folder with a text and a config, and the program as a user calls it."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "charrnn", *arguments]

    def __call__(self, *arguments: str, text: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            env=os.environ | self.environ,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "text.txt").write_text("the cat sat on the mat, and the dog ate it.\n" * 30)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A folder with a finished run; tests must not change it."""
    path = tmp_path_factory.mktemp("trained")
    (path / "text.txt").write_text("the cat sat on the mat, and the dog ate it.\n" * 30)
    (path / "tiny.yaml").write_text(TINY)
    shell = Shell(path)
    shell("train", "tiny.yaml", "--quiet")
    return shell


def stop(child: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Send a signal and wait for the end."""
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err
