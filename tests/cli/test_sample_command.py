from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell


pytestmark = pytest.mark.slow


def test_the_newest_run_is_the_default_and_the_text_is_repeatable(trained: Shell) -> None:
    one, two = trained("sample", "--seed", "the "), trained("sample", "runs/tiny", "--seed", "the ")
    assert one.stdout == two.stdout
    assert one.stdout.startswith("the ")
    assert len(one.stdout) == 4 + 10 + 1
    assert "runs/tiny/checkpoints/step-" in one.stderr
    assert "(best)" in one.stderr
    assert trained("sample", "--seed", "the ", "--random-seed", "9").stdout != one.stdout


def test_json_holds_every_sample(trained: Shell) -> None:
    done = json.loads(trained("sample", "--seed", "the ", "--count", "3", "--length", "7", "--json").stdout)
    assert len(done["samples"]) == 3
    assert len(set(done["samples"])) > 1
    assert all(len(text) == 7 for text in done["samples"])
    assert done["options"]["temperature"] == 0.8


def test_a_seed_from_a_file(trained: Shell) -> None:
    (trained.path / "seed.txt").write_text("and the ")
    assert trained("sample", "--seed-file", "seed.txt").stdout.startswith("and the ")
    trained("sample", "--seed-file", "seed.txt", "--seed", "x", code=2)
    trained("sample", "--seed-file", "none.txt", code=2)


def test_filters_and_stop(trained: Shell) -> None:
    greedy = trained("sample", "--greedy", "--seed", "the ").stdout
    assert trained("sample", "--top-k", "1", "--seed", "the ").stdout == greedy
    assert trained("sample", "--min-p", "1", "--seed", "the ").stdout == greedy
    assert trained("sample", "--top-p", "1e-9", "--seed", "the ").stdout == greedy
    text = trained("sample", "--length", "200", "--stop", "a").stdout
    assert "a" not in text


def test_a_checkpoint_by_name(trained: Shell) -> None:
    done = trained("sample", "runs/tiny/checkpoints/step-00000012", "--length", "3")
    assert "step-00000012 (named)" in done.stderr


def test_a_reader_that_leaves_is_no_error(trained: Shell) -> None:
    command = " ".join(f"'{word}'" for word in trained.command("sample", "--length", "100000"))
    done = subprocess.run(
        ["bash", "-c", f"{command} 2>err.txt | head -c 5; code=${{PIPESTATUS[0]}}; echo; echo $code"],
        cwd=trained.path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "141"
    err = (trained.path / "err.txt").read_text()
    assert "error" not in err.lower()
    assert "Traceback" not in err


def test_no_run_yet(shell: Shell) -> None:
    assert "charrnn train CONFIG" in shell("sample", code=2).stderr
    assert "nowhere" in shell("sample", "nowhere", code=2).stderr
