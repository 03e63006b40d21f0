from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from conftest import Shell

ROOT = Path(__file__).resolve().parents[2]


def test_prepare_prints_the_folder_and_then_does_nothing(shell: Shell) -> None:
    first = shell("prepare", "text.txt")
    folder = shell.path / first.stdout.strip()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = shell("prepare", "text.txt")
    assert again.stdout == first.stdout
    assert "nothing to do" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_prepare_of_standard_input_into_a_folder(shell: Shell) -> None:
    done = shell("prepare", "-", "--out", "here", "--json", text="to be or not to be\n" * 50)
    report = json.loads(done.stdout)
    assert report["corpus"] == "here"
    assert sum(report["tokens"].values()) == 19 * 50
    assert report["documents"] == 1
    lines = shell("prepare", "text.txt", "--json", "--set", 'corpus.documents={text: "\\n"}')
    assert json.loads(lines.stdout)["documents"] == 30
    assert {"manifest.json", "tokens.bin", "vocabulary.json"} == {path.name for path in (shell.path / "here").iterdir()}


@pytest.mark.slow
def test_train_finds_what_prepare_made(shell: Shell) -> None:
    folder = shell("prepare", "tiny.yaml").stdout
    shell("train", "tiny.yaml", "--quiet")
    assert [str(path.relative_to(shell.path)) + "\n" for path in (shell.path / "corpora").glob("*-*")] == [folder]


def test_baseline_table_and_json(shell: Shell) -> None:
    table = json.loads(shell("baseline", "tiny.yaml", "--order", "5", "--json").stdout)
    assert [row["order"] for row in table["orders"]] == [1, 2, 3, 4, 5]
    assert table["best"] == min(table["orders"], key=lambda row: row["nats"])
    text = shell("baseline", "tiny.yaml", "--order", "5").stdout
    assert f"{table['best']['bits_per_char']:.4f}" in text
    capped = shell("baseline", "tiny.yaml", "--max-tokens", "100")
    assert "100 training tokens" in capped.stderr


@pytest.mark.slow
def test_init_writes_a_config_that_loads(shell: Shell) -> None:
    path = shell("init", "text.txt").stdout.strip()
    assert path == "text.yaml"
    assert yaml.safe_load((shell.path / path).read_text())["corpus"]["source"] == "text.txt"
    shell("init", "text.txt", code=2)
    shell("init", "text.txt", "--force")
    (shell.path / "below").mkdir()
    shell("init", "text.txt", "--out", "below/other.yaml")
    shell("prepare", "below/other.yaml")
    shell("train", "text.yaml", "--check", "--quiet")


def test_config_show_says_where_values_come_from(shell: Shell) -> None:
    shown = shell("config", "show", "tiny.yaml", "--set", "train.seed=7").stdout
    lines = {line.split(":")[0].strip(): line for line in shown.splitlines()}
    assert lines["seed"].endswith("# --set") or "seed: 7" in shown
    assert lines["chunk"].rstrip().endswith(("tiny.yaml:2", "default"))
    (shell.path / "again.yaml").write_text(shown)
    again = shell("config", "show", "again.yaml").stdout
    assert yaml.safe_load(again) == yaml.safe_load(shown)


def test_config_schema_is_the_shipped_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "charrnn", "config", "schema"], capture_output=True, text=True, check=True
    )
    assert done.stdout == (ROOT / "configs" / "charrnn.schema.json").read_text(encoding="utf-8")


def test_version(shell: Shell) -> None:
    assert shell("--version").stdout.startswith("charrnn ")


@pytest.mark.slow
def test_the_sample_pipeline_runs_once(shell: Shell) -> None:
    def make() -> str:
        done = subprocess.run(
            [
                "make",
                "-f",
                str(ROOT / "scripts/pipeline/Makefile"),
                "CONFIG=tiny.yaml",
                "SEED=the ",
                f"CHARRNN={sys.executable} -m charrnn",
                "OPTIONS=--quiet",
            ],
            cwd=shell.path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert "train" in make()
    assert (shell.path / "tiny.sample.txt").read_text().startswith("the ")
    assert "is up to date" in make()


def test_a_text_in_place_of_a_config_is_told_so(shell: Shell) -> None:
    assert "charrnn init text.txt" in shell("train", "text.txt", code=2).stderr
