from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell

pytestmark = pytest.mark.slow

QUICK = ("--steps", "60", "--low", "1e-5")


def test_a_table_a_suggestion_and_a_picture(shell: Shell) -> None:
    done = shell("find-lr", "tiny.yaml", *QUICK)
    head, *rows, ended, suggested = done.stdout.splitlines()
    assert head.split() == ["rate", "nats/token"]
    assert "rates up to 10" in ended or "at" in ended
    assert 10 <= len(rows) <= 30
    assert [float(row.split()[0]) for row in rows] == sorted(float(row.split()[0]) for row in rows)
    assert [len([row for row in rows if row.endswith(word)]) for word in ("lowest", "suggested")] == [1, 1]
    found = re.fullmatch(r"suggested: (--set) (train\.optimizer\.lr=\S+)", suggested)
    assert found is not None
    shell("train", "tiny.yaml", *found.groups(), "--check", "--quiet")
    picture = shell.path / "tiny-find-lr.svg"
    assert picture.read_text(encoding="utf-8").lstrip().startswith("<?xml")
    assert "nats per token" in picture.read_text(encoding="utf-8")
    assert "the picture is tiny-find-lr.svg" in done.stderr
    assert not (shell.path / "runs").exists()


def test_json_holds_every_step_and_the_words_agree_with_it(shell: Shell) -> None:
    done = shell("find-lr", "tiny.yaml", *QUICK, "--json", "--quiet", "--picture", "deep/a.png")
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert (shell.path / "deep/a.png").read_bytes().startswith(b"\x89PNG")
    assert result["picture"] == "deep/a.png"
    assert len(result["rates"]) == len(result["nats"]) == len(result["smooth"])
    assert result["rates"][0] == 1e-5
    words = shell("find-lr", "tiny.yaml", *QUICK, "--quiet").stdout
    assert words.endswith(f"suggested: --set train.optimizer.lr={result['suggestion']:g}\n")


def test_a_picture_that_cannot_be_drawn_is_refused_before_the_work(shell: Shell) -> None:
    assert ".svg" in shell("find-lr", "tiny.yaml", "--picture", "a.jpeg", code=2).stderr
    assert not (shell.path / "corpora").exists()


def test_a_range_that_is_none(shell: Shell) -> None:
    assert "not a range" in shell("find-lr", "tiny.yaml", "--low", "1", "--high", "0.1", code=2).stderr


def without(package: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program where `package` is not installed."""
    program = f"import sys; sys.modules[{package!r}] = None; from charrnn.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_without_matplotlib_there_is_a_table_and_a_word_about_it(shell: Shell) -> None:
    done = without("matplotlib", shell.path, "find-lr", "tiny.yaml", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "suggested" in done.stdout
    assert "charrnn[plots]" in done.stderr
    assert list(shell.path.glob("*.svg")) == []
    asked = without("matplotlib", shell.path, "find-lr", "tiny.yaml", *QUICK, "--picture", "a.svg")
    assert asked.returncode == 2
    assert asked.stdout == ""
