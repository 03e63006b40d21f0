"""Whole rounds of distillation on a small text."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import TEXT
from pseudolab import PseudoLab, all_that_came

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.config.schema import LanguageConfig
from charrnn.errors import CharRnnError, CheckpointError, ConfigError, DataError, UsageError
from charrnn.logs.console import Console
from charrnn.runs.evaluate import Wanted, evaluate_run
from charrnn.runs.folder import RunFolder
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt

CONFIG = """\
corpus: {source: text.txt, split: [0.7, 0.15, 0.15]}
stream: {lanes: 4, chunk: 10}
model: {input: {size: 6, dropout: 0.1}, core: {kind: gru, hidden: 8}}
train:
  max_steps: 24
  optimizer: {lr: 2e-2}
  early_stop: null
  log_every: 50
  save: {every: 7}
  tensorboard: false
evaluate: {lanes: 3, chunk: 16, every: 8}
sample: {seed: "abc", length: 5}
pseudo: {lanes: 3, temperature: 1.5, weight: 0.5}
"""
TEACHER = CONFIG.replace("hidden: 8", "hidden: 14")


def new_lab(path: Path) -> PseudoLab:
    (path / "text.txt").write_text(TEXT, encoding="utf-8")
    (path / "more.txt").write_text(TEXT[::-1][:600], encoding="utf-8")
    (path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return PseudoLab(path)


@pytest.fixture
def texts(tmp_path: Path) -> PseudoLab:
    return new_lab(tmp_path)


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory) -> PseudoLab:
    """A finished round of self-distillation in `out`; tests must not change it."""
    lab = new_lab(tmp_path_factory.mktemp("distilled"))
    lab.rounds("out")
    return lab


def train(lab: PseudoLab, name: str, config: str, *overrides: str) -> Path:
    (lab.path / f"{name}.yaml").write_text(config, encoding="utf-8")
    loaded = load_config(lab.path / f"{name}.yaml", ["train.save.keep=1", *overrides])
    with Console(quiet=True) as console:
        train_run(loaded, lab.path / name, "new", lab.path / "corpora", console, Interrupt())
    return lab.path / name


def weights(run: Path) -> bytes:
    return (last(run) / "model.safetensors").read_bytes()


def last(run: Path) -> Path:
    return checkpoints(run / "checkpoints")[-1]


def result_of(lab: PseudoLab, name: str = "out") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((lab.path / name / "result.json").read_text(encoding="utf-8"))
    return found


def test_there_is_a_teacher_a_student_and_no_table(distilled: PseudoLab) -> None:
    inner = {
        path.name: sorted(one.name for one in path.iterdir())
        for path in (distilled.path / "out/seed-1").iterdir()
        if path.is_dir()
    }
    assert inner == {
        "round-0": ["manifest.json", "run"],
        "round-1": ["manifest.json", "run"],
        "control": ["manifest.json"],
    }
    first, second = (json.loads((distilled.path / f"out/seed-1/round-{n}/manifest.json").read_text()) for n in range(2))
    assert (second["labels"], second["teachers"]) == (None, [first["student"]])
    assert "no table" in second["targets"]
    assert "transductive" not in second


def test_teacher_and_student_are_what_charrnn_train_makes_of_the_same_lanes(distilled: PseudoLab) -> None:
    seed = distilled.path / "out/seed-1"
    teacher = train(distilled, "teacher", CONFIG)
    assert weights(teacher) == weights(seed / "round-0/run")
    place = distilled.path / "out" / result_of(distilled)["seeds"][0]["rounds"][0]["student"]["checkpoint"]
    mix = f"stream.mix={{pseudo: {{lanes: 3, teacher: {place}, temperature: 1.5, weight: 0.5}}}}"
    student = train(distilled, "student", CONFIG, mix)
    assert weights(student) == weights(seed / "round-1/run")
    assert weights(student) != weights(teacher)


def test_the_report_tells_nats_and_bits_of_the_test(distilled: PseudoLab) -> None:
    result, page = result_of(distilled), (distilled.path / "out/report.md").read_text(encoding="utf-8")
    (seed,) = result["seeds"]
    assert (result["task"], result["report"], result["headline"]) == ("language", "test", True)
    wanted = Wanted("test", None, False)
    better = seed["rounds"][1]["valid"]["nats"] < seed["rounds"][0]["valid"]["nats"]
    assert seed["handed_back"] == int(better)
    for name, one in (("control_figures", seed["control"]), ("figures", seed["rounds"][int(better)])):
        place = distilled.path / "out" / one["student"]["checkpoint"]
        loaded = load_config(RunFolder(place.parents[1]).config)
        with Console(quiet=True) as console:
            corpora = distilled.path / "corpora"
            found = evaluate_run(Checkpoint.open(place), loaded, wanted, corpora, console, Interrupt())
        assert {key: found[key] for key in seed[name]} == seed[name]
        assert seed[name]["bits_per_char"] == pytest.approx(seed[name]["nats"] / math.log(2))
    # The test of 187 characters is read by 3 lanes, in chunks of 16: 3 × 4 passages.
    assert seed["wilcoxon"]["passages"] == 12
    assert f"| round {seed['handed_back']} | {seed['figures']['bits_per_char']:.4f} |" in page
    assert f"teachers predict {result['data']['train']} tokens of the same text" in page


def test_passages_are_the_whole_split(distilled: PseudoLab) -> None:
    """Weighted by their targets, the means of the passages are the figure of the split."""
    from charrnn.pseudo.language import LanguageLabeller
    from charrnn.runs.task import task_of
    from charrnn.tasks.language import LanguageTask

    with Console(quiet=True) as console:
        task = task_of(distilled.loaded(), distilled.path / "corpora", console, lambda: None)
    assert isinstance(task, LanguageTask)
    labeller = LanguageLabeller(task, None, lambda: None)
    model = Checkpoint.open(last(distilled.path / "out/seed-1/round-0/run"))
    nats_N = labeller._passages(model, "test")
    lanes = [len(part) for part in np.array_split(task.corpus.split("test").tokens, 3)]
    sizes = [min(16, lane - begin) for begin in range(0, max(lanes), 16) for lane in lanes]
    assert np.average(nats_N, weights=sizes) == pytest.approx(labeller.measure(model, "test")["nats"], rel=1e-6)


def test_a_given_teacher_is_larger_and_is_not_handed_back(texts: PseudoLab) -> None:
    """It has trained longer than its student, and is better; the control is the plain run of as many updates."""
    teacher = train(texts, "teacher", TEACHER, "train.max_steps=60")
    seed = texts.rounds("out", f"pseudo.teacher={teacher}", "train.max_steps=8")["seeds"][0]
    valid = [one["valid"]["nats"] for one in seed["rounds"]]
    assert valid[0] < valid[1]
    assert (seed["handed_back"], seed["ended"]) == (1, "all rounds are done")
    assert (seed["control"]["trained"], seed["control"]["student"]["updates"]) == (True, 8)
    plain = train(texts, "plain", CONFIG, "train.max_steps=8")
    assert weights(plain) == weights(texts.path / "out/seed-1/control/run")


def test_another_text_is_predicted_and_its_digest_kept(texts: PseudoLab) -> None:
    short = "train.max_steps=6"
    (texts.path / "config.yaml").write_text(
        CONFIG.replace("pseudo: {", "pseudo: {text: {source: more.txt}, "), encoding="utf-8"
    )
    result = texts.rounds("out", short)
    config = load_config(texts.path / "out/seed-1/round-1/run/config.yaml").config
    assert isinstance(config, LanguageConfig)
    assert config.stream.mix["pseudo"].corpus.source == str(texts.path / "more.txt")  # type: ignore[union-attr, index]
    assert (result["data"]["predicted"], result["data"]["own_text"]) == (600, False)
    (texts.path / "more.txt").write_text(TEXT[::-1][:500], encoding="utf-8")
    with pytest.raises(DataError, match="not those that the rounds were begun on"):
        texts.rounds("out", short)


def test_without_a_test_split_validation_is_reported_aloud(texts: PseudoLab, capfd: pytest.CaptureFixture[str]) -> None:
    from charrnn.pseudo.command import pseudolabel

    loaded = texts.loaded("corpus.split=[0.8, 0.2, 0.0]", "train.max_steps=4")
    result = pseudolabel(loaded, texts.path / "out", texts.path / "corpora", Console, Interrupt())
    assert (result["report"], result["headline"]) == ("valid", False)
    assert "the test split is empty: the report is of validation" in capfd.readouterr().err
    assert "so its figures flatter" in (texts.path / "out/report.md").read_text()


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("hard", [True, False], ids=["killed", "stopped"])
def test_killed_anywhere_and_gone_on_with_it_comes_to_the_same(tmp_path: Path, hard: bool) -> None:
    settings = ("pseudo.rounds=2", "pseudo.max_steps=15", "pseudo.stop.patience=null", "train.max_steps=12")
    lab = new_lab(tmp_path)
    lab.rounds("whole", *settings)
    assert lab.lives("broken", *settings, hard=hard, after=(9, 40, 31, 60, 45, 52, 70, 38, 64, 90)) >= 3
    whole, broken = (all_that_came(tmp_path / name) for name in ("whole", "broken"))
    assert len(whole) == len(broken) >= 8
    assert whole == broken
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
def test_students_may_begin_with_their_teacher_and_seeds_have_a_spread(texts: PseudoLab) -> None:
    result = texts.rounds("out", "pseudo.begin=teacher", "pseudo.seeds=2", "train.max_steps=8", "pseudo.max_steps=6")
    for seed in result["seeds"]:
        updates = 8 + 6 * seed["handed_back"]
        assert seed["control"]["student"]["updates"] == updates
    nats = [seed["figures"]["nats"] for seed in result["seeds"]]
    assert result["over_seeds"]["error"]["mean"] == pytest.approx(sum(nats) / 2)
    assert "mean ± deviation" in (texts.path / "out/report.md").read_text()


@pytest.mark.parametrize(
    ("overrides", "kind", "what"),
    [
        (["pseudo=null"], UsageError, "does not say how to label"),
        (["corpus.split=[0.8, 0.0, 0.2]"], DataError, "the valid split is empty"),
        (["stream={kind: windows, length: 8}"], ConfigError, "learned in lanes"),
        (["pseudo.lanes=900"], DataError, "lanes"),
        (["pseudo.teacher=nowhere"], UsageError, "there is no such run"),
        (["pseudo.text={source: nowhere.txt}"], CharRnnError, "stream.mix.pseudo"),
        (["stream.mix={pseudo: {teacher: nowhere}}"], ConfigError, "the rounds call a part of their own so"),
        (["pseudo.rows=3"], ConfigError, "pseudo.rows: no such key"),
        (["pseudo.select={kind: all}"], ConfigError, "pseudo.select: no such key"),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value)[:40],
)
def test_what_could_not_end_well_does_not_begin(
    texts: PseudoLab, overrides: list[str], kind: type[CharRnnError], what: str
) -> None:
    with pytest.raises(kind) as caught:
        texts.rounds("out", *overrides)
    assert what in caught.value.what
    assert not list(texts.path.glob("out/seed-*/*/run"))


def test_a_teacher_of_another_vocabulary_or_of_windows_is_refused(texts: PseudoLab) -> None:
    (texts.path / "other.txt").write_text(TEXT.replace("a", "é"), encoding="utf-8")
    other = train(texts, "other", CONFIG.replace("text.txt", "other.txt").replace("abc", "bc"), "train.max_steps=2")
    with pytest.raises(DataError, match=r"^the teacher has another vocabulary") as caught:
        texts.rounds("out", f"pseudo.teacher={other}")
    assert "id 2: b here, a there" in str(caught.value.why)
    windows = CONFIG.replace("{lanes: 4, chunk: 10}", "{kind: windows, length: 8}").split("pseudo:")[0]
    with pytest.raises(CheckpointError, match="cannot teach lanes"):
        texts.rounds("second", f"pseudo.teacher={train(texts, 'windows', windows, 'train.max_steps=2')}")
    assert not list(texts.path.glob("*/seed-*/*/run"))
