"""`charrnn export` as a user calls it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from charrnn.checkpoint.write import write_checkpoint
from charrnn.config.schema import config_from

if TYPE_CHECKING:
    from conftest import Shell

pytestmark = pytest.mark.slow

FILES = ["model.onnx", "vocabulary.json", "interface.json", "parity.json", "README.md"]


@pytest.fixture
def elsewhere(trained: Shell, tmp_path: Path) -> Shell:
    """A folder without a run, whose corpora are those of the finished run."""
    (tmp_path / "corpora").symlink_to(trained.path / "corpora")
    return trained.at(tmp_path)


def test_a_graph_goes_to_exports_and_its_difference_is_printed(trained: Shell, elsewhere: Shell) -> None:
    done = elsewhere("export", str(trained.path / "runs" / "tiny"), "--format", "onnx")
    lines = done.stdout.splitlines()
    assert lines[0] == "exports/tiny"
    assert [line.split()[0] for line in lines[1:6]] == FILES
    assert lines[6].startswith("largest difference of a score in onnxruntime: ")
    assert lines[6].endswith("(200 symbols, batches of 1 and 3)")
    assert len(lines) == 7
    folder = elsewhere.path / "exports" / "tiny"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    (said,) = done.stderr.splitlines()  # and nothing of what the libraries have to say
    assert said.startswith("exporting ")
    assert said.endswith("(best)")


def test_eight_bits_are_measured_on_the_validation_split(trained: Shell, elsewhere: Shell) -> None:
    run = str(trained.path / "runs" / "tiny")
    done = elsewhere("export", run, "--format", "onnx", "--int8", "--quiet")
    assert done.stderr == ""
    last = done.stdout.splitlines()[-1]
    assert last.startswith("nats per symbol: fp32 ")
    assert last.endswith("symbols of the validation split")
    told = json.loads(elsewhere("export", run, "--format", "onnx", "--int8", "--json").stdout)
    assert told["schema_version"] == 1
    assert told["format"] == "onnx"
    assert list(told["files"]) == ["model.onnx", "model.int8.onnx", *FILES[1:]]
    assert told["int8"]["kept_fp32"] == []
    assert told["largest_difference"] < 1e-4


def test_a_page_goes_to_exports_and_to_where_it_is_told(trained: Shell, elsewhere: Shell) -> None:
    run = str(trained.path / "runs" / "tiny")
    done = elsewhere("export", run, "--format", "web")
    assert done.stdout.splitlines()[0] == "exports/tiny.html"
    (elsewhere.path / "text.txt").write_text("the dog sat on the cat")
    told = json.loads(
        elsewhere(
            "export", run, "--format", "web", "--out", "a/b.html", "--half", "--text", "text.txt", "--json"
        ).stdout
    )
    assert told["bytes"] == (elsewhere.path / "a" / "b.html").stat().st_size
    assert told["fp16"]["text"] == "1 × 22 symbols of text.txt"
    assert told["bytes"] < (elsewhere.path / "exports" / "tiny.html").stat().st_size


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["--format", "web", "--int8"], 2, "--int8 is for --format onnx"),
        (["--format", "onnx", "--half"], 2, "--half is for --format web"),
        (["--format", "web", "--text", "text.txt"], 2, "--text is what a loss is measured on"),
        (["--format", "paper"], 2, "paper"),
        ([], 2, "--format"),
        (["--format", "web", "--half", "--text", "none.txt"], 2, "cannot read the text"),
        (["--format", "web", "--half", "--text", "tiny.yaml"], 3, "the vocabulary lacks"),
        (["--format", "web", "--out", "text.txt"], 2, "no page of charrnn's"),
        (["--format", "web", "--out", "text.txt/x.html"], 7, "cannot write"),
        (["--format", "onnx", "--out", "runs/tiny"], 2, "holds other things"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_does_not_fit_is_refused(trained: Shell, arguments: list[str], code: int, what: str) -> None:
    done = trained("export", "runs/tiny", *arguments, code=code)
    assert done.stdout == ""
    assert what in done.stderr


def test_the_last_checkpoint_stands_in_for_the_best_and_none_for_none(trained: Shell, tmp_path: Path) -> None:
    shell = trained.at(tmp_path)
    shutil.copytree(trained.path / "runs" / "tiny", tmp_path / "run")
    (tmp_path / "run" / "best").unlink()
    assert "(last)" in shell("export", "run", "--format", "web").stderr
    (tmp_path / "run" / "last").unlink()
    assert "no checkpoint yet" in shell("export", "run", "--format", "web", code=4).stderr
    assert "there is no run to use" in shell("export", "--format", "web", code=2).stderr


def test_other_tasks_are_refused(trained: Shell, tmp_path: Path) -> None:
    config = config_from({"task": "rate", "corpus": {"source": "ratings.csv"}}).model_dump(mode="json")
    documents = {"config": {"config": config, "corpus_digest": "0" * 64, "plan": {}}}
    write_checkpoint(tmp_path / "run" / "checkpoints", 3, {}, documents)
    for form in ("onnx", "web"):
        done = trained.at(tmp_path)("export", "run/checkpoints/step-00000003", "--format", form, code=2)
        assert "this is for language models only" in done.stderr
        assert "the task of this config is `rate`" in done.stderr
