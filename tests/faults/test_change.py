"""Data, lanes, seeds and machines that change under a run: refused in three columns, or told and done rightly."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lab import CONFIG, TEXT, Lab, Stopper, same_run
from ledger import Ledger

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.checkpoint.write import write_checkpoint
from charrnn.config.load import load_config
from charrnn.errors import CheckpointError, ConfigError, DataError, Interrupted, UsageError
from charrnn.logs.console import Console
from charrnn.runs.evaluate import Wanted, evaluate_run
from charrnn.runs.plan import Plan, make_plan
from charrnn.runs.start import train_run
from charrnn.runs.throwaway import throwaway
from charrnn.tasks.language import LanguageTask
from charrnn.train.interrupt import Interrupt

OTHER = TEXT[::-1]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return Lab(tmp_path)


def go_on(lab: Lab, name: str, *overrides: str, allow: tuple[str, ...] = (), interrupt: Interrupt | None = None) -> str:
    """Resume, and what was said."""
    loaded, said = load_config(lab.path / "config.yaml", overrides), io.StringIO()
    with Console(stream=said, environ={}) as console:
        folder, corpora = lab.path / name, lab.path / "corpora"
        train_run(loaded, folder, "resume", corpora, console, interrupt or Interrupt(), allowed=allow)
    return said.getvalue()


def newest(lab: Lab, name: str) -> Checkpoint:
    return Checkpoint.open(checkpoints(lab.path / name / "checkpoints")[-1])


class _AfterStep27(Interrupt):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.newest = folder / "checkpoints" / "step-00000027"

    def check(self) -> None:
        if self.newest.exists():
            raise Stopper.Killed


def interrupted(lab: Lab, name: str, *overrides: str) -> Checkpoint:
    """A run that was killed in the middle of its second epoch: an epoch has 21 updates."""
    with pytest.raises(Stopper.Killed):
        lab.train(name, "new", _AfterStep27(lab.path / name), *overrides)
    return newest(lab, name)


def write_other_text(lab: Lab) -> None:
    (lab.path / "text.txt").write_text(OTHER, encoding="utf-8")


CHANGES: dict[str, tuple[str, list[str], Callable[[Lab], None]]] = {
    "lanes": ("stream", ["stream.lanes=3"], lambda lab: None),
    "chunk": ("stream", ["stream.chunk=7"], lambda lab: None),
    "windows": ("stream", ["stream={kind: windows, length: 9, batch: 5}"], lambda lab: None),
    "seed": ("seed", ["train.seed=5"], lambda lab: None),
    "text": ("data", [], write_other_text),
    "split": ("data", ["corpus.split=[0.6, 0.3, 0.1]"], lambda lab: None),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_refused_and_goes_on_where_it_is_allowed(lab: Lab, ledger: Ledger, what: str) -> None:
    """Held against updates done by hand: the next epoch of the new stream, fresh states, all else as it was saved."""
    option, overrides, change = CHANGES[what]
    count = ledger.fault("data, lanes or seed changed between save and --resume")
    with count.trial():
        interrupted(lab, "run")
        shutil.copytree(lab.path / "run", lab.path / "former")
        before = newest(lab, "former")
        change(lab)
        others = tuple({"data", "stream", "seed"} - {option})
        for allow in ((), others):
            with pytest.raises((ConfigError, DataError)) as error:
                go_on(lab, "run", "train.max_steps=33", *overrides, allow=allow)
            assert f"--allow-{option}" in error.value.block()
        said = go_on(lab, "run", "train.max_steps=33", *overrides, allow=(option,))
        assert "every state restart" in said
        after = newest(lab, "run")
        assert (before.step, after.step) == (27, 33)
        anew = what in ("text", "split", "windows")  # whose figures cannot be compared with those before
        assert ("validations restart" in said) == anew
        cuts = 0 if anew else plateaus(before)
        by_hand = done_by_hand(lab, before, 0.5**cuts, "train.max_steps=33", *overrides)
        assert sorted(by_hand) == sorted(after.tensors("model"))
        for name, array in after.tensors("model").items():
            np.testing.assert_array_equal(array, by_hand[name], err_msg=name)


def done_by_hand(lab: Lab, before: Checkpoint, factor: float, *overrides: str) -> dict[str, np.ndarray]:
    """Six updates from what a checkpoint holds of weights and optimizer."""
    with Console(quiet=True) as console:
        loaded = load_config(lab.path / "config.yaml", [*overrides, "train.schedule={kind: constant, warmup: 0}"])
        run = throwaway(loaded, lab.path / "corpora", console, Interrupt())
    state = run.state
    fresh = state.lanes
    state.restore(before, torch.device("cpu"))
    state.lanes, state.seed = fresh, loaded.config.train.seed
    state.shift = 2 * run.stream.steps_per_epoch - 27  # two epochs have begun
    for _ in range(6):
        run.advance(2e-2 * factor)
    return dict(state.groups()["model"])


def plateaus(before: Checkpoint) -> int:
    """How often validation brought no new best, which costs half the rate each time."""
    losses = [record["loss"] for record in before.document("train")["history"]]
    return sum(later >= min(losses[:i]) for i, later in enumerate(losses) if i)


def test_what_was_allowed_is_written_down_and_said(lab: Lab) -> None:
    interrupted(lab, "run")
    write_other_text(lab)
    overrides = ("stream.lanes=3", "train.seed=5", "train.epochs=6")
    said = go_on(lab, "run", *overrides, allow=("data", "stream", "seed"))
    assert "key           in the run  now  effect" in said
    assert "stream.lanes  4           3    restarts: the next epoch begins, read in this way" in said
    assert "validations restart" in said
    document = newest(lab, "run").document("config")
    told = [(change["step"], change["key"], change["before"], change["now"]) for change in document["changes"]]
    assert told[:2] == [(27, "stream.lanes", 4, 3), (27, "train.seed", 1, 5)]
    assert told[2][1:] == ("corpus (digest)", told[2][2], document["corpus_digest"])
    assert told[2][2] != told[2][3]
    # Two epochs had begun; the four that are left are whole ones of the new lanes.
    state = newest(lab, "run").document("train")
    assert state["step"] == 27 + 4 * document["steps_per_epoch"]
    assert newest(lab, "run").document("train")["seed"] == 5
    assert state["history"][0]["step"] >= 27
    epochs = [record["epoch"] for record in lab.records("run") if record["step"] > 27]
    assert epochs[-1] == 6.0
    # It is told only once, and needs no leave any more; beside figures it is told for ever.
    assert "restart" not in go_on(lab, "run", *overrides, "train.max_steps=10000")
    said_of_figures, loaded = io.StringIO(), load_config(lab.path / "config.yaml", overrides)
    with Console(stream=said_of_figures, environ={}) as console:
        wanted = Wanted("valid", None, False)
        evaluate_run(newest(lab, "run"), loaded, wanted, lab.path / "corpora", console, Interrupt())
    assert "this run was trained on other data up to step 27" in said_of_figures.getvalue()


def test_what_reads_the_main_text_reads_the_other_one_too(lab: Lab) -> None:
    """Lanes that learn from a teacher on the main text, and no text of their own."""
    lab.train("teacher", "new", None, "train.max_steps=4")
    mixed = f"stream.mix={{soft: {{lanes: 2, teacher: '{lab.path / 'teacher'}'}}}}"
    interrupted(lab, "run", mixed)
    write_other_text(lab)
    go_on(lab, "run", mixed, "train.max_steps=30", allow=("data",))
    document = newest(lab, "run").document("config")
    assert document["mix"]["soft"]["corpus_digest"] == document["corpus_digest"]


def test_a_run_that_was_changed_resumes_bit_for_bit(lab: Lab) -> None:
    interrupted(lab, "whole")
    shutil.copytree(lab.path / "whole", lab.path / "broken")
    write_other_text(lab)
    overrides = ("stream.lanes=3", "train.epochs=4")
    allow = ("data", "stream")
    go_on(lab, "whole", *overrides, allow=allow)
    with pytest.raises(Stopper.Killed):
        go_on(lab, "broken", *overrides, allow=allow, interrupt=Stopper(3, hard=True))
    for turn in range(60):
        try:
            go_on(lab, "broken", *overrides, interrupt=Stopper(73, hard=turn % 2 == 0))
        except (Interrupted, Stopper.Killed):
            continue
        break
    same_run(lab, "whole", "broken")


def test_the_guard_goes_back_over_a_change(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint that it goes back to was written by another number of lanes."""
    interrupted(lab, "run")
    sound, seen = LanguageTask.loss, []

    def loss(self: LanguageTask, model: Any, batch: Any, state: Any, draws: Any = None) -> Any:
        result = sound(self, model, batch, state, draws)
        if draws is not None and 28 <= draws.step < 33 and len(seen) < 5:
            seen.append(draws.step)
            return dataclasses.replace(result, each=result.each * float("nan"))
        return result

    monkeypatch.setattr(LanguageTask, "loss", loss)
    go_on(lab, "run", "stream.lanes=3", "evaluate.every=1000", "train.save.every=1000", allow=("stream",))
    assert seen == [28, 29, 30, 31, 32]
    (guard,) = [record for record in lab.records("run") if record["split"] == "guard"]
    assert guard["rolled_back_from"] == 33
    assert guard["step"] <= 27
    last = newest(lab, "run")
    assert last.document("train")["ended"] == "all steps are done"
    assert len(last.tensors("lanes")["0.h"]) == 3


@pytest.mark.parametrize("override", ["model.core.hidden=9", "train.optimizer.kind=adam", "train.precision=fp64"])
def test_another_model_cannot_be_resumed_whatever_is_allowed(lab: Lab, override: str) -> None:
    interrupted(lab, "run")
    with pytest.raises(ConfigError) as error:
        go_on(lab, "run", override, allow=("data", "stream", "seed"))
    key = override.partition("=")[0]
    (line,) = [line for line in str(error.value.why).splitlines() if line.startswith(key)]
    assert line.endswith("  refused")
    assert "--from" in str(error.value.hint)
    assert "--allow" not in error.value.block()


def test_another_vocabulary_cannot_be_resumed_and_fine_tuning_is_the_way(lab: Lab) -> None:
    interrupted(lab, "run")
    (lab.path / "text.txt").write_text(TEXT.replace("a", "z"), encoding="utf-8")
    with pytest.raises(DataError, match="vocabulary") as error:
        go_on(lab, "run", allow=("data",))
    assert "id 2: a here, b there" in str(error.value.why)
    assert f"charrnn train CONFIG --from {lab.path / 'run'}" in str(error.value.hint)
    lab.train("tuned", "new", None, f"train.start_from={lab.path / 'run'}", "train.max_steps=2", "sample.seed=b")


def test_leave_for_what_has_not_changed_is_told(lab: Lab) -> None:
    interrupted(lab, "run")
    said = go_on(lab, "run", "train.max_steps=30", allow=("seed",))
    assert "--allow-seed: nothing has changed that it would allow" in said
    assert "changes" not in newest(lab, "run").document("config")


def test_ratings_are_not_exchanged(tmp_path: Path) -> None:
    from ratinglab import rating_lab, table

    lab = rating_lab(tmp_path)
    lab.train("run", "new", None, "train.max_steps=9")
    (tmp_path / "ratings.csv").write_text(table().replace(",2.0,", ",2.5,"), encoding="utf-8")
    with pytest.raises(UsageError, match="not for the task `rate`"):
        go_on(lab, "run", allow=("data",))
    (tmp_path / "ratings.csv").write_text(table(), encoding="utf-8")
    assert "every state restart" in go_on(lab, "run", "stream.batch=8", allow=("stream",))


def test_labelled_items_may_be_others_of_the_same_labels(tmp_path: Path) -> None:
    def write(labels: str, shift: int) -> None:
        rows = [f"{'a' * (1 + i % 7)}{'b' * (i // 7 + shift)}c,{labels[i % 2]}" for i in range(40)]
        (tmp_path / "items.csv").write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")

    config = "task: classify\ncorpus: {source: items.csv, split: [0.6, 0.2, 0.2]}\nstream: {batch: 4}\n"
    (tmp_path / "config.yaml").write_text(config + "train: {max_steps: 6}\n", encoding="utf-8")
    lab = Lab(tmp_path)
    write("xy", 0)
    lab.train("run")
    write("xz", 0)
    with pytest.raises(DataError, match="labels are not those"):
        go_on(lab, "run", "train.max_steps=9", allow=("data",))
    write("xy", 1)
    assert "validations restart" in go_on(lab, "run", "train.max_steps=9", allow=("data",))
    assert newest(lab, "run").step == 9


def test_a_checkpoint_of_an_earlier_version_says_what_it_lacks(lab: Lab) -> None:
    rewritten(lab, "run", interrupted(lab, "run"), {"steps_per_epoch": None})
    with pytest.raises(CheckpointError, match="earlier version"):
        go_on(lab, "run", "stream.lanes=3", allow=("stream",))


def rewritten(lab: Lab, name: str, old: Checkpoint, config: dict[str, Any]) -> None:
    """The newest checkpoint with another `config.json`; None takes a key out."""
    groups = {group: old.tensors(group) for group in ("model", "optimizer", "lanes")}
    documents = {key: old.document(key) for key in ("config", "train", "vocabulary")}
    merged = documents["config"] | config
    documents["config"] = {key: value for key, value in merged.items() if value is not None}
    write_checkpoint(lab.path / name / "checkpoints", old.step, groups, documents)


def test_another_machine_is_told_and_what_is_left_of_exactness(lab: Lab, ledger: Ledger) -> None:
    """A checkpoint that was written on a GPU, under another PyTorch, on more threads: its tensors are everybody's."""
    with ledger.fault("another machine, device or version of PyTorch on --resume").trial():
        lab.train("whole", "new", None, "train.epochs=2")
        old = interrupted(lab, "run", "train.epochs=2")
        plan = old.document("config")["plan"]
        shutil.copytree(lab.path / "run", lab.path / "here")
        assert "not bit for bit" not in go_on(lab, "here", "train.epochs=2")
        elsewhere = plan | {"device": "cuda:0", "device_name": "NVIDIA H100", "torch": "2.10.0", "numpy": "1.26.0"}
        rewritten(lab, "run", newest(lab, "run"), {"plan": elsewhere})
        said = go_on(lab, "run", "train.epochs=2")
        (told,) = [line for line in said.splitlines() if "not bit for bit" in line]
        for change in ("device: cuda:0 → cpu", "torch: 2.10.0 → ", "numpy: 1.26.0 → ", "device_name: NVIDIA H100 → "):
            assert change in told
        assert told.endswith(
            "the order of the data is the same; another kind of device draws other numbers for dropout"
        )
        whole, run = newest(lab, "whole"), newest(lab, "run")
        assert run.document("config")["plan"]["device"] == "cpu"
        for name, array in whole.tensors("model").items():
            np.testing.assert_array_equal(run.tensors("model")[name], array)  # it was this machine all along


def test_the_flags_of_an_optimizer_are_this_machine_s(lab: Lab) -> None:
    """What a GPU needs beside its moments (capturable, the kind of kernel) is no part of a checkpoint."""
    old = interrupted(lab, "run")
    assert {name.rpartition("/")[2] for name in old.tensors("optimizer")} == {"step", "exp_avg", "exp_avg_sq"}
    assert not any("fused" in json.dumps(old.document(name)) for name in ("config", "train"))


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ({}, None),
        ({"threads": 9}, "each update is the same but for rounding"),
        ({"device_name": "another"}, "each update is the same but for rounding"),
        ({"numpy": "0"}, "each update is the same but for rounding"),
        ({"micro_batches": 2}, "each update is the same but for rounding"),
        ({"device": "cuda:1"}, "draws other numbers for dropout"),
    ],
)
def test_what_a_change_of_the_plan_leaves(lab: Lab, now: dict[str, Any], left: str | None) -> None:
    former = make_plan(load_config(lab.path / "config.yaml").config.train)
    told = Plan(**{**vars(former), **now}).exactness(vars(former))
    assert (told is None) if left is None else (told is not None and told.endswith(left))
