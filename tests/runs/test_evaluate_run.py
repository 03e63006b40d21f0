"""A run measured again is what training recorded; another text or another model is refused."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, Stopper

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.errors import CheckpointError, ConfigError, DataError, DivergedError, Interrupted, UsageError
from charrnn.logs.console import Console
from charrnn.runs.evaluate import Wanted, evaluate_run
from charrnn.runs.folder import config_beside
from charrnn.train.interrupt import Interrupt

FIGURES = ("nats", "bits_per_char", "bits_per_byte", "perplexity", "lanes")
DYNAMIC = "evaluate.dynamic={lr: 1e-2, decay: 1e-2, segment: 7, statistics: 30}"


def measure(
    lab: Lab,
    folder: Path,
    *overrides: str,
    split: str = "valid",
    positions: int | None = 8,
    dynamic: bool = False,
    config: Path | None = None,
    interrupt: Interrupt | None = None,
) -> dict[str, Any]:
    checkpoint = Checkpoint.open(folder)
    loaded = load_config(config or config_beside(checkpoint), overrides)
    wanted = Wanted(split, positions, dynamic)
    with Console() as console:
        return evaluate_run(checkpoint, loaded, wanted, lab.path / "corpora", console, interrupt or Interrupt())


def newest(lab: Lab, run: str = "run") -> Path:
    return checkpoints(lab.path / run / "checkpoints")[-1]


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize("core", ["elman", "gru", "lstm", "mingru"])
def test_it_is_what_training_recorded_to_the_last_bit(lab: Lab, core: str, precision: str) -> None:
    inside = "" if core == "mingru" else ", recurrent_dropout: 0.3"
    settings = (f"model.core={{kind: {core}, hidden: 8, layers: 2, dropout: 0.2{inside}}}", "train.scan=tree")
    lab.train("run", "new", None, *settings, f"train.precision={precision}", "train.save={every: 11, keep: 99}")
    recorded = {record["step"]: record for record in lab.records("run") if record["split"] == "valid"}
    compared = 0
    for folder in checkpoints(lab.path / "run" / "checkpoints"):
        record = recorded.get(Checkpoint.open(folder).step)
        if record is not None:
            result = measure(lab, folder)
            assert [result[name] for name in FIGURES] == [record[name] for name in FIGURES]
            compared += 1
    assert compared >= 3
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_all_that_it_tells(lab: Lab) -> None:
    lab.train("run")
    result = measure(lab, newest(lab), DYNAMIC, split="test", positions=16, dynamic=True)
    assert (result["split"], result["training_text"], result["tokens"], result["lanes"]) == ("test", False, 124, 3)
    assert result["positions"]["window"] == 16
    assert len(result["positions"]["nats"]) == 16
    dynamic = result["dynamic"]
    assert (dynamic["lanes"], dynamic["static"]["lanes"]) == (1, 1)
    assert dynamic["settings"]["segment"] == 7
    for name in ("nats", "bits_per_char", "bits_per_byte"):
        assert dynamic["gain"][name] == dynamic["static"][name] - dynamic[name]
    assert dynamic["nats"] != dynamic["static"]["nats"]
    assert result["perplexity"] == math.exp(result["nats"])
    training = measure(lab, newest(lab), split="train")
    assert (training["training_text"], training["lanes"], training["dynamic"]) == (True, 3, None)
    same = measure(lab, newest(lab), "evaluate.lanes=1", split="test")
    assert same["nats"] == dynamic["static"]["nats"]


def test_lanes_leave_every_window_room(lab: Lab) -> None:
    """124 tokens in three lanes would hold no window of a hundred."""
    lab.train("run")
    positions = measure(lab, newest(lab), split="test", positions=124)["positions"]
    assert (positions["lanes"], len(positions["nats"])) == (1, 124)
    with pytest.raises(UsageError, match="--positions 125") as error:
        measure(lab, newest(lab), split="test", positions=125)
    assert "124" in str(error.value.hint)


def test_nobody_who_asked_for_no_positions_is_refused_them(lab: Lab) -> None:
    lab.train("run", "new", None, "corpus.split=[rest, 90, 30]")
    positions = measure(lab, newest(lab), split="test", positions=None)["positions"]
    assert (positions["window"], len(positions["nats"])) == (30, 30)


def test_the_run_is_left_as_it_is_and_its_corpus_is_found(lab: Lab) -> None:
    lab.train("run")
    before = {path: path.read_bytes() for path in lab.path.rglob("*") if path.is_file()}
    first = measure(lab, newest(lab), DYNAMIC, dynamic=True)
    assert {path: path.read_bytes() for path in lab.path.rglob("*") if path.is_file()} == before
    shutil.rmtree(lab.path / "corpora")
    assert measure(lab, newest(lab), DYNAMIC, dynamic=True) == first


def test_another_text_is_refused(lab: Lab) -> None:
    lab.train("run")
    text = (lab.path / "text.txt").read_text()
    (lab.path / "text.txt").write_text(text[1:] + text[0])
    with pytest.raises(DataError, match="data are not those") as error:
        measure(lab, newest(lab))
    assert "--force" not in str(error.value.hint)
    (lab.path / "text.txt").write_text(text.replace("a", "z"))
    with pytest.raises(DataError, match="vocabulary"):
        measure(lab, newest(lab))


def test_a_checkpoint_on_its_own_needs_the_config(lab: Lab) -> None:
    lab.train("run")
    expected = measure(lab, newest(lab))
    alone = lab.path / "elsewhere" / newest(lab).name
    shutil.copytree(newest(lab), alone)
    (lab.path / "config.yaml").rename(lab.path / "kept.yaml")
    with pytest.raises(UsageError, match="not in its run's folder") as error:
        measure(lab, alone)
    assert "--config CONFIG" in str(error.value.hint)
    assert measure(lab, alone, config=lab.path / "kept.yaml") == expected | {"checkpoint": str(alone)}


@pytest.mark.parametrize(
    "override", ["model.core.hidden=9", "model.core.recurrent_dropout=0.1", "corpus.case=lower", "train.precision=fp64"]
)
def test_another_model_is_refused_with_both_values(lab: Lab, override: str) -> None:
    lab.train("run")
    with pytest.raises(ConfigError, match="not the one") as error:
        measure(lab, newest(lab), override)
    assert override.split("=")[0] in str(error.value.why)


def test_an_empty_split(lab: Lab) -> None:
    lab.train("run", "new", None, "corpus.split=[0.8, 0.2, 0.0]", "train.epochs=1")
    with pytest.raises(DataError, match="test split is empty"):
        measure(lab, newest(lab), split="test")


def test_a_damaged_checkpoint(lab: Lab) -> None:
    lab.train("run", "new", None, "train.epochs=1")
    path = newest(lab) / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        measure(lab, newest(lab))


def test_a_rate_that_is_too_high(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.train("run", "new", None, "train.epochs=1")
    with pytest.raises(DivergedError, match="dynamic evaluation diverged"):
        measure(lab, newest(lab), "evaluate.dynamic={kind: sgd, lr: 1e300}", dynamic=True)
    result = measure(lab, newest(lab), "evaluate.dynamic={kind: sgd, lr: 30}", dynamic=True)
    assert result["dynamic"]["gain"]["nats"] < 0.0
    assert "lower evaluate.dynamic.lr" in capsys.readouterr().err


def test_it_stops_wherever_it_is(lab: Lab) -> None:
    lab.train("run", "new", None, "train.epochs=1")
    looks = Stopper(10**6)
    whole = measure(lab, newest(lab), DYNAMIC, dynamic=True, interrupt=looks)
    total = 10**6 - int(looks.left or 0)
    for after in (0, total // 4, total // 2, total - 1):
        with pytest.raises(Interrupted):
            measure(lab, newest(lab), DYNAMIC, dynamic=True, interrupt=Stopper(after))
    assert measure(lab, newest(lab), DYNAMIC, dynamic=True, interrupt=Stopper(total)) == whole
