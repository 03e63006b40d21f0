from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pseudolab import new_lab

if TYPE_CHECKING:
    from conftest import Shell

PROBE = """
import sys
from charrnn.cli.main import main
try:
    main()
except SystemExit as stop:
    code = stop.code or 0
print(code, [name for name in ("torch", "numpy") if name in sys.modules], file=sys.stderr)
"""
SHORT = ("--set", "train.max_steps=6", "--set", "pseudo.select={kind: all}")


@pytest.fixture
def place(shell: Shell) -> Shell:
    new_lab(shell.path)
    return shell


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROBE, "pseudolabel", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "0 []"


def test_a_config_that_is_not_there_is_told_without_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROBE, "pseudolabel", "missing.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "there is no such config" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("2 ")


def result_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_a_table_on_standard_output_and_as_json(place: Shell) -> None:
    done = place("pseudolabel", "config.yaml", *SHORT, "--rounds", "1", "--seeds", "2")
    result = result_of(place.path / "runs/config-pseudo")
    lines = done.stdout.splitlines()
    assert lines[0] == "the test split:"
    assert lines[1].startswith("seed")
    assert "handed back  accuracy" in lines[1]
    for line, seed in zip(lines[2:4], result["seeds"], strict=True):
        figures = [f"{seed[name]['accuracy']:.4f}" for name in ("figures", "control_figures")]
        assert line.split()[:5] == [str(seed["seed"]), "round", str(seed["handed_back"]), *figures]
    assert lines[4].startswith("mean ± deviation")
    assert lines[-1] == "report: runs/config-pseudo/report.md"
    assert "training the student" in done.stderr
    again = place("pseudolabel", "config.yaml", *SHORT, "--rounds", "1", "--seeds", "2", "--json", "--quiet")
    assert again.stderr == ""
    assert json.loads(again.stdout) == {"schema_version": 1, "folder": "runs/config-pseudo", **result}


def test_an_error_is_one_block_and_one_json_object(place: Shell) -> None:
    done = place("pseudolabel", "config.yaml", "--set", "corpus.labelled=null", "--json", code=3)
    assert "nothing to label" in json.loads(done.stdout)["error"]["what"]
    assert "hide the labels of all but so many items" in done.stderr
    assert not (place.path / "runs").exists()


@pytest.mark.slow
@pytest.mark.faults
def test_a_signal_saves_and_the_same_command_goes_on(place: Shell) -> None:
    long = ("--set", "train.max_steps=100000", "--set", "evaluate.every=10", "--set", "train.log_every=10")
    child = place.start("pseudolabel", "config.yaml", *long, "--json", "--force")
    last = place.path / "runs/config-pseudo/seed-1/round-0.part/run/last"
    for _ in range(2400):
        if last.exists():
            break
        assert child.poll() is None, child.communicate()
        time.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 143, err
    assert json.loads(out) == {"schema_version": 1, "folder": "runs/config-pseudo", "resumable": True, "signal": 15}
    assert "go on with: charrnn pseudolabel config.yaml --set train.max_steps=100000" in err
    assert "--force" not in err
    child = place.start("pseudolabel", "config.yaml", *long)
    for line in child.stderr or []:
        if line.startswith("resuming runs/config-pseudo/seed-1/round-0.part/run"):
            break
    else:
        raise AssertionError("it began anew")
    child.kill()
    child.communicate()
