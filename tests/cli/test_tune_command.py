from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Shell

SPACE = """\
tune:
  trials: 7
  max_steps: 150
  space:
    train.optimizer.lr: {kind: log, low: 1e-3, high: 1e-1}
    model.core.hidden: {kind: int, low: 4, high: 8}
  sampler: {startup: 3}
  prune: {after_trials: 2}
evaluate: {every: 50}
"""


@pytest.fixture
def study(shell: Shell) -> Shell:
    with (shell.path / "tiny.yaml").open("a") as file:
        file.write(SPACE)
    return shell


def wait_for(path: Path, child: subprocess.Popen[str]) -> None:
    for _ in range(2400):
        if path.exists() and path.stat().st_size > 0:
            return
        assert child.poll() is None, child.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def report_of(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


PROBE = """
import sys
from charrnn.cli.main import main
try:
    main()
except SystemExit as stop:
    assert not stop.code
print([name for name in ("torch", "optuna", "matplotlib") if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["tune", "--help"], ["find-lr", "--help"]])
def test_help_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_without_optuna_the_error_says_how_to_install_it(study: Shell) -> None:
    program = "import sys; sys.modules['optuna'] = None; from charrnn.cli.main import main; main()"
    command = [sys.executable, "-c", program, "tune", "tiny.yaml"]
    done = subprocess.run(command, cwd=study.path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'charrnn[tune]'" in done.stderr
    assert sorted(path.name for path in study.path.iterdir()) == ["text.txt", "tiny.yaml"]


@pytest.mark.slow
def test_the_result_on_standard_output_and_as_json(study: Shell) -> None:
    done = study("tune", "tiny.yaml", "--trials", "2")
    assert done.stdout.startswith("trials: 2 complete, of 2\nbest: studies/tiny/trials/000")
    assert "config: studies/tiny/best.yaml\nreport: studies/tiny/report.md\n" in done.stdout
    again = study("tune", "tiny.yaml", "--trials", "2", "--json", "--quiet")
    assert again.stderr == ""
    result = json.loads(again.stdout)
    assert {key: result[key] for key in report_of(study.path / "studies/tiny")} == report_of(
        study.path / "studies/tiny"
    )
    assert f"{result['best']['nats']:.3f} nats" in done.stdout
    study("train", "studies/tiny/best.yaml", "--check", "--quiet")


@pytest.mark.slow
def test_two_processes_share_a_study_and_it_has_exactly_its_trials(study: Shell) -> None:
    children = [study.start("tune", "tiny.yaml", "--json", "--quiet") for _ in range(2)]
    ends = [(*child.communicate(timeout=300), child.returncode) for child in children]
    assert [code for *_, code in ends] == [0, 0], ends
    # The one that ends first may leave the other with a trial; the last one's report is whole.
    report = report_of(study.path / "studies/tiny")
    assert sorted(row["trial"] for row in report["table"]) == list(range(7))
    assert report["counts"]["running"] == report["counts"]["failed"] == 0
    runs = sorted((study.path / "studies/tiny/trials").iterdir())
    assert [run.name for run in runs] == [f"{number:04}" for number in range(7)]
    assert len({json.dumps(row["values"]) for row in report["table"]}) == 7
    for row, run in ((row, study.path / "studies/tiny" / row["run"]) for row in report["table"]):
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert row["nats"] == min(record["nats"] for record in records if record["split"] == "valid")


@pytest.mark.slow
@pytest.mark.faults
def test_killed_in_the_middle_of_a_trial_it_ends_as_the_unbroken_study(study: Shell) -> None:
    study("tune", "tiny.yaml", "--quiet", "--out", "whole")
    for trial in ("0000", "0003"):
        child = study.start("tune", "tiny.yaml", "--quiet", "--out", "broken")
        wait_for(study.path / "broken/trials" / trial / "last", child)
        child.kill()
        child.communicate()
    study("tune", "tiny.yaml", "--quiet", "--out", "broken")
    assert report_of(study.path / "broken") == report_of(study.path / "whole")
    for run in sorted((study.path / "whole/trials").iterdir()):
        last = (run / "last").read_text().strip()
        broken = study.path / "broken/trials" / run.name / "checkpoints" / last / "model.safetensors"
        assert broken.read_bytes() == (run / "checkpoints" / last / "model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.faults
def test_a_signal_saves_the_trial_and_the_same_command_goes_on_with_it(study: Shell) -> None:
    long = ("--set", "tune.max_steps=100000", "--set", "train.early_stop=null", "--trials", "1")
    child = study.start("tune", "tiny.yaml", *long, "--json")
    wait_for(study.path / "studies/tiny/trials/0000/last", child)
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 143, err
    assert json.loads(out) == {"schema_version": 1, "study": "studies/tiny", "resumable": True, "signal": 15}
    assert "go on with: charrnn tune tiny.yaml" in err
    child = study.start("tune", "tiny.yaml", *long)
    for line in child.stderr or []:
        if line.startswith("resuming studies/tiny/trials/0000"):
            break
    else:
        raise AssertionError("it began anew")
    child.kill()
    child.communicate()
