"""Bad input by hand: one clear block on standard error, the right exit code, and nothing lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell

ONE_BLOCK = "error: "


def block(stderr: str) -> str:
    """The error block; there is exactly one, and no traceback."""
    assert stderr.count(ONE_BLOCK) == 1, stderr
    assert "Traceback" not in stderr
    return stderr[stderr.index(ONE_BLOCK) :]


def test_unknown_key(shell: Shell) -> None:
    (shell.path / "tiny.yaml").write_text("corpus: {source: text.txt}\nmodel:\n  core: {hiden: 4}\n")
    said = block(shell("train", "tiny.yaml", code=2).stderr)
    assert "tiny.yaml:3:10: model.core.hiden" in said
    assert "did you mean `hidden`?" in said
    assert not (shell.path / "runs").exists()


def test_wrong_type(shell: Shell) -> None:
    said = block(shell("train", "tiny.yaml", "--set", "train.max_steps=ten", code=2).stderr)
    assert "--set train.max_steps=ten" in said
    assert "whole number" in said


def test_all_problems_at_once(shell: Shell) -> None:
    (shell.path / "tiny.yaml").write_text("corpus: {sauce: x}\ntrain: {seed: -1, log_every: 0}\n")
    said = block(shell("config", "show", "tiny.yaml", code=2).stderr)
    for key in ("corpus.sauce", "corpus.source", "train.seed", "train.log_every"):
        assert key in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "empty"),
        (b"a" * 500, "one"),
        (bytes(range(256)) * 20, "NUL"),
        (b"caf\xe9 " * 200, "cp1252"),
    ],
    ids=["empty", "one symbol", "binary", "latin"],
)
def test_texts_that_cannot_be_learnt(shell: Shell, text: bytes, words: str) -> None:
    (shell.path / "text.txt").write_bytes(text)
    assert words in block(shell("train", "tiny.yaml", code=3).stderr)
    assert list((shell.path / "corpora").glob("*")) == []


@pytest.mark.slow
def test_text_shorter_than_the_lanes(shell: Shell) -> None:
    (shell.path / "text.txt").write_text("abcdefgh")
    said = block(shell("train", "tiny.yaml", "--set", "stream.lanes=64", code=3).stderr)
    assert "shorter than the lanes" in said


def test_missing_text_and_missing_config(shell: Shell) -> None:
    (shell.path / "text.txt").unlink()
    assert "text.txt" in block(shell("train", "tiny.yaml", code=3).stderr)
    assert "nowhere.yaml" in block(shell("train", "nowhere.yaml", code=2).stderr)


@pytest.mark.slow
def test_no_such_device(shell: Shell) -> None:
    assert "cuda:99" in block(shell("train", "tiny.yaml", "--device", "cuda:99", code=2).stderr)
    assert "train.device" in block(shell("train", "tiny.yaml", "--device", "gpu", code=2).stderr)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named_and_another_offered(trained: Shell, tmp_path: Path) -> None:
    shutil.copytree(trained.path, tmp_path / "copy")
    trained = trained.at(tmp_path / "copy")
    run = trained.path / "runs" / "tiny"
    best = run / "checkpoints" / (run / "best").read_text().strip()
    data = bytearray((best / "model.safetensors").read_bytes())
    data[len(data) // 2] ^= 4
    (best / "model.safetensors").write_bytes(data)
    said = block(trained("sample", "runs/tiny", code=4).stderr)
    assert "model.safetensors" in said
    assert "SHA-256" in said
    assert "step-000000" in said.partition("try:")[2]


@pytest.mark.slow
def test_a_changed_vocabulary_on_resume(trained: Shell, tmp_path: Path) -> None:
    shutil.copytree(trained.path, tmp_path / "copy")
    trained = trained.at(tmp_path / "copy")
    (trained.path / "text.txt").write_text("the cow sat on the mat, and the dog ate it!\n" * 30)
    arguments = ("train", "tiny.yaml", "--resume", "--set", "train.max_steps=20")
    assert "vocabulary" in block(trained(*arguments, code=3).stderr)


@pytest.mark.slow
def test_an_unwritable_folder(shell: Shell) -> None:
    (shell.path / "runs").write_text("a file where a folder should be")
    said = block(shell("train", "tiny.yaml", code=7).stderr)
    assert "cannot write" in said


def test_a_full_disk_leaves_no_litter(shell: Shell) -> None:
    """A file size limit stands in for the disk: the system refuses the write in the same place."""
    import resource
    import subprocess

    def limit() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    (shell.path / "text.txt").write_text("the cat sat on the mat, and the dog ate it.\n" * 300)
    done = subprocess.run(
        shell.command("prepare", "text.txt"),
        cwd=shell.path,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    block(done.stderr)
    assert [p for p in shell.path.rglob("*") if p.name.startswith(".tmp")] == []
    assert list((shell.path / "corpora").glob("text-*")) == []


@pytest.mark.slow
def test_a_run_folder_in_use(shell: Shell) -> None:
    import fcntl

    (shell.path / "runs" / "tiny").mkdir(parents=True)
    with (shell.path / "runs" / "tiny" / ".lock").open("w") as file:
        file.write("process 7 on mars")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "process 7 on mars" in block(shell("train", "tiny.yaml", code=2).stderr)


@pytest.mark.slow
def test_divergence(shell: Shell) -> None:
    settings = ("train.optimizer.lr=1e30", "train.clip_norm=null", "train.schedule={kind: constant}")
    overrides = [part for setting in settings for part in ("--set", setting)]
    said = block(shell("train", "tiny.yaml", *overrides, code=5).stderr)
    assert "not finite" in said


@pytest.mark.slow
def test_out_of_memory(shell: Shell) -> None:
    said = block(shell("train", "tiny.yaml", "--set", "model.core.hidden=3000000", "--quiet", code=6).stderr)
    assert "model.core.hidden" in said


@pytest.mark.slow
def test_unknown_symbols_of_a_seed(trained: Shell) -> None:
    said = block(trained("sample", "--seed", "caté☃", code=3).stderr)
    assert "é" in said
    assert "☃" in said
    for way in ("error", "skip", "replace"):
        assert way in said or way == "error"
    assert trained("sample", "--seed", "caté", "--unknown", "skip").stdout.startswith("caté")


@pytest.mark.slow
def test_usage(shell: Shell, trained: Shell) -> None:
    shell("train", code=2)
    shell("nonsense", code=2)
    shell("sample", "--temperature", "hot", code=2)
    assert "--temperature -1" in block(trained("sample", "--temperature", "-1", code=2).stderr)
    assert "--resume and --force" in block(shell("train", "tiny.yaml", "--resume", "--force", code=2).stderr)


def test_errors_as_json(shell: Shell) -> None:
    done = shell("train", "tiny.yaml", "--set", "train.seed=x", "--json", code=2)
    error = json.loads(done.stdout)
    assert error["schema_version"] == 1
    assert error["error"]["exit_code"] == 2
    assert "train.seed" in error["error"]["what"]
