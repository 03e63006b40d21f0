"""The guard of the training step, in whole runs: NaN is injected into the loss or the gradient of chosen updates."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Container
from typing import Any

import numpy as np
import pytest
from lab import Lab, Stopper, same_run
from torch import nn

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.contracts import Loss
from charrnn.errors import DivergedError, Interrupted
from charrnn.models.core import Draws, State
from charrnn.runs.folder import RunFolder
from charrnn.stream.gather import TokenBatch
from charrnn.tasks.language import LanguageTask
from charrnn.train import loop
from charrnn.train.evaluate import Evaluation

Poison = Callable[..., None]


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    """Make the loss (or only the gradient) of some updates NaN; with `lives` only so many times each."""
    sound = LanguageTask.loss

    def inject(steps: Container[int], part: str = "loss", lives: int = 10**9) -> None:
        used: dict[int, int] = {}

        def loss(
            self: LanguageTask, model: nn.Module, batch: TokenBatch, state: State, draws: Draws | None = None
        ) -> Loss:
            result = sound(self, model, batch, state, draws)
            if draws is None or draws.step not in steps or used.get(draws.step, 0) >= lives:
                return result
            used[draws.step] = used.get(draws.step, 0) + 1
            if part == "loss":
                return dataclasses.replace(result, each=result.each * math.nan)
            # The square root of nothing: a loss of 0, with a slope of infinity times 0.
            return dataclasses.replace(result, each=result.each + (model.head.output.weight.sum() * 0.0).sqrt())

        monkeypatch.setattr(LanguageTask, "loss", loss)

    return inject


def weights_of(lab: Lab, name: str) -> dict[str, np.ndarray]:
    return Checkpoint.open(checkpoints(lab.path / name / "checkpoints")[-1]).tensors("model")


def of_split(lab: Lab, name: str, split: str) -> list[dict[str, Any]]:
    return [record for record in lab.records(name) if record["split"] == split]


@pytest.mark.parametrize("part", ["loss", "gradient"])
def test_a_run_with_some_bad_updates_ends_near_the_clean_one(lab: Lab, poison: Poison, part: str) -> None:
    clean = lab.train("clean")
    poison({3, 20, 21, 50, 70}, part)
    hurt = lab.train("hurt")
    assert hurt["step"] == clean["step"]
    assert all(np.isfinite(array).all() for array in weights_of(lab, "hurt").values())
    for one, other in zip(of_split(lab, "clean", "valid"), of_split(lab, "hurt", "valid"), strict=True):
        assert other["nats"] == pytest.approx(one["nats"], abs=0.1)
    skipped = [record["skipped"] for record in of_split(lab, "hurt", "train")]
    assert sum(skipped) == 5
    assert all(record["nats"] < 3.0 for record in of_split(lab, "hurt", "train"))


def test_the_lanes_go_on_from_the_state_in_front_of_the_skipped_update(lab: Lab, poison: Poison) -> None:
    """All updates after the first nine are bad, so the last checkpoint must hold what the ninth one left."""
    lab.train("nine", "new", None, "train.max_steps=9")
    poison(range(9, 12))
    lab.train("twelve", "new", None, "train.max_steps=12")
    one, other = (Checkpoint.open(checkpoints(lab.path / name / "checkpoints")[-1]) for name in ("nine", "twelve"))
    assert (one.step, other.step) == (9, 12)
    for group in ("model", "optimizer", "lanes"):
        for name, array in one.tensors(group).items():
            np.testing.assert_array_equal(other.tensors(group)[name], array, err_msg=f"{group} {name}")


def test_after_a_row_of_bad_updates_the_run_goes_back_with_half_the_rate(lab: Lab, poison: Poison) -> None:
    """The updates are bad only once, so the second life of the run passes them."""
    clean = lab.train("clean", "new", None, "train.schedule={kind: constant}")
    poison(range(22, 27), lives=1)
    hurt = lab.train("hurt", "new", None, "train.schedule={kind: constant}")
    assert (hurt["step"], hurt["ended"]) == (clean["step"], clean["ended"])
    (guard,) = of_split(lab, "hurt", "guard")
    # There are checkpoints of 18 and of 22, and what the latter holds led straight to trouble.
    assert (guard["step"], guard["rolled_back_from"]) == (18, 27)
    assert guard["what"] == "5 updates in a row were not finite"
    steps = [record["step"] for record in lab.records("hurt")]
    assert steps == sorted(steps), "there must not be two lives of one step"
    before, after = lab.records("hurt")[: steps.index(18)], lab.records("hurt")[steps.index(18) + 1 :]
    assert before == [record for record in lab.records("clean") if record["step"] < 18]
    rates = [record["lr"] for record in after if "lr" in record]
    assert rates == pytest.approx([1e-2] * len(rates))
    assert len(rates) > 5
    assert hurt["best"]["nats"] == pytest.approx(clean["best"]["nats"], abs=0.2)


def test_going_back_to_where_a_record_was_due_does_not_write_it_twice(lab: Lab, poison: Poison) -> None:
    poison(range(22, 27), lives=1)
    lab.train("hurt", "new", None, "train.log_every=9")
    written = [(record["step"], record["split"]) for record in lab.records("hurt")]
    assert written[:6] == [(9, "train"), (11, "valid"), (18, "train"), (18, "guard"), (22, "valid"), (27, "train")]


def test_a_run_that_stays_bad_ends_with_exit_code_5_and_a_dump(lab: Lab, poison: Poison) -> None:
    poison(range(22, 1000))
    with pytest.raises(DivergedError, match="5 updates in a row") as error:
        lab.train("hurt")
    assert error.value.exit_code == 5
    assert error.value.where == str(lab.path / "hurt" / "diverged.json")
    dump = json.loads((lab.path / "hurt" / "diverged.json").read_text(encoding="utf-8"))
    assert (dump["step"], dump["skipped_in_a_row"], dump["rate_scale"]) == (27, 5, 0.5)
    assert dump["figures"]["sum"] == "nan"
    assert len(dump["lanes"]["0.h"]) == 4
    assert [record["step"] for record in lab.records("hurt")][-1] == 14
    last = Checkpoint.open(checkpoints(lab.path / "hurt" / "checkpoints")[-1])
    assert last.step == 18
    assert all(np.isfinite(array).all() for array in last.tensors("model").values())
    poison([])
    assert lab.train("hurt", "resume", None, "train.optimizer.lr=1e-3")["ended"] == "all steps are done"


def test_without_a_checkpoint_there_is_nothing_to_go_back_to(lab: Lab, poison: Poison) -> None:
    poison(range(1000))
    with pytest.raises(DivergedError) as error:
        lab.train("hurt")
    assert error.value.why is not None
    assert "no earlier checkpoint" in error.value.why
    assert not checkpoints(lab.path / "hurt" / "checkpoints")


def test_a_checkpoint_in_the_middle_of_a_bad_row_is_not_gone_back_to(lab: Lab, poison: Poison) -> None:
    poison(range(25, 30), lives=1)  # a checkpoint falls due after the update 27, which is bad
    lab.train("hurt")
    (guard,) = of_split(lab, "hurt", "guard")
    assert guard["step"] == 22


def test_a_bad_row_does_not_push_the_good_checkpoints_out(lab: Lab, poison: Poison) -> None:
    poison(range(6, 11), lives=1)
    outcome = lab.train("hurt", "new", None, "train.save.every=1", "train.save.keep=2")
    (guard,) = of_split(lab, "hurt", "guard")
    assert (guard["step"], outcome["ended"]) == (5, "all steps are done")


def test_the_best_checkpoint_is_there_after_going_back(lab: Lab, poison: Poison) -> None:
    """Validation falls due in the middle of the row: it waits for the row's end."""
    poison(range(3, 8), lives=1)
    lab.train("hurt", "new", None, "train.save.every=3", "evaluate.every=5")
    assert [record["step"] for record in of_split(lab, "hurt", "valid")][:3] == [5, 10, 15]
    assert RunFolder(lab.path / "hurt").preferred()[1] == "best"
    poison(range(3, 1000))
    with pytest.raises(DivergedError):
        lab.train("worse", "new", None, "train.save.every=3", "evaluate.every=2")
    assert RunFolder(lab.path / "worse").preferred()[0].step == 2


def test_a_validation_due_at_a_skipped_update_comes_after_the_next_sound_one(lab: Lab, poison: Poison) -> None:
    poison({10, 11})
    lab.train("hurt")
    assert [record["step"] for record in of_split(lab, "hurt", "valid")][:3] == [13, 22, 33]


@pytest.mark.parametrize("times", [1, 9])
def test_a_validation_loss_that_is_not_finite_sends_the_run_back_too(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    calls, sound = 0, loop.evaluate

    def evaluate(*arguments: Any, **world: Any) -> Evaluation | None:
        nonlocal calls
        calls += 1
        result = sound(*arguments, **world)
        assert result is not None
        return dataclasses.replace(result, mean=math.nan) if 2 < calls <= 2 + times else result

    monkeypatch.setattr(loop, "evaluate", evaluate)
    if times == 1:
        assert lab.train("hurt")["ended"] == "all steps are done"
        (guard,) = of_split(lab, "hurt", "guard")
        assert (guard["step"], guard["rolled_back_from"]) == (27, 33)
        assert guard["what"] == "the validation loss is nan"
        return
    with pytest.raises(DivergedError, match="validation loss is nan") as error:
        lab.train("hurt")
    assert error.value.why == "half the rate did not help"
    assert (lab.path / "hurt" / "diverged.json").is_file()


def test_weights_that_overflow_end_the_run_as_divergence_does(lab: Lab) -> None:
    """Every gradient is finite, and the step along it is not: the checkpoint that falls due is refused."""
    lab.train("hurt", "new", None, "train.max_steps=9")
    overrides = ("train.optimizer.lr=1e39", "train.max_steps=20", "train.save.every=1", "train.guard.skips=50")
    with pytest.raises(DivergedError, match="refusing to save"):
        lab.train("hurt", "resume", None, *overrides)
    assert (lab.path / "hurt" / "diverged.json").is_file()
    assert checkpoints(lab.path / "hurt" / "checkpoints")[-1].name == "step-00000009"


@pytest.mark.parametrize("hard", [False, True], ids=["sigterm", "sigkill"])
def test_a_guarded_run_resumes_bit_for_bit(lab: Lab, poison: Poison, hard: bool) -> None:
    poison({3, *range(22, 27), 60})
    with pytest.raises(DivergedError):
        lab.train("unbroken")
    poison({3, *range(30, 33), 60})
    lab.train("whole")
    lab.stopped("broken", 0, hard)
    for _ in range(60):
        try:
            lab.train("broken", "resume", Stopper(67, hard))
        except (Interrupted, Stopper.Killed):
            continue
        break
    same_run(lab, "whole", "broken")
