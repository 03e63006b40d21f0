from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from charrnn.config.load import load_config
from charrnn.config.render import render
from charrnn.config.schema import ClassifyConfig, LanguageConfig, Pseudo, RateConfig, RatingRounds, is_manner
from charrnn.errors import ConfigError

HEAD = "task: classify\ncorpus: {source: words.csv}\n"


def load(path: Path, text: str, *overrides: str) -> Pseudo:
    (path / "config.yaml").write_text(HEAD + text, encoding="utf-8")
    config = load_config(path / "config.yaml", overrides).config
    assert isinstance(config, ClassifyConfig)
    assert config.pseudo is not None
    return config.pseudo


def test_an_empty_section_takes_the_defaults(tmp_path: Path) -> None:
    found = load(tmp_path, "pseudo: {}\n")
    assert (found.select.kind, found.rows, found.teachers, found.report) == ("confidence", 16, 1, "test")
    assert load(tmp_path, "pseudo: {select: {kind: agreement}}\n").teachers == 3


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{temperature: 2.0}", "temperature is for `targets: soft`"),
        ("{finetune: {}, report: valid}", "learns from the validation items"),
        ("{select: {kind: confidence, above: 1.0}}", "should be less than 1"),
        ("{select: {kind: agreement, teachers: 1}}", "should be 2 or more"),
        ("{select: {kind: top-share, share: 0.0}}", "should be more than 0"),
        ("{select: {kind: margin, share: 0.1}}", "belongs to kind `top-share`"),
        ("{rounds: 0}", "should be 1 or more"),
        ("{weight: 0.0}", "should be more than 0"),
        ("{balance: some}", "pseudo.balance"),
        ("{round: 3}", "did you mean `rounds`"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, section: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"pseudo: {section}\n")
    assert message in caught.value.what


def test_a_relative_teacher_starts_from_the_folder_of_the_config(tmp_path: Path) -> None:
    assert load(tmp_path, "pseudo: {teacher: runs/first}\n").teacher == str(tmp_path / "runs/first")
    assert load(tmp_path, "pseudo: {}\n", "pseudo.teacher=here").teacher == str(Path("here").absolute())


def test_a_run_leaves_the_section_out_of_its_copy_and_rounds_keep_it(tmp_path: Path) -> None:
    load(tmp_path, "pseudo: {rows: 5}\n")
    loaded = load_config(tmp_path / "config.yaml")
    copies: list[Any] = []
    for number, anchored in enumerate((loaded.anchored(), loaded.anchored(keep=("pseudo",)))):
        (tmp_path / f"{number}.yaml").write_text(render(anchored), encoding="utf-8")
        copies.append(load_config(tmp_path / f"{number}.yaml").config)
    assert copies[0].pseudo is None
    assert copies[1].pseudo.rows == 5


def test_a_copy_in_the_folder_of_a_run_finds_every_file_of_the_corpus(tmp_path: Path) -> None:
    """A relative unlabelled source is none of the folder of the run that the copy lies in."""
    keys = "source: words.csv, unlabelled_source: more.txt, test_source: held.csv"
    (tmp_path / "config.yaml").write_text(f"task: classify\ncorpus: {{{keys}}}\n", encoding="utf-8")
    corpus: Any = load_config(tmp_path / "config.yaml").anchored().config.corpus
    found = [corpus.source, corpus.unlabelled_source, corpus.test_source]
    assert found == [str(tmp_path / name) for name in ("words.csv", "more.txt", "held.csv")]


def test_a_single_run_does_not_look_at_it() -> None:
    assert is_manner("pseudo.select.kind")


def test_word_vectors_have_none(tmp_path: Path) -> None:
    (tmp_path / "text.yaml").write_text("task: vectors\ncorpus: {source: text.txt}\npseudo: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="pseudo: no such key"):
        load_config(tmp_path / "text.yaml")


def load_ratings(path: Path, section: str) -> RatingRounds:
    (path / "ratings.yaml").write_text(f"task: rate\ncorpus: {{source: a.csv}}\npseudo: {section}\n", encoding="utf-8")
    config = load_config(path / "ratings.yaml").config
    assert isinstance(config, RateConfig)
    assert config.pseudo is not None
    return config.pseudo


def test_ratings_have_a_section_of_their_own(tmp_path: Path) -> None:
    found = load_ratings(tmp_path, "{teacher: runs/first}")
    assert (found.select.kind, found.rows, found.pairs, found.teachers) == ("all", 256, 20_000, 1)
    assert found.teacher == str(tmp_path / "runs/first")
    assert load_ratings(tmp_path, "{select: {kind: agreement}, cap: 5}").teachers == 3


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{cap: 5}", "set select to {kind: agreement}"),
        ("{targets: soft}", "pseudo.targets: no such key"),
        ("{begin: teacher}", "pseudo.begin: no such key"),
        ("{transductive: true}", "pseudo.transductive: no such key"),
        ("{stop: {one_label_above: 0.5}}", "pseudo.stop.one_label_above: no such key"),
        ("{stop: {better: accuracy}}", "pseudo.stop.better"),
        ("{select: {kind: confidence}}", "pseudo.select.kind"),
        ("{select: {kind: agreement, below: 0.0}}", "should be more than 0"),
        ("{pairs: 0}", "should be 1 or more"),
    ],
)
def test_keys_that_mean_nothing_for_ratings_are_refused(tmp_path: Path, section: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_ratings(tmp_path, section)
    assert message in caught.value.what


def test_a_relative_text_starts_from_the_folder_of_the_config(tmp_path: Path) -> None:
    text = "corpus: {source: a.txt}\npseudo: {text: {source: more.txt}}\n"
    (tmp_path / "text.yaml").write_text(text, encoding="utf-8")
    config = load_config(tmp_path / "text.yaml").config
    assert isinstance(config, LanguageConfig)
    assert config.pseudo is not None
    assert config.pseudo.text is not None
    assert config.pseudo.text.source == str(tmp_path / "more.txt")
    assert (config.pseudo.rounds, config.pseudo.temperature, config.pseudo.teachers) == (1, 2.0, 1)
