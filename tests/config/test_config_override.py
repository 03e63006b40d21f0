from pathlib import Path

import pytest

from charrnn.config.schema.model import GruCore, LstmCore, StateDrop
from charrnn.config.schema.optimizer import Adam

MINIMAL = "corpus: {source: x.txt}\n"


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("seed=1e-3", "1e-3"),
        ("seed=null", None),
        ("seed=", None),
        ("seed='null'", "null"),
        ("seed=a=b", "a=b"),
        ("seed=a: b # c", "a: b # c"),
        ("seed=a, ", "a, "),
        ('seed="a\\nb"', "a\nb"),
        ("seed=&a *b !c", "&a *b !c"),
        ("seed=no", "no"),
    ],
)
def test_a_value_is_a_scalar_of_yaml_1_2_or_the_text_as_it_stands(load, problems, override, value):
    if value == "1e-3":
        assert problems(MINIMAL, f"sample.{override}") == [
            "--set sample.seed=1e-3: sample.seed: should be text, not 0.001"
        ]
    else:
        assert load(MINIMAL, f"sample.{override}").config.sample.seed == value


def test_lists_are_set_whole(load):
    config = load(
        MINIMAL + "model: {head: {hidden: [1, 2, 3]}}", "model.head.hidden=[4]", "sample.stop=['[', b]"
    ).config
    assert config.model.head.hidden == (4,)
    assert config.sample.stop == ("[", "b")


def test_a_dash_is_standard_input(load):
    assert load(MINIMAL, "corpus.source=-").config.corpus.source == "-"


def test_a_section_that_the_file_lacks_is_made(load):
    loaded = load(MINIMAL, "model.core.hidden=32", "model.core.recurrent_dropout.p=0.5")
    assert loaded.config.model.core.hidden == 32
    assert loaded.config.model.core.recurrent.p == 0.5
    assert loaded.origins["model.core.hidden"] == "--set"
    assert loaded.origins["model.core.layers"] == "default"


def test_a_mapping_replaces_the_number_that_stood_there(load):
    text = MINIMAL + "model: {core: {recurrent_dropout: 0.5}}"
    config = load(text, "model.core.recurrent_dropout={kind: state, p: 0.25}").config
    assert config.model.core.recurrent == StateDrop(kind="state", p=0.25)


def test_another_kind_keeps_the_keys_that_both_have_and_names_the_others(load, problems):
    text = MINIMAL + "model: {core: {kind: lstm, hidden: 9}}"
    assert load(text, "model.core.kind=gru").config.model.core == GruCore(kind="gru", hidden=9)
    assert problems(MINIMAL + "model:\n  core:\n    hidden: 9\n    forget_bias: 2.0", "model.core.kind=gru") == [
        "demo.yaml:5:5: model.core.forget_bias: kind `gru` has no such key; it belongs to kind `lstm` or `ln-lstm`"
    ]


def test_overrides_apply_in_order(load):
    whole, part = "train.optimizer={kind: adam}", "train.optimizer.lr=0.5"
    assert load(MINIMAL, whole, part).config.train.optimizer == Adam(kind="adam", lr=0.5)
    assert load(MINIMAL, part, whole).config.train.optimizer == Adam(kind="adam")
    text = MINIMAL + "model: {core: {layers: 3}}"
    assert load(text, "model.core={hidden: 2}").config.model.core == LstmCore(hidden=2)


def test_a_key_set_twice_is_warned_about_and_the_last_one_counts(load):
    loaded = load(MINIMAL, "train.seed=1", "train.seed=2", "sample.length=3")
    assert loaded.config.train.seed == 2
    assert loaded.warnings == ["train.seed is set twice; the last one counts: --set train.seed=2"]


def test_a_relative_source_refers_to_the_current_folder(load):
    here = Path.cwd()
    assert load(MINIMAL, "corpus.source=a/b.txt").config.corpus.source == str(here / "a/b.txt")
    for elsewhere in ("named:nietzsche", "builtin:python-reference", "https://a.org/b", "-", "/a/b.txt"):
        assert load(MINIMAL, f"corpus.source={elsewhere}").config.corpus.source == elsewhere


@pytest.mark.parametrize(
    ("override", "end"),
    [
        ("train.seed", ": an override is `key=value`, as in `train.epochs=3`"),
        ("=3", ": there is no key before the `=`, or an empty one between dots"),
        ("train..seed=3", ": there is no key before the `=`, or an empty one between dots"),
        ("lr=1", ": lr: no such key — did you mean `train.optimizer.lr` or `evaluate.dynamic.lr`?"),
        ("train.sed=1", ": train.sed: no such key — did you mean `seed`?"),
        ("corpus.split.0=1", ": corpus.split.0: no such key: `corpus.split` is a value, set it whole"),
        ("extends=x.yaml", ": extends: no such key"),
        ("train.seed=x", ": train.seed: should be a whole number, not the text 'x'"),
        ("train.optimizer={lr: x}", ": train.optimizer.lr: should be a number, not the text 'x'"),
        ("train.optimizer={lr: 1", ": train.optimizer: a `,` or the closing `}` is missing"),
        ("train.optimizer={lr: 1, lr: 2}", ": train.optimizer.lr: given twice, keep one of the two"),
        ("sample.seed='it", ": sample.seed: the quoted text that begins here never ends"),
        ("sample.seed=[*a]", ": sample.seed: aliases (`*a`) are not allowed: write the value out"),
        ("sample.seed=\udcff", ": sample.seed: should be text in UTF-8, not the text '\\udcff'"),
        ("train=3", ": train: should be a group of keys, not 3"),
        ("corpus.source=", ": corpus.source: should be text, not nothing (null)"),
    ],
)
def test_a_wrong_override_is_told_as_it_was_typed(problems, override, end):
    shown = override.replace("\udcff", "\\udcff")
    assert problems(MINIMAL, override) == [f"--set {shown}{end}"]
