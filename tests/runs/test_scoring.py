"""A text scored by a run gives the figure of `evaluate`; what is usual comes from the run's own validation text."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import TEXT, Lab

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.errors import CharRnnError, CheckpointError, DataError, UsageError
from charrnn.logs.console import Console
from charrnn.runs.evaluate import Wanted, evaluate_run
from charrnn.runs.folder import config_beside
from charrnn.runs.scoring import calibrated, line_reader, score_text, text_of, validation_text
from charrnn.runs.suggesting import first_of_file, first_of_split, suggest
from charrnn.runs.use import OpenModel, open_model
from charrnn.sample.anomalies import worst
from charrnn.sample.lines import Score
from charrnn.text.watch import Watch, no_check
from charrnn.train.interrupt import Interrupt

FEW = ("train.epochs=null", "train.max_steps=12", "evaluate.every=6")


def evaluated(lab: Lab, name: str) -> dict[str, Any]:
    """The validation split read by one lane, as `charrnn evaluate` does."""
    model = open_model(lab.path / name, lab.path)
    checkpoint = Checkpoint.open(model.folder)
    loaded = load_config(config_beside(checkpoint), ["evaluate.lanes=1"])
    with Console(quiet=True) as console:
        return evaluate_run(checkpoint, loaded, Wanted("valid", 8, False), lab.path / "corpora", console, Interrupt())


def opened(lab: Lab, *settings: str) -> OpenModel:
    lab.train("run", "new", None, *FEW, *settings)
    return open_model(lab.path / "run", lab.path)


def valid(lab: Lab, model: OpenModel) -> Any:
    with Console(quiet=True) as console:
        return validation_text(model, None, lab.path / "corpora", console, no_check)


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ('corpus.documents={kind: separator, text: "\\n"}', "model.core={kind: gru, hidden: 8}"),
        ("corpus.unit=word", "corpus.min_count=2"),
        ("corpus.unit=byte",),
        ("corpus.case=lower", "corpus.min_count=30"),
        ("model.core={kind: mingru, hidden: 8}",),
    ],
    ids=["char", "documents", "word", "byte", "spelled", "mingru"],
)
def test_the_whole_is_what_evaluate_finds_by_one_lane(lab: Lab, settings: tuple[str, ...]) -> None:
    text = TEXT.replace("a", "É ").replace("b", "Wörter ")
    (lab.path / "text.txt").write_text(text, encoding="utf-8")
    model = opened(lab, "sample.seed=null", *settings)
    split = valid(lab, model)
    _, whole = score_text(model, model.vocabulary.decode(split.tokens))
    expected = evaluated(lab, "run")
    found = whole.figures()
    assert (whole.symbols, whole.characters) == (expected["tokens"], split.characters)
    for name in ("nats", "bits_per_char", "bits_per_byte"):
        assert found[name] == pytest.approx(expected[name], rel=1e-5)
    assert whole.perplexity == pytest.approx(expected["perplexity"], rel=1e-5)


def test_calibration_is_that_of_the_lines_read_one_after_another(lab: Lab) -> None:
    (lab.path / "text.txt").write_text("ab\ncde\nfg\n" * 400, encoding="utf-8")
    model = opened(lab, "sample.seed=ab", "corpus.split=[0.5,0.5,0]")
    split = valid(lab, model)
    found = calibrated(model, split)
    lines = score_text(model, model.vocabulary.decode(split.tokens))[0]
    whole = [line for line in lines if line.line.number > 1 and line.line.content.endswith("\n")]  # type: ignore[arg-type]
    z = np.sort([found.score(worst(line.surprise)) for line in whole])
    np.testing.assert_allclose(found.z, z, rtol=1e-4, atol=1e-4)


def test_lanes_side_by_side_find_what_one_does(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    (lab.path / "text.txt").write_text("".join(f"ab {i % 7}\ncde {i % 11}\n" for i in range(900)), encoding="utf-8")
    model = opened(lab, "sample.seed=ab", "corpus.split=[0.5,0.5,0]", 'corpus.documents={text: "\\n"}')
    split = valid(lab, model)
    one = calibrated(model, split)
    monkeypatch.setattr("charrnn.runs.scoring._LEAST_LANE", 500)
    many = calibrated(model, split)
    # A line is a document, so each costs the same wherever it stands; every lane loses the two that it is cut through.
    assert one.lines - 2 * 16 <= many.lines < one.lines
    assert many.median == pytest.approx(one.median, rel=1e-6)
    assert set(many.z.round(4)) <= set(one.z.round(4))


def test_the_prepared_corpus_is_enough_and_without_it_the_source_is(lab: Lab) -> None:
    model = opened(lab)
    (lab.path / "text.txt").rename(lab.path / "elsewhere.txt")
    assert len(valid(lab, model).tokens) == 249
    (lab.path / "elsewhere.txt").rename(lab.path / "text.txt")
    shutil.rmtree(lab.path / "corpora")
    assert len(valid(lab, model).tokens) == 249
    shutil.rmtree(lab.path / "corpora")
    (lab.path / "text.txt").write_text(TEXT[::-1], encoding="utf-8")
    with pytest.raises(DataError, match="not those"):
        valid(lab, model)


def test_too_few_lines_and_no_validation_split(lab: Lab) -> None:
    model = opened(lab)
    with pytest.raises(UsageError, match="too few"):
        calibrated(model, valid(lab, model))
    lab.train("other", "new", None, *FEW, "corpus.split=[1.0,0.0,0.0]", "train.schedule={kind: constant}")
    with pytest.raises(DataError, match="empty"):
        valid(lab, open_model(lab.path / "other", lab.path))


def lines_of(model: OpenModel, file: Path | None) -> list[str]:
    return [str(line.content) for line in text_of(model, file, Watch())[1]]


def test_files_are_read_in_the_form_of_the_corpus(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(lab, "corpus.case=lower")
    (lab.path / "new.txt").write_bytes(b"\xef\xbb\xbfAB\r\ncd")
    assert lines_of(model, lab.path / "new.txt") == ["ab\n", "cd"]
    (lab.path / "new.gz").write_bytes(gzip.compress(b"AB\ncd"))
    assert lines_of(model, lab.path / "new.gz") == ["ab\n", "cd"]
    (lab.path / "wrong.txt").write_bytes(b"ab\nc\xff")
    with pytest.raises(DataError) as error:
        lines_of(model, lab.path / "wrong.txt")
    assert str(error.value.where) == f"{lab.path / 'wrong.txt'}:2:2"
    with pytest.raises(DataError):
        lines_of(model, lab.path / "nowhere.txt")
    reading, writing = os.pipe()
    os.write(writing, b"AB\ncd")
    os.close(writing)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert lines_of(model, None) == ["ab\n", "cd"]


def test_an_empty_text_and_a_run_without_a_checkpoint(lab: Lab) -> None:
    model = opened(lab)
    with pytest.raises(DataError, match="empty"):
        score_text(model, "")
    with pytest.raises(DataError, match="empty"):
        score_text(model, "XYZ", "skip")
    (lab.path / "empty.txt").write_text("")
    with pytest.raises(DataError, match="empty"):
        first_of_file(model, lab.path / "empty.txt", 10, Watch())
    (lab.path / "run" / "best").unlink()
    assert open_model(lab.path / "run", lab.path).label.endswith("(last)")
    (lab.path / "run" / "last").unlink()
    with pytest.raises(CheckpointError) as error:
        open_model(lab.path / "run", lab.path)
    assert isinstance(error.value, CharRnnError)


def test_what_is_typed_is_the_beginning_of_the_text(lab: Lab) -> None:
    model = opened(lab, "corpus.min_count=30")
    split = valid(lab, model)
    assert first_of_split(model, split, 50) == model.vocabulary.decode(split.tokens)[:50]
    (lab.path / "new.txt").write_text("abc\nabd\nabe\n")
    assert first_of_file(model, lab.path / "new.txt", 6, Watch()) == "abc\nab"
    assert first_of_file(model, lab.path / "new.txt", 600, Watch()) == "abc\nabd\nabe\n"
    found = suggest(model, "ab", 3)
    assert len(found.symbols) == 3
    assert all(offer.word.startswith("ab") for offer in found.words)


def test_text_is_read_bit_by_bit_in_bounded_memory(lab: Lab) -> None:
    model = opened(lab)
    reader = line_reader(model)
    whole = Score()
    for line in text_of(model, lab.path / "text.txt", Watch())[1]:
        whole += reader.score(line).score
    assert whole == score_text(model, TEXT)[1]
