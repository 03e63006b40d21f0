"""`charrnn runs`, `path`, `watch` and `report`, as they are typed."""

from __future__ import annotations

import json
import shutil
import signal
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from charrnn.files.lock import folder_lock

if TYPE_CHECKING:
    from conftest import Shell


@pytest.fixture
def copied(trained: Shell, tmp_path: Path) -> Shell:
    """A folder of its own with the finished run."""
    shutil.copytree(trained.path, tmp_path, dirs_exist_ok=True)
    return trained.at(tmp_path)


def test_runs_are_listed_for_people_and_for_scripts(copied: Shell) -> None:
    head, row = copied("runs").stdout.splitlines()
    assert head.split()[:4] == ["run", "task", "state", "steps"]
    assert row.split()[:4] == ["tiny", "language", "finished", "12/12"]
    assert "bits/char" in row
    (found,) = json.loads(copied("runs", "--json").stdout)["runs"]
    assert (found["path"], found["state"], found["steps"]) == ("runs/tiny", "finished", 12)
    assert found["best"]["figure"] == "bits_per_char"
    (copied.path / "runs/tiny/last").write_text("nonsense")
    done = copied("runs")
    assert done.stdout.splitlines()[1].split()[:3] == ["tiny", "–", "damaged"]
    assert "charrnn doctor runs/tiny" in done.stderr
    empty = copied("runs", "corpora")
    assert (empty.stdout, "no run below corpora" in empty.stderr) == ("", True)
    assert "no such folder" in copied("runs", "nowhere", code=2).stderr


def test_a_path_is_printed_for_scripts_or_an_exit_code_says_why_not(copied: Shell) -> None:
    best = copied("path", "best").stdout.strip()
    assert (copied.path / best / "manifest.json").is_file()
    assert copied("path", "run", "runs/tiny").stdout == "runs/tiny\n"
    assert json.loads(copied("path", "last", "--json").stdout)["path"].startswith("runs/tiny/checkpoints/step-")
    (copied.path / "runs/tiny/best").unlink()
    assert "charrnn path last" in copied("path", "best", code=4).stderr
    shutil.rmtree(copied.path / "corpora")
    assert "charrnn prepare" in copied("path", "corpus", code=3).stderr
    copied("path", "best", "runs/nowhere", code=2)


def test_watching_a_finished_run_tells_its_records_and_ends(trained: Shell) -> None:
    done = trained("watch")
    records = (trained.path / "runs/tiny/metrics.jsonl").read_text().splitlines()
    assert len(done.stdout.splitlines()) == len(records)
    assert done.stdout.splitlines()[-1].startswith("step 12/12  epoch")
    assert done.stderr == "the run is finished: all steps are done\n"


def test_ctrl_c_ends_the_watching_with_130(copied: Shell) -> None:
    with folder_lock(copied.path / "runs/tiny"):
        child = copied.start("watch", "runs/tiny")
        assert child.stdout is not None
        assert child.stdout.readline().startswith("step ")
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "stopped by SIGINT" in err


def test_the_reader_of_a_watched_run_may_leave(copied: Shell) -> None:
    with folder_lock(copied.path / "runs/tiny"):
        child = copied.start("watch", "runs/tiny")
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        record = (copied.path / "runs/tiny/metrics.jsonl").read_text().splitlines()[-1]
        for _ in range(600):
            with (copied.path / "runs/tiny/metrics.jsonl").open("a") as file:
                file.write(record + "\n")
            if child.poll() is not None:
                break
            time.sleep(0.1)
        child.stdout = None
        child.communicate(timeout=60)
    assert child.returncode == 141


def test_a_report_lies_in_the_folder_of_its_run_with_plots_and_vectors_beside(copied: Shell) -> None:
    pytest.importorskip("matplotlib")
    told = json.loads(copied("report", "--plots", "plots", "--projector", "--json").stdout)
    assert told["report"] == "runs/tiny/report.html"
    assert (copied.path / told["report"]).read_text().startswith("<!doctype html>")
    names = [Path(path).name for path in told["plots"]]
    assert names[:2] == ["bits_per_char.png", "bits_per_char.svg"]
    assert names[-2:] == ["map-symbol.png", "map-symbol.svg"]
    assert all((copied.path / path).stat().st_size > 1000 for path in told["plots"])
    rows = (copied.path / "runs/tiny/tensorboard/symbols.tsv").read_text().splitlines()
    labels = (copied.path / "runs/tiny/tensorboard/symbols-names.tsv").read_text().splitlines()
    vectors = np.array([row.split("\t") for row in rows], float)
    assert vectors.shape == (len(labels), 3)
    assert "<space>" in labels


def test_tensorboard_reads_the_vectors(copied: Shell) -> None:
    pytest.importorskip("tensorboard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own dependencies warn while they load
        from google.protobuf import text_format
        from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
    copied("report", "--projector", "--quiet")
    folder = copied.path / "runs/tiny/tensorboard"
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (entry,) = config.embeddings
    assert entry.tensor_name == "symbols"
    assert (folder / entry.tensor_path).is_file()
    assert (folder / entry.metadata_path).is_file()


def test_several_runs_go_where_they_are_told(copied: Shell) -> None:
    shutil.copytree(copied.path / "runs/tiny", copied.path / "runs/other")
    assert "--out report.html" in copied("report", "runs/tiny", "runs/other", code=2).stderr
    assert copied("report", "runs/tiny", "runs/other", "--out", "a/b.html").stdout == "a/b.html\n"
    assert "Nothing: all of them say the same." in (copied.path / "a/b.html").read_text()


def test_what_cannot_be_reported_is_an_error_that_says_so(copied: Shell) -> None:
    assert "no such run" in copied("report", "runs/nowhere", code=2).stderr
    assert "holds no run" in copied("report", "corpora", code=2).stderr
    assert "is a folder" in copied("report", "--out", "runs", code=2).stderr
    (copied.path / "study").mkdir()
    (copied.path / "study/study.journal").write_text("")
    assert "report of its own" in copied("report", "study", code=2).stderr
    (copied.path / "rounds").mkdir()
    (copied.path / "rounds/pseudolabel.json").write_text("{}")
    copied("report", "rounds")
    assert "the rounds are not done" in (copied.path / "rounds/report.html").read_text()
    (copied.path / "rounds/result.json").write_text('{"task": "classify"}')
    copied("report", "rounds")
    assert "the result of the rounds is damaged" in (copied.path / "rounds/report.html").read_text()
    readonly = copied.path / "file"
    readonly.write_text("")
    copied("report", "--out", "file/report.html", code=7)


@pytest.mark.slow
def test_a_page_of_rounds_tells_what_their_report_tells_and_of_the_runs_inside(copied: Shell) -> None:
    from pseudolab import new_lab

    lab = new_lab(copied.path)
    lab.rounds("rounds", "pseudo.rounds=1")
    listed = copied("runs", ".").stdout
    assert "rounds of" in listed
    assert copied("report", "rounds").stdout == "rounds/report.html\n"
    page = (copied.path / "rounds/report.html").read_text()
    table = next(
        line for line in (copied.path / "rounds/report.md").read_text().splitlines() if line.startswith("| 1 |")
    )
    for cell in filter(None, (cell.strip() for cell in table.split("|"))):
        assert f"<td>{cell}</td>" in page
    for words in ("What pseudo-labels were worth", "The runs inside", "round-0/run", "stream.mix"):
        assert words in page
