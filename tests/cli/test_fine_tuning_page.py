"""The commands of docs/fine-tuning.md work as they are typed; only the runs are cut short."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from nursery import Nursery

ROOT = Path(__file__).resolve().parents[2]
SHORT = ("train.max_steps=2", "evaluate.every=1000", "train.threads=1", "sample.length=9")


def run(processes: Nursery, line: str, folder: Path) -> str:
    """What a command says on standard error."""
    program, *arguments = shlex.split(line, comments=True)
    if program != "charrnn":
        return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=True).stderr
    if arguments[0] == "train":
        arguments += [f"--set={setting}" for setting in SHORT]
    end = processes.run("nursery:charrnn", folder, *arguments)
    assert end.code == 0, (line, end.out, end.err)
    return end.err


@pytest.mark.slow
def test_the_commands_of_the_page(processes: Nursery, tmp_path: Path) -> None:
    for folder in ("configs", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    page = (ROOT / "docs" / "fine-tuning.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    told = {line: run(processes, line, tmp_path) for line in lines}
    assert len(told) == 5
    assert ["starting from runs/demo/checkpoints/step-00000002 (best): " in told[line] for line in lines] == [
        "--from" in line for line in lines
    ]
    (config,) = (block for language, block in blocks if language == "yaml")
    (tmp_path / "notes.yaml").write_text(config)
    assert "starting from runs/demo/" in run(processes, "charrnn train notes.yaml --out runs/other", tmp_path)
