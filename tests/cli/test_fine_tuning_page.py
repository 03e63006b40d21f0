"""The commands of docs/fine-tuning.md work as they are typed; only the runs are cut short."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHORT = " --set train.max_steps=2 --set evaluate.every=1000 --set train.threads=1 --set sample.length=9"
CHARRNN = f"{shlex.quote(sys.executable)} -m charrnn"


def run(line: str, folder: Path) -> str:
    if line.startswith("charrnn train"):
        line += SHORT
    command = re.sub("^charrnn", CHARRNN, line)
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stderr


@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path: Path) -> None:
    for folder in ("configs", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    page = (ROOT / "docs" / "fine-tuning.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    told = {line: run(line, tmp_path) for line in lines}
    assert len(told) == 5
    assert ["starting from runs/demo/checkpoints/step-00000002 (best): " in told[line] for line in lines] == [
        "--from" in line for line in lines
    ]
    (config,) = (block for language, block in blocks if language == "yaml")
    (tmp_path / "notes.yaml").write_text(config)
    assert "starting from runs/demo/" in run("charrnn train notes.yaml --out runs/other", tmp_path)
