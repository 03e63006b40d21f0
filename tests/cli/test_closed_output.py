"""A standard output that nobody reads, or that takes no more: one rule for results, pages of help and errors."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell

RESULTS = [("--help",), (), ("config", "schema")]


def left(shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What comes of a command whose reader has gone before its first word."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return run(shell, arguments, stdout=writer)
    finally:
        os.close(writer)


def closed(shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What comes of a command that was started without a standard output."""
    return run(shell, arguments, preexec_fn=lambda: os.close(1))


def full(shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What comes of a command whose standard output lies on a full disk."""
    with open("/dev/full", "w") as device:
        return run(shell, arguments, stdout=device)


def run(shell: Shell, arguments: tuple[str, ...], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        shell.command(*arguments), cwd=shell.path, stderr=subprocess.PIPE, text=True, check=False, **options
    )


@pytest.mark.parametrize("arguments", RESULTS, ids=" ".join)
@pytest.mark.parametrize("gone", [left, closed])
def test_a_reader_that_has_gone_is_no_error(
    shell: Shell, gone: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...]
) -> None:
    done = gone(shell, *arguments)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    "arguments", [("--help",), ("config", "schema"), ("prepare", "text.txt"), ("init", "text.txt")], ids=" ".join
)
def test_a_standard_output_that_is_full_is_exit_7(shell: Shell, arguments: tuple[str, ...]) -> None:
    done = full(shell, *arguments)
    assert done.returncode == 7, done.stderr
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("gone", [left, closed, full])
def test_an_error_keeps_its_exit_code_where_nobody_reads_its_json(
    shell: Shell, gone: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = gone(shell, "train", "nowhere.yaml", "--json")
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no such config")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "code"), [(("prepare", "text.txt"), 0), (("prepare", "none.txt"), 3)], ids=str)
def test_a_standard_error_that_is_full_changes_no_exit_code(
    shell: Shell, arguments: tuple[str, ...], code: int
) -> None:
    """As in `charrnn train … 2> log` beside a run that has filled its disk."""
    with open("/dev/full", "w") as device:
        for _ in range(2):  # the second time there is something to say where the first went well
            done = subprocess.run(
                shell.command(*arguments), cwd=shell.path, stdout=subprocess.PIPE, stderr=device, text=True, check=False
            )
            assert done.returncode == code
            assert done.stdout.startswith("corpora/") == (code == 0)
