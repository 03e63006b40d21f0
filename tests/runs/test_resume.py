"""A run that was stopped and resumed is, bit for bit, the run that never was."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import pytest
from lab import Lab, Stopper, resumes, same_run

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema.schedule import CosineSchedule
from charrnn.errors import CheckpointError, ConfigError, DataError, Interrupted, JobEnds, UsageError
from charrnn.train.deadline import Deadline
from charrnn.train.interrupt import Interrupt
from charrnn.train.schedule import rate_factor


@pytest.mark.parametrize("hard", [False, True], ids=["sigterm", "sigkill"])
@pytest.mark.parametrize("stops", [[16], [40], [21, 9], [3, 3, 40]])
def test_stopped_and_resumed_is_never_stopped(lab: Lab, stops: list[int], hard: bool) -> None:
    """Looks come at every update, every evaluation batch and every block of prepare: stops fall into all of them."""
    resumes(lab, stops, hard)


CRAFT = [
    "stream={lanes: 4, chunk: 10, reach: 17, offset: random, reset_chance: 0.1, lengths: {kind: random, spread: 3}}",
    "model.core.initial_state=trained",
    "train.regularization={activation: 0.5, temporal: 0.5, label_smoothing: 0.1}",
    "train.scheduled_sampling={kind: linear, to: 0.5, over: 30}",
]


@pytest.mark.parametrize("hard", [False, True], ids=["sigterm", "sigkill"])
@pytest.mark.parametrize(
    ("average", "lr"),
    [("{kind: ema, decay: 0.9}", 2e-2), ("{kind: nt-asgd, patience: 1}", 0.3)],
    ids=["ema", "nt-asgd"],
)
def test_all_the_craft_of_training_resumes_bit_for_bit(lab: Lab, average: str, lr: float, hard: bool) -> None:
    """The larger rate lets validation stall, which is what NT-ASGD waits for."""
    overrides = [*CRAFT, f"train.average={average}", f"train.optimizer.lr={lr}"]
    resumes(lab, [30, 55, 40], hard, *overrides)
    last = Checkpoint.open(checkpoints(lab.path / "unbroken" / "checkpoints")[-1])
    assert last.document("train")["averaged"] > 0
    assert not np.array_equal(
        last.tensors("model")["layers.0.weight_hh"], last.tensors("weights")["layers.0.weight_hh"]
    )


def test_stopped_again_and_again_wherever_it_is(lab: Lab) -> None:
    """Forty-one looks further each time; an evaluation with its sample takes thirty, so stops fall into every phase."""
    lab.train("unbroken")
    lab.stopped("broken", 0)
    for _ in range(60):
        try:
            lab.train("broken", "resume", Stopper(41))
        except Interrupted:
            continue
        break
    same_run(lab, "unbroken", "broken")


@pytest.mark.parametrize(
    "optimizer",
    [
        "{kind: sgd, lr: 0.3}",
        "{kind: sgd, lr: 0.1, momentum: 0.9}",
        "{kind: sgd, lr: 0.1, momentum: 0.9, nesterov: true}",
        "{kind: adagrad}",
        "{kind: rmsprop}",
        "{kind: adam}",
        "{kind: eve, betas: [0.9, 0.99, 0.9]}",
    ],
)
def test_every_optimizer_goes_on_as_if_nothing_had_been(lab: Lab, optimizer: str) -> None:
    settings = (f"train.optimizer={optimizer}", "train.epochs=2")
    resumes(lab, [17, 17], False, *settings)


MINGRU = "{kind: mingru, hidden: 8, layers: 2, dropout: 0.2, initial_state: trained}"


@pytest.mark.parametrize(
    ("core", "scan"),
    [
        ("{kind: jordan, hidden: 8, outputs: 5, layers: 2, dropout: 0.2, recurrent_dropout: 0.3}", "auto"),
        ("{kind: ln-lstm, hidden: 8, layers: 2, recurrent_dropout: {kind: state, p: 0.3}}", "auto"),
        (MINGRU, "loop"),
        ("{kind: minlstm, hidden: 8, layers: 2, dropout: 0.2}", "tree"),
    ],
    ids=["jordan", "ln-lstm", "mingru", "minlstm"],
)
def test_every_cell_goes_on_as_if_nothing_had_been(lab: Lab, core: str, scan: str) -> None:
    settings = (f"model.core={core}", f"train.scan={scan}", "train.epochs=2", "stream.reset_chance=0.2")
    resumes(lab, [17, 17], False, *settings)


@pytest.mark.parametrize("scan", ["loop", "tree"])
def test_a_resumed_run_keeps_the_form_of_its_scan(lab: Lab, scan: str) -> None:
    """Whichever form is faster here: one of the two is not, and is kept all the same."""
    settings = (f"model.core={MINGRU}", "train.epochs=2")
    lab.train("unbroken", "new", None, *settings, f"train.scan={scan}")
    with pytest.raises(Interrupted):
        lab.train("broken", "new", Stopper(40), *settings, f"train.scan={scan}")
    lab.train("broken", "resume", None, *settings)
    whole, parts = (Checkpoint.open(checkpoints(lab.path / run / "checkpoints")[-1]) for run in ("unbroken", "broken"))
    assert parts.document("config")["plan"]["scan"] == scan
    for name, array in whole.tensors("model").items():
        np.testing.assert_array_equal(parts.tensors("model")[name], array)
    assert lab.records("unbroken") == lab.records("broken")


def test_a_longer_run_goes_on_from_a_finished_one(lab: Lab) -> None:
    lab.train("whole", "new", None, "train.epochs=4")
    lab.train("parts", "new", None, "train.epochs=2")
    outcome = lab.train("parts", "resume", None, "train.epochs=4")
    assert outcome["step"] == Checkpoint.open(checkpoints(lab.path / "whole" / "checkpoints")[-1]).step
    last = checkpoints(lab.path / "whole" / "checkpoints")[-1].name
    whole = Checkpoint.open(lab.path / "whole" / "checkpoints" / last)
    parts = Checkpoint.open(lab.path / "parts" / "checkpoints" / last)
    # The shorter run ended with a record, a validation and a checkpoint of its own; the weights are the same.
    for name, array in whole.tensors("model").items():
        np.testing.assert_array_equal(parts.tensors("model")[name], array)


def test_a_changed_rate_takes_effect_on_resume(lab: Lab) -> None:
    lab.stopped("run", 30)
    lab.train("run", "resume", None, "train.optimizer.lr=0.5")
    rates = [record["lr"] for record in lab.records("run") if record["split"] == "train"]
    assert rates[0] == 2e-2
    assert rates[-1] in {0.5 * 0.5**n for n in range(30)}


def test_the_recorded_rate_follows_the_schedule(lab: Lab) -> None:
    outcome = lab.train("run", "new", None, "train.schedule={kind: cosine, warmup: 5, floor: 0.1}")
    schedule = CosineSchedule(warmup=5, floor=0.1)
    records = [record for record in lab.records("run") if record["split"] == "train"]
    expected = [2e-2 * rate_factor(schedule, record["step"] - 1, outcome["step"], 1, []) for record in records]
    assert [record["lr"] for record in records] == expected
    assert len(set(expected)) > 5


@pytest.mark.parametrize(
    "override", ["stream.lanes=3", "stream.chunk=9", "model.core.hidden=9", "train.seed=2", "train.optimizer.kind=adam"]
)
def test_a_changed_identity_is_refused_with_both_values(lab: Lab, override: str) -> None:
    lab.stopped("run", 30)
    before = _files(lab.path / "run")
    with pytest.raises(ConfigError) as error:
        lab.train("run", "resume", None, override)
    key, value = override.split("=")
    assert key in str(error.value.why)
    assert value in str(error.value.why)
    assert "refused" in str(error.value.why)
    assert error.value.exit_code == 2
    assert _files(lab.path / "run") == before


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_changed_vocabulary_is_refused_and_named(lab: Lab) -> None:
    lab.stopped("run", 30)
    text = (lab.path / "text.txt").read_text()
    (lab.path / "text.txt").write_text(text.replace("a", "z"))
    with pytest.raises(DataError, match="vocabulary") as error:
        lab.train("run", "resume")
    assert "id 2: a here, b there" in str(error.value.why)
    assert error.value.exit_code == 3


def test_a_changed_text_is_refused(lab: Lab) -> None:
    lab.stopped("run", 30)
    text = (lab.path / "text.txt").read_text()
    (lab.path / "text.txt").write_text(text[1:] + text[0])
    with pytest.raises(DataError, match="data are not those"):
        lab.train("run", "resume")


def test_the_text_may_move(lab: Lab) -> None:
    lab.stopped("run", 30)
    (lab.path / "text.txt").rename(lab.path / "moved.txt")
    lab.train("run", "resume", None, f"corpus.source={lab.path / 'moved.txt'}")


def test_a_damaged_checkpoint_is_never_stepped_over_in_silence(lab: Lab) -> None:
    lab.stopped("run", 40)
    newest = checkpoints(lab.path / "run" / "checkpoints")[-1]
    model = newest / "model.safetensors"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged") as error:
        lab.train("run", "resume")
    assert "model.safetensors" in str(error.value.where)
    assert error.value.exit_code == 4
    # What the error advises works.
    good = checkpoints(newest.parent)[-2]
    assert f"go on from {good.name}" in str(error.value.hint)
    newest.rename(lab.path / "damaged")
    (lab.path / "run" / "last").unlink()
    assert lab.train("run", "resume")["ended"] == "all steps are done"


def test_an_unfinished_run_is_an_error_and_a_finished_one_a_no_op(lab: Lab) -> None:
    lab.stopped("run", 30)
    with pytest.raises(UsageError, match="not finished"):
        lab.train("run")
    first = lab.train("run", "resume")
    before = {path: path.stat().st_mtime_ns for path in (lab.path / "run").rglob("step-*/*")}
    assert lab.train("run") == first
    assert lab.train("run", "resume") == first
    assert {path: path.stat().st_mtime_ns for path in (lab.path / "run").rglob("step-*/*")} == before
    with pytest.raises(UsageError, match="another config"):
        lab.train("run", "new", None, "train.epochs=5")


def test_force_starts_anew(lab: Lab) -> None:
    lab.train("fresh")
    lab.stopped("run", 30)
    lab.train("run", "force")
    same_run(lab, "fresh", "run")


def test_old_checkpoints_go_and_the_best_stays(lab: Lab) -> None:
    outcome = lab.train("run", "new", None, "train.save.keep=2")
    steps = [Checkpoint.open(folder).step for folder in checkpoints(lab.path / "run" / "checkpoints")]
    assert outcome["best"]["step"] in steps
    assert len([step for step in steps if step != outcome["best"]["step"]]) == 2
    assert steps[-1] == outcome["step"]


def test_a_finished_run_that_was_killed_before_its_pointers_were_moved_gets_them(lab: Lab) -> None:
    lab.train("run")
    pointed = {name: (lab.path / "run" / name).read_text() for name in ("best", "last")}
    earliest = checkpoints(lab.path / "run" / "checkpoints")[0].name
    for name in pointed:
        (lab.path / "run" / name).write_text(earliest + "\n")
    lab.train("run", "resume")
    assert {name: (lab.path / "run" / name).read_text() for name in pointed} == pointed
    assert earliest + "\n" not in pointed.values()


def test_the_end_of_the_job_stops_a_run_like_a_signal_and_each_save_is_timed(lab: Lab) -> None:
    """A clock that moves by a second at every look, and saves that are said to be slow: the end comes earlier."""
    lab.train("unbroken")
    ticks = count(1_700_000_000)
    interrupt, saves = Interrupt(), []

    class Timed(Deadline):
        def saved(self, seconds: float) -> None:
            saves.append(seconds)
            super().saved(12.0)

    interrupt.deadline = Timed(1_700_000_200, lambda: next(ticks))
    with pytest.raises(JobEnds) as stop:
        lab.train("broken", "new", interrupt)
    # Three saves of 12 s and a tenth of the 200 that it had; the look here takes one more.
    assert interrupt.deadline.left == 3 * 12 + 20 - 1
    newest = checkpoints(lab.path / "broken" / "checkpoints")[-1]
    assert stop.value.step == Checkpoint.open(newest).step
    assert len(saves) > 2
    assert all(seconds > 0 for seconds in saves)
    lab.train("broken", "resume")
    same_run(lab, "unbroken", "broken")
