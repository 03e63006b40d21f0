from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell

pytestmark = pytest.mark.slow

ONE_BLOCK = "error: "
DYNAMIC = ("--dynamic", "--set", "evaluate.dynamic={lr: 1e-3, segment: 5, statistics: 4}")


@pytest.fixture
def copied(trained: Shell, tmp_path: Path) -> Shell:
    """The trained run, for a test that changes it."""
    shutil.copytree(trained.path, tmp_path / "copy")
    return trained.at(tmp_path / "copy")


def block(stderr: str) -> str:
    """The error block; there is exactly one, and no traceback."""
    assert stderr.count(ONE_BLOCK) == 1, stderr
    assert "Traceback" not in stderr
    return stderr[stderr.index(ONE_BLOCK) :]


def test_the_newest_run_is_the_default_and_json_is_what_training_recorded(trained: Shell) -> None:
    one, two = trained("evaluate", "--json"), trained("evaluate", "runs/tiny", "--json")
    assert one.stdout == two.stdout
    assert "runs/tiny/checkpoints/step-" in one.stderr
    assert "(best)" in one.stderr
    result = json.loads(one.stdout)
    lines = (trained.path / "runs/tiny/metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    [record] = [r for r in records if r["split"] == "valid" and r["step"] == result["step"]]
    for name in ("nats", "bits_per_char", "bits_per_byte", "perplexity", "lanes"):
        assert result[name] == record[name]
    assert len(result["positions"]["nats"]) == 64
    assert result["dynamic"] is None


def test_the_table_shows_the_figures_of_the_json(trained: Shell) -> None:
    result = json.loads(trained("evaluate", *DYNAMIC, "--positions", "20", "--json").stdout)
    lines = trained("evaluate", *DYNAMIC, "--positions", "20", "--quiet")
    assert lines.stderr == ""
    rows = lines.stdout.splitlines()
    assert rows[0] == f"valid, {result['tokens']} tokens"
    dynamic = result["dynamic"]
    expected = [("static", result), ("static", dynamic["static"]), ("dynamic (rms)", dynamic)]
    for row, (name, figures) in zip(rows[2:5], expected, strict=True):
        numbers = [f"{figures[key]:.4f}" for key in ("nats", "bits_per_char", "bits_per_byte", "perplexity")]
        assert row.split() == [*name.split(), str(figures["lanes"]), *numbers]
    assert rows[5].split() == ["gain", *(f"{gain:.4f}" for gain in dynamic["gain"].values())]
    assert rows[7] == "mean nats at position k after a cold start (windows of 20 tokens)"
    nats = result["positions"]["nats"]
    assert [row.split() for row in rows[8:]] == [[str(k), f"{nats[k - 1]:.4f}"] for k in (1, 2, 4, 8, 16, 20)]


def test_training_text_is_called_so(trained: Shell) -> None:
    assert "the text that it was trained on" in trained("evaluate", "--split", "train").stdout
    assert "the text that it was trained on" not in trained("evaluate", "--split", "test").stdout


def test_a_picture(trained: Shell, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    trained("evaluate", "--picture", str(tmp_path / "loss.svg"))
    drawn = (tmp_path / "loss.svg").read_text()
    assert drawn.startswith("<?xml")
    assert "loss after a cold start" in drawn
    assert "mean nats at position k" in drawn
    said = block(trained("evaluate", "--picture", str(tmp_path / "loss.gif"), code=2).stderr)
    assert "loss.svg" in said


def test_a_checkpoint_by_name_and_without_its_run(trained: Shell, tmp_path: Path) -> None:
    place = "runs/tiny/checkpoints/step-00000012"
    named = trained("evaluate", place, "--json")
    assert "step-00000012 (named)" in named.stderr
    shutil.copytree(trained.path / place, tmp_path / "step-00000012")
    alone = str(tmp_path / "step-00000012")
    assert "--config CONFIG" in block(trained("evaluate", alone, code=2).stderr)
    result = json.loads(trained("evaluate", alone, "--config", "tiny.yaml", "--json").stdout)
    assert result == json.loads(named.stdout) | {"checkpoint": alone}


def test_usage(shell: Shell, trained: Shell) -> None:
    assert "charrnn train CONFIG" in block(shell("evaluate", code=2).stderr)
    assert "nowhere" in block(shell("evaluate", "nowhere", code=2).stderr)
    assert "--positions" in shell("evaluate", "--positions", "0", code=2).stderr
    shell("evaluate", "--split", "all", code=2)
    assert "longer than the valid split" in block(trained("evaluate", "--positions", "5000", code=2).stderr)
    assert "cuda:99" in block(trained("evaluate", "--device", "cuda:99", code=2).stderr)
    assert "model.core.hidden" in block(trained("evaluate", "--set", "model.core.hidden=5", code=2).stderr)
    assert "no-config.yaml" in block(trained("evaluate", "--config", "no-config.yaml", code=2).stderr)


def test_an_empty_split(shell: Shell) -> None:
    shell("train", "tiny.yaml", "--quiet", "--set", "corpus.split=[0.9, 0.1, 0.0]", "--set", "train.max_steps=2")
    assert "the test split is empty" in block(shell("evaluate", "--split", "test", code=3).stderr)


def test_another_text(copied: Shell) -> None:
    (copied.path / "text.txt").write_text("the cow sat on the mat, and the dog ate it!\n" * 30)
    assert "vocabulary" in block(copied("evaluate", "--config", "tiny.yaml", code=3).stderr)


def test_a_damaged_checkpoint(copied: Shell) -> None:
    run = copied.path / "runs" / "tiny"
    model = run / "checkpoints" / (run / "best").read_text().strip() / "model.safetensors"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 4
    model.write_bytes(data)
    assert "SHA-256" in block(copied("evaluate", code=4).stderr)


def test_a_rate_that_is_too_high(trained: Shell) -> None:
    arguments = ("--dynamic", "--set", "evaluate.dynamic={kind: sgd, lr: 1e300}")
    said = block(trained("evaluate", *arguments, code=5).stderr)
    assert "evaluate.dynamic.lr is 1e+300" in said
    assert "diverged" in json.loads(trained("evaluate", *arguments, "--json", code=5).stdout)["error"]["what"]
