from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from corrupting import flip

if TYPE_CHECKING:
    from conftest import Shell


@pytest.fixture
def copy(trained: Shell, tmp_path: Path) -> Shell:
    """A copy of a finished run, to be damaged."""
    shutil.copytree(trained.path, tmp_path / "copy")
    return trained.at(tmp_path / "copy")


def test_a_whole_run_and_its_corpus_are_exit_0(trained: Shell) -> None:
    done = trained("doctor", "runs/tiny")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok"] * 10
    (corpus,) = (trained.path / "corpora").iterdir()
    assert trained("doctor", str(corpus)).stdout == f"ok        corpus        {corpus}\n"
    result = json.loads(trained("doctor", "runs/tiny/checkpoints/step-00000012", "--json").stdout)
    place = "runs/tiny/checkpoints/step-00000012"
    assert result == {
        "schema_version": 1, "path": place, "kind": "checkpoint", "whole": True,
        "findings": [{"state": "ok", "thing": "checkpoint", "place": place}],
    }  # fmt: skip


@pytest.mark.faults
def test_damage_has_the_exit_code_of_the_damaged_thing(copy: Shell) -> None:
    (corpus,) = (copy.path / "corpora").iterdir()
    flip(corpus / "tokens.bin")
    done = copy("doctor", "runs/tiny", code=3)
    assert "damaged   corpus" in done.stdout
    assert "why: tokens.bin: its sha256 is not the one in the manifest" in done.stdout
    flip(copy.path / "runs/tiny/checkpoints/step-00000012/model.safetensors")
    done = copy("doctor", "runs/tiny", "--json", code=4)
    result = json.loads(done.stdout)
    damaged = [finding for finding in result["findings"] if finding["state"] == "damaged"]
    assert [finding["thing"] for finding in damaged] == ["checkpoint", "corpus"]
    assert "charrnn train runs/tiny/config.yaml --out runs/tiny --resume" in damaged[0]["try"]
    assert not result["whole"]


def test_what_is_nothing_of_ours_is_exit_2(copy: Shell) -> None:
    done = copy("doctor", "runs", code=2)
    assert "there is nothing here that charrnn has written" in done.stderr
    assert done.stdout == ""
