"""The log of a service that is made up, and what is said of foreign lines that were found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import service_log
from anomalies import average_precision, held_against


def made(folder: Path, *arguments: str) -> dict[str, str]:
    service_log.main([str(folder), "--lines", "300", "--watched", "900", *arguments])
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def test_a_seed_says_what_is_in_it(tmp_path: Path) -> None:
    one, again, other = (made(tmp_path / name, "--seed", seed) for name, seed in (("a", "1"), ("b", "1"), ("c", "2")))
    assert list(one) == ["normal.log", "truth.jsonl", "watched.log"]
    assert one == again
    assert all(one[name] != other[name] for name in one)


def test_the_truth_names_the_foreign_lines(tmp_path: Path) -> None:
    files = made(tmp_path / "log")
    truth = {line["line"]: line["kind"] for line in map(json.loads, files["truth.jsonl"].splitlines())}
    watched = files["watched.log"].splitlines()
    assert set(truth.values()) == set(service_log.KINDS)
    assert len(files["normal.log"].splitlines()) == 300
    assert 900 <= len(watched) < 910
    signs = ("Traceback", "sshd", "etc/passwd", "nginx", "NullPointer", "mine_coins", "GET /index.html", "wp-login")
    for number, line in enumerate(watched, start=1):
        if any(sign in line for sign in signs):
            assert number in truth, line
    normal = [line for number, line in enumerate(watched, start=1) if number not in truth]
    form = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO |WARN |ERROR) (api  |auth |cache|db   |jobs ) ")
    assert all(form.match(line) for line in [*normal, *files["normal.log"].splitlines()])


def flagged(*lines: tuple[int, float, bool]) -> list[dict[str, object]]:
    return [{"line": number, "z": z, "anomaly": anomaly} for number, z, anomaly in lines]


def test_what_is_flagged_is_held_against_the_truth() -> None:
    lines = flagged((1, 0.0, False), (2, 9.0, True), (3, 8.0, True), (4, 1.0, False), (5, 7.0, True))
    found = held_against(lines, {2: "trace", 4: "value", 5: "value"})
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (found["false_alarms"], found["foreign_lines"], found["lines"]) == (1, 3, 5)
    assert (found["recall_trace"], found["recall_value"]) == (1.0, 0.5)
    assert held_against(flagged((1, 0.0, False)), {1: "trace"})["f1"] == 0.0


def test_the_average_precision_is_that_of_scikit_learn() -> None:
    scores, foreign = [5.0, 3.0, 3.0, 2.0, 1.0, 4.0], [True, False, True, False, True, False]
    assert average_precision(scores, foreign) == pytest.approx((1 + 2 / 4 + 3 / 6) / 3)
    metrics = pytest.importorskip("sklearn.metrics")
    assert average_precision(scores, foreign) == pytest.approx(metrics.average_precision_score(foreign, scores))
