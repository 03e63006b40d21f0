from __future__ import annotations

from pathlib import Path

import pytest
from tuning import Tuning

from charrnn.errors import ConfigError, DataError, DivergedError, UsageError
from charrnn.logs.console import Console
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt
from charrnn.tune.opening import open_study
from charrnn.tune.study import PRUNED, Study, Trial


def opened(tuning: Tuning, name: str = "study", *overrides: str, corpus: str = "d1") -> Study:
    return open_study(tuning.path / name, tuning.loaded(*overrides).config, corpus)[0]


def asked(study: Study, limit: int) -> Trial:
    trial = study.ask(limit)
    assert trial is not None
    return trial


def histories(*nats: float) -> list[dict[str, float]]:
    return [{"step": step, "loss": value} for step, value in enumerate(nats, start=1)]


def test_the_first_trial_is_the_config_itself_where_the_space_holds_it(tuning: Tuning) -> None:
    own = {"train.optimizer.lr": 2e-2, "model.core.hidden": 4, "model.core.kind": "lstm"}
    assert asked(opened(tuning), 1).values == own
    outside = opened(tuning, "outside", "model.core.hidden=5")
    assert outside.own_outside == ["model.core.hidden"]
    assert asked(outside, 1).values["model.core.hidden"] in (4, 6, 8)


def test_proposals_do_not_depend_on_which_process_asks(tuning: Tuning) -> None:
    def proposals(name: str, processes: int, *overrides: str) -> list[object]:
        studies = [opened(tuning, name, *overrides) for _ in range(processes)]
        found = []
        for number in range(9):
            study = studies[number % processes]
            trial = asked(study, 9)
            found.append(trial.values)
            study.report(number, histories(trial.values["train.optimizer.lr"]))
            study.end(number, trial.values["train.optimizer.lr"], pruned=False)
        return found

    alone = proposals("alone", 1)
    assert proposals("together", 3) == alone
    assert len({repr(values) for values in alone}) == 9
    other = proposals("other", 1, "tune.seed=2")
    assert [a == b for a, b in zip(alone, other, strict=True)] == [True, *[False] * 8]


def test_trials_under_way_keep_others_from_their_neighbourhood(tuning: Tuning) -> None:
    """Two processes that ask at the same moment do not try the same."""
    study = opened(tuning)
    for number in range(4):
        asked(study, 9)
        study.end(number, float(number), pruned=False)
    values = [repr(asked(study, 9).values) for _ in range(5)]
    assert len(set(values)) == 5


def test_there_are_never_more_trials_than_asked_for(tuning: Tuning) -> None:
    one, other = opened(tuning), opened(tuning)
    assert [asked(one, 3).number, asked(other, 3).number, asked(one, 3).number] == [0, 1, 2]
    assert one.ask(3) is None
    assert other.ask(3) is None
    assert asked(other, 4).number == 3


def test_the_first_end_of_a_trial_counts(tuning: Tuning) -> None:
    study = opened(tuning)
    asked(study, 9)
    study.end(0, 1.5, pruned=False)
    study.end(0, 1.0, pruned=True)
    study.fail(0, DivergedError("too late"))
    assert [(t["state"], t["values"], t["attributes"]) for t in tuning.journal("study")] == [("COMPLETE", [1.5], {})]


def test_a_failed_trial_says_why(tuning: Tuning) -> None:
    study = opened(tuning)
    asked(study, 9)
    study.fail(0, DivergedError("the loss is not finite", hint="lower it"))
    (trial,) = study.trials()
    assert (trial.state, trial.error) == (
        "failed",
        {"exit_code": 5, "what": "the loss is not finite", "try": "lower it"},
    )


def test_pruning_needs_finished_trials_and_looks_at_the_median(tuning: Tuning) -> None:
    study = opened(tuning, "study", "tune.prune.after_trials=3", "tune.prune.after_evaluations=1")
    for number, nats in enumerate([(3.0, 2.0, 1.0), (3.0, 2.2, 1.2), (3.0, 2.4, 1.4)]):
        asked(study, 9)
        for length in (1, 2, 3):
            assert study.verdict(number, histories(*nats[:length])) is None, (number, length)
        study.end(number, nats[-1], pruned=False)
    verdicts = []
    for number, second in enumerate([2.1, 2.2, 2.3], start=3):
        asked(study, 9)
        first = study.verdict(number, histories(9.0))
        verdicts.append((first, study.verdict(number, histories(9.0, second))))
    assert verdicts == [(None, None), (None, None), (None, PRUNED)]


def test_without_pruning_nothing_is_given_up(tuning: Tuning) -> None:
    study = opened(tuning, "study", "tune.prune=null")
    for number in range(6):
        asked(study, 9)
        assert study.verdict(number, histories(float(number), float(number))) is None
        study.end(number, float(number), pruned=False)


def test_a_validation_is_reported_once(tuning: Tuning) -> None:
    study = opened(tuning)
    asked(study, 9)
    study.verdict(0, histories(3.0, 2.0))
    size = (tuning.path / "study/study.journal").stat().st_size
    study.verdict(0, histories(3.0, 2.0))
    assert (tuning.path / "study/study.journal").stat().st_size == size
    assert tuning.journal("study")[0]["reports"] == {1: 3.0, 2: 2.0}


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("model.input.size=4", "model.input.size 3 4 refused"),
        ("tune.max_steps=30", "tune.max_steps 24 30 refused"),
        ("train.seed=2", "train.seed 1 2 refused"),
        ('tune.space={"train.optimizer.lr": {high: 1.0, low: 0.5}}', "tune.space.train.optimizer.lr.low"),
    ],
)
def test_what_makes_trials_comparable_may_not_change(tuning: Tuning, override: str, line: str) -> None:
    opened(tuning)
    with pytest.raises(ConfigError) as caught:
        opened(tuning, "study", override)
    assert line in " ".join(str(caught.value.why).split())


def test_what_may_change_is_told(tuning: Tuning) -> None:
    opened(tuning)
    settings = ["tune.trials=9", "tune.prune=null", "tune.sampler={kind: random}", "train.log_every=3"]
    _, changes = open_study(tuning.path / "study", tuning.loaded(*settings).config, "d1")
    assert changes[0].split() == ["key", "in", "the", "study", "now", "effect"]
    rows = [line.split() for line in changes[1:]]
    assert ["tune.trials", "6", "9", "takes", "effect"] in rows
    assert ["train.log_every", "10", "3", "takes", "effect"] in rows


def test_another_text_is_refused(tuning: Tuning) -> None:
    opened(tuning)
    with pytest.raises(DataError, match="text is not the one"):
        opened(tuning, corpus="d2")


def test_a_folder_of_somebody_else_is_left_alone(tuning: Tuning) -> None:
    folder: Path = tuning.path / "mine"
    folder.mkdir()
    (folder / "best.yaml").write_text("mine")
    with pytest.raises(UsageError, match=r"best\.yaml"):
        opened(tuning, "mine")
    assert [path.name for path in folder.iterdir()] == ["best.yaml"]


def test_a_run_is_no_place_for_a_study(tuning: Tuning) -> None:
    with Console(quiet=True) as console:
        loaded = tuning.loaded("train.max_steps=2")
        train_run(loaded, tuning.path / "run", "new", tuning.path / "corpora", console, Interrupt())
    with pytest.raises(UsageError, match="holds a run"):
        tuning.search("run")
    assert not (tuning.path / "run" / "study.journal").exists()
