"""`make course`: every row runs, what is done is skipped, and a figure says what it was held against."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import labels
import measure
import numpy as np
import page
import pytest
import recording
import results
import rounds
import rows
import wordsim
from labelling import idx
from measure import Place
from rows import Row

from charrnn.cli.main import app

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the configs and scripts of this one, and a README to draw into."""
    for name in ("configs", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"# before\n{results.BEGIN}\n{results.END}\nafter\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(labels, "ROOT", tmp_path)
    monkeypatch.setattr(rounds, "ROOT", tmp_path)
    monkeypatch.setattr(results, "RESULTS", tmp_path / "docs" / "results.json")
    monkeypatch.setattr(results, "README", tmp_path / "README.md")
    monkeypatch.setattr(results, "MEASURED", tmp_path / "runs" / "measured")
    monkeypatch.setattr(recording, "current_commit", lambda: "0123456")
    return tmp_path


@pytest.fixture
def text(checkout: Path) -> str:
    words = "ethics is a basic foundation of all that The ROMEO: what is done is done,\n\n"
    (checkout / "text.txt").write_text(words * 160, encoding="utf-8")
    return str(checkout / "text.txt")


def ratings(checkout: Path) -> tuple[str, ...]:
    """The settings that give a config over ratings a small table."""
    rows = "".join(f"{i % 17},{i % 23},{1 + i % 9 / 2}\n" for i in range(600) if i % 3)
    (checkout / "ratings.csv").write_text(f"userId,movieId,rating\n{rows}", encoding="utf-8")
    return f"corpus.source={checkout / 'ratings.csv'}", "corpus.names=null"


def items(checkout: Path) -> dict[str, tuple[str, ...]]:
    """The settings that give a config over labelled items a few of each kind."""
    (checkout / "lines").mkdir()
    for label in ("neg", "pos"):
        (checkout / f"lines/{label}.{label}").write_text("\n".join(f"{label} {i}" for i in range(80)), encoding="utf-8")
    lines = [f"{'ham' if i % 3 else 'spam'}\tmessage {i} of {i * i}" for i in range(90)]
    (checkout / "table").write_text("\n".join(lines), encoding="utf-8")
    values = np.arange(90 * 28 * 28).reshape(90, 28, 28)
    (checkout / "pictures").write_bytes(idx(values % 251))
    (checkout / "others").write_bytes(idx(values % 241))
    (checkout / "numbers").write_bytes(idx(np.arange(90) % 10))
    pictures = {"source": "pictures", "labels": "numbers", "test_source": "others", "test_labels": "numbers"}
    return {
        "folder": (f"corpus.source={checkout / 'lines'}",),
        "table": (f"corpus.source={checkout / 'table'}",),
        "images": tuple(f"corpus.{key}={checkout / name}" for key, name in pictures.items()),
    }


def vectors(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The settings of word vectors on texts that stand in for the shared ones, and pairs of words that are judged."""
    monkeypatch.setattr(wordsim, "ROOT", checkout)
    monkeypatch.setattr(wordsim, "charrnn", in_this_process)
    monkeypatch.setattr(wordsim, "DATA", checkout / "shared")
    for name, separator in wordsim.TEXTS:
        path = checkout / "shared" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(f"{separator or ''}the king saw the queen of tea {i % 7}" for i in range(60)))
    judged = checkout / "shared" / wordsim.JUDGED
    judged.parent.mkdir()
    judged.write_text("# judged\nking\tqueen\t8.5\nking\ttea\t2.5\nqueen\ttea\t3.0\nking\tcar\t1.0\n")
    return (f"corpus.source={checkout / wordsim.JOINED}",)


def in_this_process(*arguments: str, program: tuple[str, ...] = measure.CHARRNN) -> dict[str, Any]:
    """As `measure.charrnn`, without the seconds that a process takes to load torch."""
    if program != measure.CHARRNN:
        return REAL(*arguments, program=program)
    with redirect_stdout(io.StringIO()) as printed:
        app([*arguments, "--json", "--quiet"], standalone_mode=False)
    answer: dict[str, Any] = json.loads(printed.getvalue())
    return answer


REAL = measure.charrnn


@pytest.mark.slow
@pytest.mark.long
def test_every_row_runs_for_a_few_steps(checkout: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "charrnn", in_this_process)
    monkeypatch.setattr(labels, "charrnn", in_this_process)
    monkeypatch.setattr(rounds, "charrnn", in_this_process)
    pytest.importorskip("sklearn")
    monkeypatch.setattr("selftraining.ROOT", checkout)
    settings = (f"corpus.source={text}", "corpus.split=[0.8,0.2,0]")
    given = {"ratings": ratings(checkout), "items": items(checkout), "vectors": vectors(checkout, monkeypatch)}
    results.quick(Place("runs/quick", quick=True, settings=settings, **given))
    records = json.loads((checkout / "runs/quick/results.json").read_text(encoding="utf-8"))
    assert list(records) == list(rows.ROWS)
    assert all(-1.0 <= page.headline(record) < 20.0 for record in records.values())
    assert (records["E4"]["figures"]["covered_pairs"], records["E4"]["figures"]["pairs"]) == (3, 4)
    assert sorted(path.name for path in (checkout / "runs/quick").glob("*.svg") if "find-lr" not in path.name) == [
        "batchnorm.svg",
        "positions.svg",
        "stacked.svg",
    ]
    assert (checkout / "README.md").read_text() == f"# before\n{results.BEGIN}\n{results.END}\nafter\n"
    assert not (checkout / "docs" / "results.json").exists()
    broken, true = (records[row]["figures"] for row in ("L6-broken", "L6"))
    assert broken["valid_nats"] != true["valid_nats"]
    assert broken["predictions_per_epoch"] == true["predictions_per_epoch"]


def figures(nats: float) -> Callable[[Place, str], dict[str, Any]]:
    def how(place: Place, config: str) -> dict[str, Any]:
        CALLS.append(nats)
        return {
            "command": "charrnn train",
            "device": "abacus",
            "figures": {"valid_nats": nats, "valid_bits_per_char": 2 * nats, "predictions_per_epoch": 100},
            "curve": {"epoch": [1.0, 2.0, 3.0], "train_nats": [1.9, 1.5, 1.1], "valid_nats": [2.0, 1.6, nats]},
        }

    return how


CALLS: list[float] = []


@pytest.fixture
def few(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Row]:
    CALLS.clear()
    known = {
        "A": Row("first", "configs/demo.yaml", figures(1.25), 1.5, "the old days, training"),
        "B": Row("second", "configs/minimal.yaml", figures(1.125), source="A", against="A"),
    }
    monkeypatch.setattr(results, "ROWS", known)
    return known


def test_what_is_measured_is_not_measured_again(few: dict[str, Row], checkout: Path) -> None:
    results.main(["course"])
    drawn = [(checkout / name).read_bytes() for name in ("docs/results.json", "docs/results.md", "README.md")]
    results.main(["course"])
    assert CALLS == [1.25, 1.125]
    assert drawn == [(checkout / name).read_bytes() for name in ("docs/results.json", "docs/results.md", "README.md")]
    results.main(["measure", "A"])
    assert CALLS == [1.25, 1.125, 1.25]


def test_a_row_that_was_stopped_is_measured_next_time(few: dict[str, Row], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(place: Place, config: str) -> dict[str, Any]:
        raise SystemExit(143)

    monkeypatch.setitem(few, "B", Row("second", "configs/minimal.yaml", stopped, source="A", against="A"))
    with pytest.raises(SystemExit):
        results.main(["course"])
    monkeypatch.setitem(few, "B", Row("second", "configs/minimal.yaml", figures(1.125), source="A", against="A"))
    results.main(["course"])
    assert CALLS == [1.25, 1.125]


def test_a_row_whose_config_changed_is_measured_again(few: dict[str, Row], monkeypatch: pytest.MonkeyPatch) -> None:
    results.main(["course"])
    monkeypatch.setitem(few, "A", Row("first", "configs/nietzsche-lstm.yaml", figures(1.25), 1.5, "training"))
    results.main(["course"])
    assert CALLS == [1.25, 1.125, 1.25]


def test_a_record_that_was_lost_comes_back_from_what_was_measured(few: dict[str, Row], checkout: Path) -> None:
    results.main(["course"])
    first = (checkout / "docs/results.json").read_bytes()
    (checkout / "docs/results.json").unlink()
    results.main(["course"])
    assert CALLS == [1.25, 1.125]
    assert (checkout / "docs/results.json").read_bytes() == first


def test_what_a_row_is_held_against(few: dict[str, Row], checkout: Path) -> None:
    results.main(["course"])
    records = json.loads((checkout / "docs/results.json").read_text(encoding="utf-8"))
    assert records["A"]["reference"] == {"value": 1.5, "source": "the old days, training"}
    assert records["A"]["figures"]["predictions_until_training_loss_at_reference"] == 200
    assert records["B"]["reference"] == {"value": 1.25, "source": "A"}
    assert "predictions_until_training_loss_at_reference" not in records["B"]["figures"]


def test_a_training_loss_that_never_came_to_its_reference_says_so() -> None:
    record = figures(1.25)(Place(), "configs/demo.yaml")
    assert results.reached(record, 1.0) == {"predictions_until_training_loss_at_reference": "never"}


def test_a_command_that_fails_ends_the_measuring_with_its_code() -> None:
    with pytest.raises(SystemExit) as stop:
        measure.charrnn("train", "missing.yaml")
    assert stop.value.code == 2


def test_quick_is_no_result(few: dict[str, Row], checkout: Path) -> None:
    results.quick(Place("runs/quick", quick=True))
    assert not (checkout / "docs/results.json").exists()
    assert not (checkout / "runs/measured").exists()


@pytest.mark.parametrize("arguments", [[], ["measure"], ["measure", "L99"], ["course", "--fast"]])
def test_other_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="usage"):
        results.main(arguments)


def test_rows_over_ratings_are_measured_by_five_masks(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "charrnn", in_this_process)
    place = Place("runs/quick", quick=True, ratings=ratings(checkout))
    measured = results.measured("E2", place, commit="none")
    figures = measured["figures"]
    scores = [figures[f"test_rmse_mask_{mask}"] for mask in measure.MASKS]
    assert len(set(scores)) == 5
    assert figures["test_rmse"] == pytest.approx(sum(scores) / 5)
    drawn = page.page({"E2": results.complete("E2", measured, {})})
    assert f"| {figures['test_rmse']:.4f} |" in drawn
    assert "0.798 (MSE, course of 2016, lesson 4)" in drawn


def test_rows_over_labels_are_measured_by_seeds_or_by_folds(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "charrnn", in_this_process)
    monkeypatch.setattr(labels, "charrnn", in_this_process)
    place = Place("runs/quick", quick=True, items=items(checkout))
    pytest.importorskip("sklearn")
    monkeypatch.setattr("selftraining.ROOT", checkout)
    records: dict[str, Any] = {}
    for name in ("names-linear", "names", "reviews", "reviews-recurrent"):
        records[name] = results.complete(name, results.measured(name, place, commit="none"), records)
    by_seed, by_fold = records["names"]["figures"], records["reviews"]["figures"]
    assert by_seed["test_accuracy"] == pytest.approx(
        (by_seed["test_accuracy_seed_1"] + by_seed["test_accuracy_seed_2"]) / 2
    )
    manifests = [json.loads(path.read_text()) for path in (checkout / "corpora").glob("reviews*/manifest.json")]
    tested = {tuple(m["settings"]["fold"]): m["splits"]["test"]["distinct"] for m in manifests}
    assert by_fold["test_items"] == tested[1, 10] + tested[2, 10] < 80
    assert records["names"]["reference"]["value"] == round(records["names-linear"]["figures"]["test_accuracy"], 4)
    assert records["reviews-recurrent"]["reference"]["value"] == round(by_fold["test_accuracy"], 4)
    drawn = page.page(records)
    assert f"| {100 * by_fold['test_accuracy']:.2f} | {100 * by_fold['test_accuracy_spread']:.2f} |" in drawn
    assert "| 76.10 (CNN-rand, Kim 2014" in drawn
    assert "higher is better" in drawn


def test_foreign_lines_are_held_against_the_truth(checkout: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "charrnn", in_this_process)
    place = Place("runs/quick", quick=True, settings=(f"corpus.source={text}", "corpus.split=[0.8,0.2,0]"))
    record = results.complete("anomalies", results.measured("anomalies", place, commit="none"), {})
    figures = record["figures"]
    truth = (checkout / "runs/quick/service-log/truth.jsonl").read_text().splitlines()
    watched = (checkout / "runs/quick/service-log/watched.log").read_text().splitlines()
    assert (figures["foreign_lines"], figures["lines"]) == (len(truth), len(watched))
    assert figures["calibration_lines"] >= 50
    drawn = page.page({"anomalies": record})
    assert f"| {figures['average_precision']:.4f} | {len(truth)} of {len(watched)} |" in drawn
    assert f"{record['reference']['value']} (mean nats per symbol)" in drawn


def test_self_training_reads_the_items_of_the_corpus(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    import selftraining

    monkeypatch.setattr(selftraining, "ROOT", checkout)
    place = Place("runs/quick", quick=True, items=items(checkout))
    record = results.complete("P2-sms-sklearn", results.measured("P2-sms-sklearn", place, commit="none"), {})
    (manifest,) = [json.loads(path.read_text()) for path in (checkout / "corpora").glob("*/manifest.json")]
    sizes = {name: part["end"] - part["start"] for name, part in manifest["splits"].items()}
    figures = record["figures"]
    assert figures["labelled_items"] == sizes["train"] == 20
    assert (figures["unlabelled_items"], figures["test_items"]) == (sizes["unlabelled"], sizes["test"])
    assert record["reference"]["value"] == round(figures["test_accuracy_without"], 4)
    assert f"| {100 * figures['test_accuracy']:.2f} | — |" in page.page({"P2-sms-sklearn": record})


def test_pseudo_labels_are_held_against_their_control(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "charrnn", in_this_process)
    place = Place("runs/quick", quick=True, items=items(checkout))
    record = results.complete("P2-sms", results.measured("P2-sms", place, commit="none"), {})
    figures, result = record["figures"], json.loads((checkout / "runs/quick/sms-100-pseudo/result.json").read_text())
    controls = [seed["control_figures"]["accuracy"] for seed in result["seeds"]]
    assert record["seeds"] == [1, 2]
    assert [figures["control_accuracy_seed_1"], figures["control_accuracy_seed_2"]] == controls
    assert record["reference"]["value"] == round(sum(controls) / 2, 4)
    (manifest,) = [json.loads(path.read_text()) for path in (checkout / "corpora").glob("*/manifest.json")]
    test = manifest["splits"]["test"]
    assert figures["test_items"] == test["end"] - test["start"]
    assert f"| {100 * figures['test_accuracy']:.2f} | {100 * figures['test_accuracy_spread']:.2f} |" in page.page(
        {"P2-sms": record}
    )


def test_rounds_without_labels_are_held_against_their_control(
    checkout: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "charrnn", in_this_process)
    monkeypatch.setattr(rounds, "charrnn", in_this_process)
    place = Place("runs/quick", quick=True, ratings=ratings(checkout))
    for name, folder, error in (("P2-ratings", "ratings-pseudo", "mse"), ("P5", "distil-large-pseudo", "nats")):
        record = results.complete(name, results.measured(name, place, commit="none"), {})
        seeds = json.loads((checkout / "runs/quick" / folder / "result.json").read_text())["seeds"]
        own, control = ([seed[which][error] for seed in seeds] for which in ("figures", "control_figures"))
        figures = record["figures"]
        assert (figures["test_error"], figures["test_error_control"]) == (sum(own) / 2, sum(control) / 2)
        assert [figures[f"test_{error}_seed_{seed}"] for seed in (1, 2)] == own
        assert record["reference"]["value"] == round(sum(control) / 2, 4)
        told = f"| {error} | {figures['test_error']:.4f} ± {figures['test_error_spread']:.4f} |"
        assert told in page.page({name: record})
    assert own != control, "the student learned from its teacher"


def test_rows_whose_data_nobody_offers_are_left_out_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CHARRNN_DATA", raising=False)
    assert [name for name in rows.ROWS if rows.ROWS[name].needs is None] == list(results.measurable(Place()))
    assert "E1: left out" in capsys.readouterr().err
