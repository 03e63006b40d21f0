from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from lab import Stopper
from tuning import Tuning, new_tuning

from charrnn.config.load import load_config
from charrnn.errors import CharRnnError, DataError, Interrupted, StorageError, UsageError
from charrnn.files.lock import folder_lock
from charrnn.logs.console import Console
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt
from charrnn.tune import report
from charrnn.tune import search as module


def test_a_study_ends_with_exactly_its_trials(searched: Tuning) -> None:
    states = [trial["state"] for trial in searched.journal("study")]
    assert len(states) == 6
    assert set(states) == {"COMPLETE", "PRUNED"}
    assert sorted(path.name for path in (searched.path / "study/trials").iterdir()) == [f"{n:04}" for n in range(6)]


def test_the_journal_holds_the_validations_of_the_records(searched: Tuning) -> None:
    for number, trial in enumerate(searched.journal("study")):
        nats = searched.validations("study", number)
        assert list(trial["reports"].values()) == nats
        assert trial["values"] == [min(nats)]
        assert (trial["state"] == "COMPLETE") == (len(nats) == 3)


def test_a_pruned_trial_is_worse_than_the_median_and_says_so_in_its_run(searched: Tuning) -> None:
    journal = searched.journal("study")
    number = next(n for n, trial in enumerate(journal) if trial["state"] == "PRUNED")
    finished = [trial["reports"] for trial in journal[:number] if trial["state"] == "COMPLETE"]
    at = max(journal[number]["reports"])
    others = sorted(reports[at] for reports in finished)
    middle = (others[(len(others) - 1) // 2] + others[len(others) // 2]) / 2
    assert min(journal[number]["reports"].values()) > middle
    with Console(quiet=True) as console:
        folder = searched.path / "study/trials" / f"{number:04}"
        loaded = load_config(folder / "config.yaml")
        outcome = train_run(loaded, folder, "new", searched.path / "corpora", console, Interrupt())
    assert outcome["ended"].startswith("given up")
    assert outcome["step"] == at * 8


def test_searching_again_does_nothing(searched: Tuning) -> None:
    before = (searched.path / "study/study.journal").read_bytes()
    report = searched.search("study")
    assert report["counts"] == {
        "complete": report["counts"]["complete"],
        "pruned": 6 - report["counts"]["complete"],
    } | {
        "running": 0,
        "failed": 0,
    }
    assert (searched.path / "study/study.journal").read_bytes() == before


def test_best_yaml_trains_the_best_trial_again_bit_for_bit(searched: Tuning, tmp_path: Path) -> None:
    report = json.loads((searched.path / "study/report.json").read_text(encoding="utf-8"))
    path = searched.path / "study/best.yaml"
    assert load_config(path).config.train.max_steps == 300
    loaded = load_config(path, ["train.max_steps=24", "train.epochs=null"])
    with Console(quiet=True) as console:
        outcome = train_run(loaded, tmp_path / "again", "new", searched.path / "corpora", console, Interrupt())
    assert outcome["best"]["nats"] == report["best"]["nats"]
    run = searched.path / "study" / report["best"]["run"]
    for name in ("model.safetensors", "optimizer.safetensors"):
        again, first = (folder / "checkpoints/step-00000024" / name for folder in (tmp_path / "again", run))
        assert again.read_bytes() == first.read_bytes()


def state_of(tuning: Tuning, name: str) -> list[Any]:
    """All that a study comes to: its journal, its report, and the weights of every trial."""
    runs = sorted((tuning.path / name / "trials").iterdir())
    weights = [run / "checkpoints" / (run / "last").read_text().strip() / "model.safetensors" for run in runs]
    report = json.loads((tuning.path / name / "report.json").read_text(encoding="utf-8"))
    return [
        tuning.journal(name),
        report,
        [str(path.relative_to(tuning.path / name)) for path in weights],
        [path.read_bytes() for path in weights],
    ]


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("hard", [True, False], ids=["killed", "stopped"])
def test_killed_anywhere_and_gone_on_with_it_is_the_unbroken_study(
    searched: Tuning, tmp_path: Path, hard: bool
) -> None:
    """Single process: whatever the moment, the end is the same bit for bit."""
    tuning = new_tuning(tmp_path)
    lives = 0
    for after in (3, 25, 40, 17, 31, 22, 10**9):
        try:
            tuning.search("study", interrupt=Stopper(after, hard))
        except (Stopper.Killed, Interrupted):
            lives += 1
    assert lives >= 4
    assert state_of(tuning, "study") == state_of(searched, "study")


def test_a_trial_that_another_process_trains_is_left_to_it(tuning: Tuning) -> None:
    tuning.search("study", "tune.trials=1")
    with pytest.raises(Interrupted):
        tuning.search("study", "tune.trials=2", interrupt=Stopper(6))
    assert [trial["state"] for trial in tuning.journal("study")] == ["COMPLETE", "RUNNING"]
    with folder_lock(tuning.path / "study/trials/0001"):
        report = tuning.search("study", "tune.trials=3")
    assert report["counts"] == {"complete": 2, "pruned": 0, "running": 1, "failed": 0}
    assert tuning.search("study", "tune.trials=3")["counts"]["running"] == 0


def test_a_trial_that_fails_is_told_and_the_search_goes_on(tuning: Tuning) -> None:
    space = "{model.core.hidden: {kind: choice, values: [4, 6]}, model.head.tie: {kind: choice, values: [false, true]}}"
    settings = [f"tune.space={space}", "model.input.size=4", "tune.trials=8", "tune.sampler={kind: random}"]
    report = tuning.search("study", *settings)
    failed = [row for row in report["table"] if row["state"] == "failed"]
    assert 0 < len(failed) < 8
    for row in failed:
        assert row["values"] == {"model.core.hidden": 6, "model.head.tie": True}
        assert "equal sizes" in row["error"]
    assert report["best"]["state"] == "complete"
    assert f"trial {failed[0]['trial']}:" in (tuning.path / "study/report.md").read_text(encoding="utf-8")


def test_more_lanes_than_the_text_has_tokens_fail_a_trial_and_not_the_search(tuning: Tuning) -> None:
    space = "{stream.lanes: {kind: choice, values: [4, 100000]}}"
    report = tuning.search("study", f"tune.space={space}", "tune.trials=5", "tune.sampler={kind: random}")
    assert report["counts"]["running"] == 0
    assert [row["values"]["stream.lanes"] for row in report["table"] if row["state"] == "failed"][:1] == [100000]


def test_where_every_trial_fails_the_first_error_ends_it(tuning: Tuning) -> None:
    # Rates that no network bears, and nothing that clips them.
    space = "{train.optimizer.lr: {kind: log, low: 1e35, high: 1e38}}"
    settings = [f"tune.space={space}", "train.clip_norm=null", "tune.trials=3", "train.optimizer.weight_decay=1e9"]
    with pytest.raises(CharRnnError, match="every trial failed") as caught:
        tuning.search("study", *settings)
    assert caught.value.exit_code == 5
    assert [trial["state"] for trial in tuning.journal("study")] == ["FAIL"] * 3


def test_a_full_disk_ends_the_search_and_not_the_trial(tuning: Tuning, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise StorageError("cannot write", why="the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(module, "train_run", full)
        with pytest.raises(StorageError):
            tuning.search("study", "tune.trials=1")
    assert [trial["state"] for trial in tuning.journal("study")] == ["RUNNING"]
    assert tuning.search("study", "tune.trials=1")["counts"]["complete"] == 1


def test_a_search_needs_a_space_and_a_validation_split(tuning: Tuning) -> None:
    with pytest.raises(UsageError, match="what to search"):
        tuning.search("study", "tune=null")
    with pytest.raises(DataError, match="valid split is empty"):
        tuning.search("study", "corpus.split=[1.0, 0.0, 0.0]")
    assert not (tuning.path / "study").exists()


def test_the_report_holds_the_best_against_the_config_itself(searched: Tuning) -> None:
    report = json.loads((searched.path / "study/report.json").read_text(encoding="utf-8"))
    figures = {row["trial"]: row["nats"] for row in report["table"]}
    assert figures == {number: min(searched.validations("study", number)) for number in range(6)}
    complete = [row for row in report["table"] if row["state"] == "complete"]
    assert [row["nats"] for row in complete] == sorted(row["nats"] for row in complete)
    assert report["table"][: len(complete)] == complete
    assert report["best"] == complete[0]
    assert report["default"]["values"]["train.optimizer.lr"] == 2e-2
    assert report["gain_nats"] == figures[0] - min(row["nats"] for row in complete)
    assert report["importances"] is None
    page = (searched.path / "study/report.md").read_text(encoding="utf-8")
    for row in report["table"]:
        assert f"| {row['trial']} | {row['state']} | {row['nats']:.4f} | {row['steps']} |" in page


def test_the_report_names_the_key_that_mattered(tuning: Tuning) -> None:
    """The rate decides everything in a few steps; how patient a run is that never stops decides nothing."""
    patience = "train.early_stop.patience: {kind: int, low: 50, high: 99}"
    space = f"{{train.optimizer.lr: {{kind: log, low: 1e-5, high: 1e-1}}, {patience}}}"
    settings = [f"tune.space={space}", "tune.trials=12", "tune.sampler={kind: random}", "tune.max_steps=8"]
    importances = tuning.search("study", *settings, "tune.prune=null")["importances"]
    assert importances["trials"] == 12
    assert next(iter(importances["shares"])) == "train.optimizer.lr"
    assert math.isclose(sum(importances["shares"].values()), 1.0)
    assert importances["shares"]["train.optimizer.lr"] > 0.6


def test_a_config_outside_its_own_space_has_nothing_to_be_held_against(tuning: Tuning) -> None:
    report = tuning.search("study", "train.optimizer.lr=0.5", "tune.trials=2")
    assert report["default"] is None
    assert report["gain_nats"] is None
    assert report["best"] is not None
    assert "nothing to hold" in (tuning.path / "study/report.md").read_text(encoding="utf-8")


def test_trials_that_were_given_up_are_never_among_the_best() -> None:
    class Spy:
        figures = "nats", "bits_per_char"

        def importances(self, judged: list[tuple[float, Any]], quantile: float) -> dict[str, float]:
            self.judged = judged
            return {}

    spy = Spy()
    complete = [{"state": "complete", "nats": 1.0 + n / 10, "values": n} for n in range(4)]
    others = [{"state": state, "nats": 0.5, "values": state} for state in ["pruned"] * 5 + ["running", "failed"]]
    report._importances(spy, complete + others)  # type: ignore[arg-type]
    assert [values for _, values in spy.judged] == [0, 1, 2, 3, *["pruned"] * 5]
    assert min(nats for nats, values in spy.judged if values == "pruned") > 1.3
