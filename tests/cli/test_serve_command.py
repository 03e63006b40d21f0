"""`charrnn serve` as a user calls it."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from charrnn.checkpoint.write import write_checkpoint
from charrnn.config.schema import config_from

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from conftest import Shell

pytestmark = pytest.mark.slow


@contextmanager
def serving(shell: Shell, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server, and the first line that it prints."""
    child = shell.start("serve", *arguments)
    try:
        assert child.stdout is not None
        yield child, child.stdout.readline()
    finally:
        child.kill()
        child.communicate()


def stop(child: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Send a signal and wait for the end."""
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err


def ask(url: str, body: Any = None) -> Any:
    with urllib.request.urlopen(url, None if body is None else json.dumps(body).encode(), timeout=30) as answer:
        return json.load(answer)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_prints_its_address_answers_and_ends_with_a_signal(
    trained: Shell, number: signal.Signals, code: int
) -> None:
    with serving(trained, "runs/tiny", "--port", "0") as (child, line):
        url = line.rstrip("\n")
        made = ask(f"{url}api/sample", {"seed": "the", "count": 2, "length": 30})
        assert stop(child, number)[:2] == (code, "")
    wanted = trained("sample", "runs/tiny", "--seed", "the", "--count", "2", "--length", "30", "--json")
    assert made["samples"] == json.loads(wanted.stdout)["samples"]


def test_what_it_says_goes_to_standard_error_and_can_be_quiet(trained: Shell) -> None:
    with serving(trained, "runs/tiny", "--port", "0", "--json") as (child, line):
        told = json.loads(line)
        assert (told["schema_version"], told["loopback"]) == (1, True)
        score = ask(f"{told['url']}api/score", {"text": "the cat"})
        code, out, err = stop(child, signal.SIGINT)
    assert (code, out) == (130, "")
    said = err.splitlines()
    assert said[0].startswith("serving runs/tiny/checkpoints/step-")
    assert said[1].startswith("POST /api/score 200 ")
    assert said[2:] == ["error: stopped by SIGINT"]
    of_command = json.loads(trained("score", "runs/tiny", "--json", text="the cat").stdout.splitlines()[-1])
    assert score["nats"] == of_command["nats"]
    with serving(trained, "runs/tiny", "--port", "0", "--quiet", "--host", "localhost") as (child, line):
        ask(f"{line.strip()}api/model")
        assert stop(child, signal.SIGINT) == (130, "", "error: stopped by SIGINT\n")


def test_an_address_for_other_machines_is_said_aloud(trained: Shell) -> None:
    with serving(trained, "runs/tiny", "--port", "0", "--host", "0.0.0.0") as (child, line):
        assert line.startswith("http://0.0.0.0:")
        assert "other machines can reach it: there is no password" in stop(child, signal.SIGTERM)[2]


def test_a_port_in_use_is_one_clear_error(trained: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = trained("serve", "runs/tiny", "--port", port, code=2)
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == f"error: cannot listen on port {port} of 127.0.0.1"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--port", "65536"], "65535"),
        (["--host", "no such host"], "there is no host 'no such host'"),
        (["--max-samples", "9", "--max-streams", "8"], "a request of 9 samples would wait for ever"),
        (["--max-waiting", "0"], "--max-waiting"),
    ],
)
def test_what_cannot_be_served_is_refused(trained: Shell, arguments: list[str], what: str) -> None:
    done = trained("serve", "runs/tiny", *arguments, code=2)
    assert done.stdout == ""
    assert what in done.stderr


def test_the_last_checkpoint_stands_in_for_the_best_and_none_for_none(trained: Shell, tmp_path: Path) -> None:
    shell = trained.at(tmp_path)
    shutil.copytree(trained.path / "runs" / "tiny", tmp_path / "run")
    (tmp_path / "run" / "best").unlink()
    with serving(shell, "run", "--port", "0") as (child, line):
        assert line.startswith("http://127.0.0.1:")
        assert "(last)" in stop(child, signal.SIGINT)[2]
    (tmp_path / "run" / "last").unlink()
    assert "no checkpoint yet" in shell("serve", "run", code=4).stderr


def test_other_tasks_are_refused(trained: Shell, tmp_path: Path) -> None:
    config = config_from({"task": "rate", "corpus": {"source": "ratings.csv"}}).model_dump(mode="json")
    documents = {"config": {"config": config, "corpus_digest": "0" * 64, "plan": {}}}
    write_checkpoint(tmp_path / "run" / "checkpoints", 3, {}, documents)
    done = trained.at(tmp_path)("serve", "run/checkpoints/step-00000003", code=2)
    assert "this is for language models only" in done.stderr
