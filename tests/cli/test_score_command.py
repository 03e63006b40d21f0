from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from charrnn.cli.paint import painted

if TYPE_CHECKING:
    from conftest import Shell

TEXT = "the cat sat.\nthe dog ate it.\n\nmat"
OTHER_TASK = """\
task: classify
corpus: {source: rows.tsv, header: false, label: 1, text: 2}
model: {core: {hidden: 4}}
train: {max_steps: 2}
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory, trained: Shell) -> Shell:
    """A run over enough lines to calibrate by; tests must not change it."""
    path = tmp_path_factory.mktemp("lines")
    (path / "text.txt").write_text("".join(f"the cat sat on mat {i % 10}.\n" for i in range(400)))
    (path / "tiny.yaml").write_text(
        "corpus: {source: text.txt, min_count: 2, split: [0.7, 0.3, 0.0]}\nstream: {chunk: 16}\n"
        "model: {core: {hidden: 24}, input: {size: 8}}\n"
        "train: {max_steps: 150, optimizer: {lr: 2e-2}, schedule: {kind: constant}}\nsample: {length: 5}\n"
    )
    shell = trained.at(path)
    shell("train", "tiny.yaml", "--quiet")
    return shell


def records(printed: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in printed.splitlines()]
    assert all(record["schema_version"] == 1 for record in found)
    return found


def block(stderr: str) -> str:
    """The error block; there is exactly one, and no traceback."""
    assert stderr.count("error: ") == 1, stderr
    assert "Traceback" not in stderr
    return stderr[stderr.index("error: ") :]


@pytest.mark.slow
def test_the_lines_add_up_to_the_whole_in_json(trained: Shell) -> None:
    done = trained("score", "runs/tiny", "--json", "--characters", text=TEXT)
    *lines, whole = records(done.stdout)
    assert [line["text"] for line in lines] == TEXT.split("\n")
    assert [(line["record"], line["line"], line["column"]) for line in lines] == [("line", n, 1) for n in (1, 2, 3, 4)]
    assert ["".join(text for text, _ in line["pieces"]) for line in lines] == TEXT.splitlines(keepends=True)
    for line in lines:
        assert sum(nats for _, nats in line["pieces"]) == pytest.approx(line["total_nats"])
    assert whole["record"] == "text"
    assert (whole["lines"], whole["symbols"], whole["lines_with_unknown_symbols"]) == (4, len(TEXT), 0)
    assert whole["total_nats"] == pytest.approx(sum(line["total_nats"] for line in lines))
    assert "pieces" not in records(trained("score", "runs/tiny", "-", "--json", text=TEXT).stdout)[0]


@pytest.mark.slow
def test_tables_show_the_figures_of_the_json(trained: Shell, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text(TEXT)
    place = str(tmp_path / "new.txt")
    *lines, whole = records(trained("score", "runs/tiny", place, "--json", "--characters").stdout)
    numbers = [f"{whole[name]:.4f}" for name in ("nats", "bits_per_char", "bits_per_byte")]
    last = trained("score", "runs/tiny", place).stdout.splitlines()
    assert last[0] == f"{len(TEXT)} symbols, {len(TEXT)} characters, {len(TEXT)} bytes, 4 lines"
    assert last[2].split() == [*numbers, f"{whole['perplexity']:.6g}"]
    rows = trained("score", "runs/tiny", place, "--lines").stdout.splitlines()
    expected = [f"{n['line']} {n['nats']:.4f} {n['bits_per_char']:.4f} {n['text']}".split() for n in lines]
    assert [row.split() for row in rows[:4]] == expected
    rows = trained("score", "runs/tiny", place, "--characters").stdout.splitlines()
    assert rows[0].split() == ["1:1", f"{lines[0]['pieces'][0][1]:.4f}", "t"]
    assert rows[len("the cat sat.")].split() == ["1:13", f"{lines[0]['pieces'][12][1]:.4f}", "\\n"]
    assert rows[len("the cat sat.\n")].split()[0] == "2:1"


@pytest.mark.slow
def test_colours_are_there_when_piped_and_leave_the_text_as_it_is(trained: Shell) -> None:
    printed = trained("score", "runs/tiny", "--color", text=TEXT).stdout
    assert "\x1b[30;48;5;" in printed
    plain = re.sub("\x1b\\[[0-9;]*m", "", printed)
    assert plain.replace(" \n", "\n").startswith(TEXT)


def test_what_is_painted_cannot_steer_a_terminal() -> None:
    assert painted([("a", 0.0), ("\x1b", 9.0), ("]", 9.0), ("\x07", 0.0), ("b", 0.5)]) == "a\x1b[30;48;5;203m]\x1b[0mb"
    assert painted([("a", 0.0), ("\n", 9.0), ("b", 0.0)]) == "a\x1b[30;48;5;203m \x1b[0m\nb"
    assert painted([("a", 1.5), ("b", 1.6), ("c", 2.5)]) == "\x1b[30;48;5;230mab\x1b[30;48;5;222mc\x1b[0m"


@pytest.mark.slow
def test_lines_come_out_as_they_come_in(trained: Shell) -> None:
    command = trained.command("score", "runs/tiny", "--json", "--quiet")
    with subprocess.Popen(command, cwd=trained.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for number, line in enumerate(("the cat\n", "sat on\n"), start=1):
            child.stdin.write(line)
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["line"] == number
        child.stdin.close()
        assert json.loads(child.stdout.readline())["record"] == "text"


@pytest.mark.slow
def test_foreign_lines_are_found_and_normal_ones_are_not(lines: Shell) -> None:
    text = (
        "the cat sat on mat 3.\n" * 5 + "the cat sat on rat! 4.\n" + "the cat sat on mat 5.\n" * 3 + "DROP TABLE cats\n"
    )
    done = lines("score", "runs/tiny", "--anomalies", "auto", "--json", text=text)
    *each, whole = records(done.stdout)
    assert [line["line"] for line in each if line["anomaly"]] == [6, 10]
    assert "rat" in each[5]["passage"]["text"]
    assert each[5]["text"][each[5]["passage"]["column"] - 1 :].startswith(each[5]["passage"]["text"])
    calibration = whole["calibration"]
    assert (whole["anomalies"], calibration["above_threshold"]) == (2, 0)
    assert 100 < calibration["lines"] <= 120
    assert f"calibrated by {calibration['lines']} lines" in done.stderr
    shown = lines("score", "runs/tiny", "--anomalies", "auto", "--color", text=text).stdout
    assert [row.split()[0].partition(":")[0] for row in shown.splitlines()[:2]] == ["6", "10"]
    assert "2 of 10 lines above" in shown
    strict = records(lines("score", "runs/tiny", "--anomalies", "1e6", "--json", text=text).stdout)
    assert (strict[-1]["anomalies"], strict[-1]["threshold"]) == (0, 1e6)


@pytest.mark.slow
def test_bad_texts_are_one_clear_error(trained: Shell, tmp_path: Path) -> None:
    assert "empty" in block(trained("score", "runs/tiny", code=3).stderr)
    (tmp_path / "new.txt").write_text("the cat\nthe caté\n")
    place = str(tmp_path / "new.txt")
    said = block(trained("score", "runs/tiny", place, code=3).stderr)
    assert f"{place}:2:8" in said
    assert "--unknown skip" in said
    assert "standard input:1:1" in block(trained("score", "runs/tiny", text="É", code=3).stderr)
    *each, whole = records(trained("score", "runs/tiny", place, "--unknown", "replace", "--json").stdout)
    assert (each[1]["unknown"], each[1]["text"], whole["lines_with_unknown_symbols"]) == (["é"], "the caté", 1)
    assert "nowhere.txt" in block(trained("score", "runs/tiny", "nowhere.txt", code=3).stderr)
    (tmp_path / "wrong.txt").write_bytes(b"the \xff")
    assert "0xFF" in block(trained("score", "runs/tiny", str(tmp_path / "wrong.txt"), code=3).stderr)


@pytest.mark.slow
def test_bad_usage_is_one_clear_error(trained: Shell) -> None:
    for arguments in (
        ("--lines", "--characters"),
        ("--color", "--characters"),
        ("--color", "--json"),
        ("--anomalies", "auto", "--lines"),
        ("--anomalies", "much"),
        ("--anomalies", "nan"),
    ):
        assert arguments[0] in block(trained("score", "runs/tiny", *arguments, text="a", code=2).stderr)
    assert "too few" in block(trained("score", "runs/tiny", "--anomalies", "5", text="a", code=2).stderr)
    block(trained("score", "nowhere", text="a", code=2).stderr)


@pytest.mark.slow
def test_runs_that_do_not_fit_are_one_clear_error(trained: Shell, tmp_path: Path) -> None:
    shutil.copytree(trained.path, tmp_path / "copy")
    shell = trained.at(tmp_path / "copy")
    (shell.path / "runs/tiny/best").unlink()
    assert "(last)" in shell("score", "runs/tiny", text="the").stderr
    (shell.path / "runs/tiny/last").unlink()
    for command in ("score", "suggest"):
        assert "no checkpoint" in block(shell(command, "runs/tiny", text="the", code=4).stderr)
    (shell.path / "rows.tsv").write_text("".join(f"{i % 2}\tthe cat {i}\n" for i in range(60)))
    (shell.path / "other.yaml").write_text(OTHER_TASK)
    shell("train", "other.yaml", "--quiet")
    for command in ("score", "suggest"):
        assert "language models only" in block(shell(command, "runs/other", text="the", code=2).stderr)


@pytest.mark.slow
def test_a_signal_ends_the_wait_for_text(trained: Shell) -> None:
    reading, writing = os.pipe()
    child = subprocess.Popen(
        trained.command("score", "runs/tiny"), cwd=trained.path, stdin=reading, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    assert "scoring by" in child.stderr.readline()
    child.terminate()
    assert child.wait(timeout=30) == 143
    child.stderr.close()
    os.close(reading)
    os.close(writing)
