"""A study that several machines share, one of which dies in the middle of a trial."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from lab import Stopper
from nursery import Child, Nursery
from tuning import Tuning

from charrnn.errors import Interrupted
from charrnn.files import claims
from charrnn.files.claims import Claim
from charrnn.tune import search as module
from charrnn.tune.study import Study, Trial

TUNE = ("tune", "config.yaml", "--out", "study", "--quiet", "--json")


def begin(processes: Nursery, tuning: Tuning, name: str, *more: str, **environ: str) -> Child:
    return processes.start("claiming:charrnn_on", tuning.path, name, *TUNE, *more, RANK=name, WORLD_SIZE="1", **environ)


def steps_of(tuning: Tuning, number: int) -> list[int]:
    """The steps of which a trial has records of training."""
    path = tuning.path / "study/trials" / f"{number:04}" / "metrics.jsonl"
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [record["step"] for record in records if record["split"] == "train"]


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("death", [{"CHARRNN_TEST_DEATH": "17"}, {"CHARRNN_TEST_HALF": "2"}], ids=["trial", "journal"])
def test_trials_of_a_machine_that_died_are_done_by_the_others(
    processes: Nursery, tuning: Tuning, death: dict[str, str]
) -> None:
    """Three machines; every trial is done exactly once, to its last step, and all see the same study."""
    more = ("--set=tune.prune=null",)
    end = begin(processes, tuning, "a", *more, **death).wait()
    assert end.killed, end.err
    left = [trial["state"] for trial in tuning.journal("study")]
    assert left == ["RUNNING"]
    ends = [child.wait() for child in [begin(processes, tuning, name, *more) for name in ("b", "c")]]
    assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
    assert [trial["state"] for trial in tuning.journal("study")] == ["COMPLETE"] * 6
    assert [steps_of(tuning, number) for number in range(6)] == [[10, 20, 24]] * 6
    assert sorted(path.name for path in (tuning.path / "study/trials").iterdir()) == [f"{n:04}" for n in range(6)]
    for number, trial in enumerate(tuning.journal("study")):
        assert list(trial["reports"].values()) == tuning.validations("study", number)
    last = tuning.search("study", *(more[0].removeprefix("--set="),))
    assert last["counts"] == {"complete": 6, "pruned": 0, "running": 0, "failed": 0}
    assert [row["trial"] for row in last["table"] if row["values"] == last["best"]["values"]] == [last["best"]["trial"]]


def test_a_trial_on_another_machine_is_left_to_it_once_it_has_been_seen_to_live(
    tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted):
        tuning.search("study", "tune.trials=1", interrupt=Stopper(6))
    holder, looks = Claim(tuning.path / "study/trials/0000.claim"), []
    monkeypatch.setattr(claims, "machine", lambda: "there")
    assert holder.take()
    monkeypatch.setattr(claims, "machine", lambda: "here")

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            holder._beats += 1
            assert holder._file is not None
            holder._write(holder._file)

    monkeypatch.setattr(module.time, "sleep", pause)
    report = tuning.search("study", "tune.trials=2")
    assert report["counts"] == {"complete": 1, "pruned": 0, "running": 1, "failed": 0}
    assert len(looks) == 3
    holder.release()
    assert tuning.search("study", "tune.trials=2")["counts"]["running"] == 0


def test_who_lost_its_trial_while_it_slept_leaves_it(tuning: Tuning, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its next step; the trial is another's, and nothing of it is saved or told."""
    real, lost = module.Holder.check, []

    def check(holder: module.Holder) -> None:
        if len(lost) == 0 and (tuning.path / "study/trials/0000/metrics.jsonl").exists():
            lost.append((tuning.path / "study/trials/0000.claim").unlink())
            monkeypatch.setattr(claims, "_clock", lambda: 1e12)
        real(holder)

    monkeypatch.setattr(module.Holder, "check", check)
    monkeypatch.setattr(module.Search, "_others_live", lambda search: True)
    real_train, tried = module.Search._train, []

    def once(search: module.Search, trial: Any) -> bool:
        tried.append(trial.number)
        return False if len(tried) > 1 else real_train(search, trial)

    monkeypatch.setattr(module.Search, "_train", once)
    assert tuning.search("study", "tune.trials=1")["counts"]["running"] == 1
    assert tried == [0, 0]
    assert not list((tuning.path / "study/trials/0000/checkpoints").glob("step-*"))


def test_a_trial_that_ended_before_its_claim_was_free_is_not_done_again(
    tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a look into the journal and the claim another process may have ended it."""
    looks: list[int] = []

    def stale(real: Any) -> Any:
        """The first look is of some time ago."""

        def trials(study: Study) -> list[Trial]:
            looks.append(1)
            found: list[Trial] = real(study)
            return [replace(trial, state="running") for trial in found] if len(looks) == 1 else found

        return trials

    tuning.search("study", "tune.trials=1")
    before = (tuning.path / "study/study.journal").read_bytes()
    monkeypatch.setattr(Study, "trials", stale(Study.trials))
    monkeypatch.setattr(module.Search, "_trained", lambda *given: pytest.fail("it is done already"))
    assert tuning.search("study", "tune.trials=1")["counts"]["complete"] == 1
    assert (tuning.path / "study/study.journal").read_bytes() == before
