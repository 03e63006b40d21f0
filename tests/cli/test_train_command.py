from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell


pytestmark = pytest.mark.slow


def wait_for(path: Path, child: subprocess.Popen[str]) -> None:
    for _ in range(600):
        if path.exists() and path.stat().st_size > 0:
            return
        assert child.poll() is None, child.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


LONG = ("--set", "train.max_steps=50000", "--set", "train.early_stop=null", "--set", "train.log_every=1")


def test_standard_output_holds_the_run_and_nothing_else(shell: Shell) -> None:
    done = shell("train", "tiny.yaml")
    assert done.stdout == "runs/tiny\n"
    assert "validation" in done.stderr
    assert "\x1b" not in done.stderr
    assert shell("train", "tiny.yaml").stderr.startswith("nothing to do")


def test_quiet_and_json(shell: Shell) -> None:
    done = shell("train", "tiny.yaml", "--quiet", "--json", "--out", "elsewhere/deep")
    assert done.stderr == ""
    outcome = json.loads(done.stdout)
    assert (outcome["run"], outcome["step"]) == ("elsewhere/deep", 12)
    assert outcome["best"]["bits_per_char"] > 0
    records = [json.loads(line) for line in (shell.path / "elsewhere/deep/metrics.jsonl").read_text().splitlines()]
    assert {"step", "epoch", "time", "split", "nats", "bits_per_char", "bits_per_byte", "perplexity"} <= set(records[0])


def test_check_stops_before_anything_is_written_but_the_corpus(shell: Shell) -> None:
    report = json.loads(shell("train", "tiny.yaml", "--check", "--json", "--quiet").stdout)
    symbols = report["vocabulary"]
    assert report["parameters"] == symbols * 3 + 4 * 4 * (3 + 4 + 2) + symbols * (4 + 1)
    assert report["steps"] == 12
    assert {"device", "peak_memory_mib", "steps_per_epoch", "estimated_minutes"} <= set(report)
    assert not (shell.path / "runs").exists()


def test_other_lanes_go_on_where_they_are_allowed(shell: Shell) -> None:
    shell("train", "tiny.yaml", "--quiet")
    longer = ("train", "tiny.yaml", "--set", "train.max_steps=20", "--set", "stream.lanes=2")
    refused = shell(*longer, "--resume", code=2).stderr
    assert "refused without --allow-stream" in refused
    assert "--allow-seed is for a run that goes on" in shell(*longer, "--allow-seed", code=2).stderr
    told = shell(*longer, "--resume", "--allow-stream").stderr
    assert "restarts: the next epoch begins, read in this way" in told
    assert json.loads(shell(*longer, "--resume", "--json", "--quiet").stdout)["step"] == 20


def test_fine_tuning_from_a_run_on_another_text(shell: Shell) -> None:
    shell("train", "tiny.yaml", "--quiet")
    (shell.path / "other.txt").write_text("The cat sat on a mat; the dog ate it.\n" * 30)
    settings = ("--set", "corpus.source=other.txt", "--from", "runs/tiny")
    checked = shell("train", "tiny.yaml", *settings, "--check")
    done = shell("train", "tiny.yaml", *settings, "--out", "runs/tuned")
    for told in (checked, done):
        assert "starting from runs/tiny/checkpoints/step-00000012 (best): " in told.stderr
        assert "symbols keep their weights, 2 are new, " in told.stderr
    assert done.stdout == "runs/tuned\n"
    assert f'start_from: "{shell.path}/runs/tiny"' in (shell.path / "runs/tuned/config.yaml").read_text()
    longer = ("--resume", "--out", "runs/tuned", "--set", "train.max_steps=14", "--quiet")
    (shell.path / "runs/tiny").rename(shell.path / "gone")
    shell("train", "runs/tuned/config.yaml", *longer)
    refused = shell("train", "tiny.yaml", *settings, "--out", "runs/tuned", "--force", code=2)
    assert "there is no such run" in refused.stderr


def test_a_run_from_itself_is_refused_whatever_is_in_the_folder(shell: Shell) -> None:
    shell("train", "tiny.yaml", "--quiet")
    for option in ((), ("--force",)):
        assert "cannot start from itself" in shell("train", "tiny.yaml", "--from", "runs/tiny", *option, code=2).stderr


@pytest.mark.faults
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_resume_goes_on(shell: Shell, number: signal.Signals, code: int) -> None:
    child = shell.start("train", "tiny.yaml", *LONG, "--json")
    wait_for(shell.path / "runs/tiny/metrics.jsonl", child)
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == code, err
    assert json.loads(out)["resumable"] is True
    assert "--resume" in err
    steps = sorted(path.name for path in (shell.path / "runs/tiny/checkpoints").iterdir())
    step = int(steps[-1].removeprefix("step-"))
    last = (shell.path / "runs/tiny/metrics.jsonl").read_text().splitlines()[-1]
    assert step >= json.loads(last)["step"]
    done = shell("train", "tiny.yaml", *LONG, "--resume", "--set", f"train.max_steps={step + 3}", "--json", "--quiet")
    assert json.loads(done.stdout)["step"] == step + 3


@pytest.mark.faults
def test_ctrl_c_twice_leaves_at_once_and_loses_nothing_that_was_saved(shell: Shell) -> None:
    child = shell.start("train", "tiny.yaml", *LONG, "--set", "sample.length=100000000", "--set", "evaluate.every=50")
    wait_for(shell.path / "runs/tiny/last", child)
    child.send_signal(signal.SIGINT)
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    # The second may find the program still saving, or already on its way out: a shell shows 130 for both.
    assert child.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in err
    options = (*LONG, "--set", "evaluate.every=1000000", "--set", "train.max_steps=60")
    shell("train", "tiny.yaml", *options, "--resume", "--quiet")


@pytest.mark.faults
def test_a_disk_that_fills_up_while_training_leaves_the_run_as_it_was_saved(shell: Shell) -> None:
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    train = ("train", "tiny.yaml", "--set", "model.core.hidden=32", "--set", "train.tensorboard=false", "--quiet")
    longer = (*train, "--resume", "--set", "train.max_steps=40")
    shell(*train)
    before = {path.name for path in (shell.path / "runs/tiny/checkpoints").iterdir()}
    done = subprocess.run(
        shell.command(*longer), cwd=shell.path, capture_output=True, text=True, preexec_fn=limit, check=False
    )
    assert done.returncode == 7, done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in (shell.path / "runs/tiny/checkpoints").iterdir()} == before
    shell("sample", "--length", "5")
    shell(*longer)


def test_a_run_goes_on_when_nobody_reads_standard_error(shell: Shell) -> None:
    command = " ".join(f"'{word}'" for word in shell.command("train", "tiny.yaml", "--set", "train.log_every=1"))
    subprocess.run(["bash", "-c", f"{command} 2>&1 >/dev/null | head -n 1"], cwd=shell.path, check=True, timeout=60)
    assert (shell.path / "runs/tiny/checkpoints/step-00000012/manifest.json").exists()


@pytest.mark.faults
def test_sigusr1_saves_and_goes_on(shell: Shell) -> None:
    child = shell.start(
        "train", "tiny.yaml", *LONG, "--set", "train.save.every=1000000", "--set", "evaluate.every=1000000"
    )
    wait_for(shell.path / "runs/tiny/metrics.jsonl", child)
    child.send_signal(signal.SIGUSR1)
    wait_for(shell.path / "runs/tiny/last", child)
    assert child.poll() is None
    child.kill()
    child.communicate()


@pytest.mark.faults
def test_killed_and_resumed_from_the_command_line(shell: Shell) -> None:
    settings = ("--set", "train.max_steps=400", "--set", "train.early_stop=null", "--quiet")
    shell("train", "tiny.yaml", *settings, "--out", "whole")
    child = shell.start("train", "tiny.yaml", *settings, "--out", "broken")
    wait_for(shell.path / "broken/last", child)
    child.kill()
    child.communicate()
    shell("train", "tiny.yaml", *settings, "--out", "broken", "--resume")
    for name in ("model.safetensors", "optimizer.safetensors", "lanes.safetensors", "train.json"):
        whole, broken = (shell.path / run / "checkpoints/step-00000400" / name for run in ("whole", "broken"))
        assert whole.read_bytes() == broken.read_bytes(), name


def test_an_interactive_view_on_a_terminal_and_none_with_term_dumb(shell: Shell) -> None:
    def on_a_terminal(**environ: str) -> str:
        parent, child = os.openpty()
        env = {k: v for k, v in os.environ.items() if k != "CI"} | {"TERM": "xterm-256color"} | environ
        process = subprocess.Popen(
            shell.command("train", "tiny.yaml", "--force"),
            cwd=shell.path,
            stderr=child,
            stdout=subprocess.PIPE,
            env=env,
        )
        os.close(child)
        seen = b""
        while True:
            try:
                data = os.read(parent, 4096)
            except OSError:
                break
            if not data:
                break
            seen += data
        os.close(parent)
        process.communicate()
        assert process.returncode == 0, seen
        return seen.decode("utf-8")

    assert "\x1b[" in on_a_terminal()
    assert "\x1b[3" not in on_a_terminal(NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(TERM="dumb")
