"""Whole runs over windows: resumed bit for bit, measured as they were recorded, sampled as they were trained."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from lab import Lab, Stopper, resumes

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.config.schema import LanguageConfig
from charrnn.errors import ConfigError, DataError, Interrupted, OutOfMemoryError, UsageError
from charrnn.logs.console import Console
from charrnn.models.build import build_model
from charrnn.runs.baseline import ngram_table
from charrnn.runs.check import dry_run
from charrnn.runs.corpus import prepared
from charrnn.runs.evaluate import Wanted, evaluate_run
from charrnn.runs.folder import config_beside
from charrnn.runs.memory import out_of_memory
from charrnn.runs.use import config_of, open_model
from charrnn.text.watch import no_check
from charrnn.train.interrupt import Interrupt
from charrnn.train.state import load_model

EACH = "stream={kind: windows, length: 5, batch: 7}"
LAST = "stream={kind: windows, length: 6, stride: 4, batch: 7, targets: last}"
STREAMS = pytest.mark.parametrize("stream", [EACH, LAST], ids=["each", "last"])
BRIEF = ("train.epochs=2", "evaluate.every=19")


def newest(lab: Lab, run: str = "run") -> Checkpoint:
    return Checkpoint.open(checkpoints(lab.path / run / "checkpoints")[-1])


def measure(lab: Lab, *overrides: str, **wanted: Any) -> dict[str, Any]:
    checkpoint = newest(lab)
    loaded = load_config(config_beside(checkpoint), overrides)
    wish = Wanted(**{"split": "valid", "positions": None, "dynamic": False} | wanted)
    with Console(quiet=True) as console:
        return evaluate_run(checkpoint, loaded, wish, lab.path / "corpora", console, Interrupt())


@STREAMS
@pytest.mark.parametrize("hard", [False, True], ids=["sigterm", "sigkill"])
def test_it_resumes_bit_for_bit(lab: Lab, stream: str, hard: bool) -> None:
    overrides = (stream, *BRIEF)
    resumes(lab, [25, 50, 33], hard, *overrides)


@pytest.mark.parametrize("change", ["stream.length=4", "stream.stride=2", "stream.batch=8", "stream.shuffle=false"])
def test_a_changed_stream_is_refused_on_resume(lab: Lab, change: str) -> None:
    with pytest.raises(Interrupted):
        lab.train("run", "new", Stopper(30), EACH, *BRIEF)
    with pytest.raises(ConfigError, match="no longer describes"):
        lab.train("run", "resume", None, EACH, *BRIEF, change)


@STREAMS
def test_it_is_measured_as_it_was_recorded_to_the_last_bit(lab: Lab, stream: str) -> None:
    lab.train("run", "new", None, stream, *BRIEF, "train.save={every: 19, keep: 99}")
    *_, record = [record for record in lab.records("run") if record["split"] == "valid"]
    result = measure(lab)
    for name in ("step", "nats", "bits_per_char", "bits_per_byte", "perplexity", "windows"):
        assert result[name] == record[name]
    assert ("lanes" in record, "lanes" in result) == (False, False)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    if stream == EACH:
        told = result["positions"]
        assert (told["window"], told["windows"]) == (5, result["windows"])
        assert told["nats"] == record["positions"]
        assert len(told["nats"]) == 5
    else:
        assert "positions" not in record
        assert len(result["positions"]["nats"]) == result["positions"]["window"] == 6
    assert len(measure(lab, positions=9)["positions"]["nats"]) == 9
    assert measure(lab, split="train")["windows"] > result["windows"]


def test_dynamic_evaluation_is_refused_and_the_hint_works(lab: Lab) -> None:
    lab.train("run", "new", None, EACH, *BRIEF)
    with pytest.raises(UsageError, match="not evaluated dynamically") as error:
        measure(lab, dynamic=True)
    assert "'stream={kind: lanes}'" in str(error.value.hint)
    result = measure(lab, "stream={kind: lanes}", dynamic=True, positions=4)
    assert result["dynamic"]["lanes"] == 1


@STREAMS
@pytest.mark.parametrize("core", ["window", "elman"])
def test_a_text_is_drawn_from_windows_as_in_training(lab: Lab, stream: str, core: str) -> None:
    settings = (f"model.core={{kind: {core}, hidden: 8}}", "train.precision=fp64", "train.max_steps=40")
    lab.train("run", "new", None, stream, *settings)
    opened = open_model(lab.path / "run", lab.path)
    checkpoint = Checkpoint.open(opened.folder)
    config = config_of(checkpoint)
    model = build_model(config.model, opened.vocabulary.size, 1, torch.float64).eval()
    load_model(model, checkpoint)
    options = opened.options({"seed": "abcabcabd", "greedy": True, "length": 12})
    text = opened.vocabulary.encode("abcabcabd").tolist()
    for symbol in opened.vocabulary.encode("".join(opened.text(options, 0, "error", no_check))).tolist():
        with torch.no_grad():
            logits_BTV, _ = model(torch.tensor([text[-config.stream.length :]]), model.initial_state(1))
        assert symbol == logits_BTV[0, -1, 1:].argmax() + 1
        text.append(symbol)
    assert len(text) == 21


def test_a_dry_run_and_what_to_lower_speak_of_windows(lab: Lab) -> None:
    loaded = load_config(lab.path / "config.yaml", [EACH])
    with Console(quiet=True) as console:
        told = dry_run(loaded, lab.path / "corpora", console, Interrupt())
    assert (told["windows"], told["steps_per_epoch"]) == (174, 25)
    assert "lanes" not in told
    with pytest.raises(OutOfMemoryError) as error, out_of_memory(loaded.config):
        raise MemoryError
    assert "stream.batch (7) or stream.length (5)" in str(error.value.hint)


def test_a_text_shorter_than_a_window_is_refused_before_anything_is_written(lab: Lab) -> None:
    with pytest.raises(DataError, match="869 tokens for windows of 900"):
        lab.train("run", "new", None, "stream={kind: windows, length: 900}")
    assert not (lab.path / "run").exists()


def test_n_grams_are_scored_on_the_same_windows(lab: Lab) -> None:
    """An n-gram of an order beyond the window is one that fills it, and longer orders are worth no more."""
    loaded = load_config(lab.path / "config.yaml", [EACH])
    with Console(quiet=True) as console:
        corpus = prepared(loaded, lab.path / "corpora", console, no_check).corpus

    def table(config: LanguageConfig) -> dict[str, Any]:
        return ngram_table(corpus, config, 9, "valid", 10**6, no_check)

    windows = table(loaded.config)
    assert (windows["windows"], windows["tokens"]) == (50, 249)
    nats = [row["nats"] for row in windows["orders"]]
    assert nats[5] == nats[6] == nats[7] == nats[8]
    assert nats[4] != nats[5]
    lanes = table(load_config(lab.path / "config.yaml", ["evaluate.lanes=1"]).config)
    assert lanes["lanes"] == 1
    assert nats[0] == pytest.approx(lanes["orders"][0]["nats"], rel=1e-12)
    assert nats[8] > lanes["orders"][8]["nats"], "less is seen in a window"


def test_the_window_model_learns_what_three_symbols_tell_and_two_do_not(lab: Lab) -> None:
    """Nine symbols in ten follow from the three before them (0.32 nats); two tell next to nothing (1.36)."""
    random = np.random.default_rng(1)
    symbols = [0, 1, 2]
    while len(symbols) < 4000:
        drawn = len(symbols) % 10 == 0
        symbols.append(int(random.integers(0, 4)) if drawn else (symbols[-3] + 2 * symbols[-1] * symbols[-2]) % 4)
    (lab.path / "text.txt").write_text("".join("abcd"[s] for s in symbols), encoding="utf-8")
    model = "model={input: {dropout: 0.0}, core: {kind: window, hidden: 24}, head: {dropout: 0.0}}"
    settings = (model, "train={max_steps: 250, optimizer: {kind: adam, lr: 1e-2}}")

    def reached(length: int) -> float:
        stream = f"stream={{kind: windows, length: {length}, stride: 1, batch: 32, targets: last}}"
        return lab.train(f"run{length}", "new", None, stream, *settings, "evaluate.every=250")["best"]["nats"]

    assert reached(2) > 1.3
    assert reached(3) < 0.9
