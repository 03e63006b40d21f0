from pathlib import Path

import pytest

from charrnn.config.load import load_config
from charrnn.config.schema.model import ElmanCore, GruCore, LstmCore
from charrnn.config.schema.optimizer import Adam

MINIMAL = "corpus: {source: x.txt}\n"


def test_mappings_merge_deeply_and_all_else_is_replaced(load):
    loaded = load(
        "extends: base.yaml\nmodel: {core: {layers: 2}, head: {hidden: [7]}}\n",
        base="corpus: {source: /x.txt}\nmodel: {core: {hidden: 9}, head: {hidden: [1, 2], dropout: 0.5}}",
    )
    assert loaded.config.model.core == LstmCore(hidden=9, layers=2)
    assert loaded.config.model.head.hidden == (7,)
    assert loaded.config.model.head.dropout == 0.5
    assert loaded.origins["model.core.hidden"] == "base.yaml:2"
    assert loaded.origins["model.core.layers"] == "demo.yaml:2"
    assert loaded.name == "demo"


def test_another_kind_replaces_the_whole_section(load):
    base = MINIMAL + "model: {core: {kind: elman, hidden: 9, init: identity}}\ntrain: {optimizer: {lr: 5.0}}"
    assert load("extends: base.yaml\nmodel: {core: {kind: gru}}", base=base).config.model.core == GruCore(kind="gru")
    optimizer = load("extends: base.yaml\ntrain: {optimizer: {kind: adam}}", base=base).config.train.optimizer
    assert optimizer == Adam(kind="adam"), "adamw is meant where no kind is given"


def test_the_same_kind_or_none_merges(load):
    base = MINIMAL + "model: {core: {kind: elman, hidden: 9}}\ntrain: {optimizer: {lr: 5.0}}"
    child = "extends: base.yaml\nmodel: {core: {init: identity}}\ntrain: {optimizer: {kind: adamw}}"
    config = load(child, base=base).config
    assert config.model.core == ElmanCore(kind="elman", hidden=9, init="identity")
    assert config.train.optimizer.lr == 5.0


def test_null_replaces_a_section(load):
    base = MINIMAL + "train: {early_stop: {patience: 1}}"
    assert load("extends: base.yaml\ntrain: {early_stop: null}", base=base).config.train.early_stop is None


def test_a_relative_source_refers_to_the_file_that_says_it(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/base.yaml").write_text("corpus: {source: ../data/x.txt}")
    (tmp_path / "demo.yaml").write_text("extends: sub/base.yaml")
    (tmp_path / "own.yaml").write_text("extends: sub/base.yaml\ncorpus: {source: y.txt}")
    assert load_config(Path("demo.yaml")).config.corpus.source == str(tmp_path / "sub/../data/x.txt")
    assert load_config(Path("own.yaml")).config.corpus.source == "y.txt"


def test_problems_of_the_base_are_told_in_the_base(problems):
    lines = problems("extends: base.yaml\nb: 1", base=MINIMAL + "qqq: 1\nqqq: 2")
    assert lines == [
        "demo.yaml:2:1: b: no such key",
        "base.yaml:3:1: qqq: given twice, first at base.yaml:2:1",
        "base.yaml:3:1: qqq: no such key",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("extends: no.yaml", "demo.yaml:1:1: extends: cannot read `no.yaml`: no such file or directory"),
        ("extends: [a]", "demo.yaml:1:1: extends: should be the path of a file, not a list"),
        ("extends:", "demo.yaml:1:1: extends: should be the path of a file, not nothing (null)"),
        (
            "extends: demo.yaml",
            "demo.yaml:1:1: extends: `demo.yaml` extends a file itself; a config may extend one that does not",
        ),
        (
            "extends: two.yaml",
            "demo.yaml:1:1: extends: `two.yaml` extends a file itself; a config may extend one that does not",
        ),
        ("extends: empty.yaml", "empty.yaml:1:1: the file is empty; a config needs at least `corpus: {source: …}`"),
    ],
)
def test_a_base_that_cannot_be_one(problems, text, line):
    assert problems(text, two="extends: three.yaml", three=MINIMAL, empty="") == [line]
