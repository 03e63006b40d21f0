"""`tune.space` is held against the rest of the config before anything runs."""

from pathlib import Path

import pytest

from charrnn.config import yaml12
from charrnn.config.load import load_config
from charrnn.config.render import render
from charrnn.config.schema import LanguageConfig
from charrnn.config.tree import Place
from charrnn.errors import ConfigError

HEAD = "corpus: {source: x.txt}\ntune:\n  space:\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("train.optimizer.lrr: {low: 0, high: 1}", "4:5: tune.space.train.optimizer.lrr: no such key — did you mean"),
        ("train.optimizer.lr: {kind: log, low: 1e-3, hihg: 1}", "hihg: no such key — did you mean `high`?"),
        ("train.optimizer.lr: {kind: log, low: 1e-3}", "tune.space.train.optimizer.lr.high: is missing"),
        ("train.optimizer.lr: {kind: logg, low: 1, high: 2}", "4:26: tune.space.train.optimizer.lr.kind: there is no"),
        ("train.optimizer.lr: {kind: log, low: 2, high: 1}", "`low` should be less than `high`, not 2 and 1"),
        ("train.optimizer.lr: {low: 0.0, high: 1}", "4:26: tune.space.train.optimizer.lr: should be more than 0"),
        ("train.optimizer.lr: 3", "tune.space.train.optimizer.lr: should be a group of keys, not 3"),
        ("model.core.hidden: {low: 1, high: 8}", "should be a whole number, not 1"),
        ("model.core.hidden: {kind: int, low: 4, high: 9, step: 2}", "steps of 2 from 4 do not meet 9"),
        ("model.core.hidden: {kind: int, low: 0, high: 9, log: true}", "`log: true` needs a `low` of 1 or more"),
        ("model.core.kind: {kind: choice, values: [lstm, gur]}", "4:52: tune.space.model.core.kind: there is no kind"),
        ("model.head.hidden: {kind: choice, values: [[], [0]]}", "model.head.hidden[0] should be 1 or more"),
        ("model.head.hidden: {kind: choice, values: [[]]}", "should have 2 values, not 1"),
        ("model.head.hidden: {kind: choice, values: [[5], [5]]}", "a value is given twice"),
        ("corpus.split: {kind: choice, values: [1, 2]}", "trials could not be compared if `corpus.split` varied"),
        ("evaluate.lanes: {kind: int, low: 1, high: 2}", "trials could not be compared"),
        ("train.max_steps: {kind: int, low: 1, high: 2}", "trials could not be compared"),
        ("train.log_every: {kind: int, low: 1, high: 2}", "changes nothing that a trial is judged by"),
        ("tune.seed: {kind: int, low: 1, high: 2}", "changes nothing that a trial is judged by"),
    ],
)  # fmt: skip
def test_each_wrong_key_and_value_is_told_with_its_place(problems, line, told):
    found = problems(f"{HEAD}    {line}\n")
    assert [problem.startswith("demo.yaml:4:") for problem in found] == [True] * len(found)
    assert told in "\n".join(found)


def test_a_key_within_another_that_varies_as_a_whole(problems):
    adam = "train.optimizer: {kind: choice, values: [{kind: adam}, {kind: adamw}]}"
    (found,) = problems(f"{HEAD}    {adam}\n    train.optimizer.lr: {{low: 0.1, high: 1}}\n")
    assert found.startswith("demo.yaml:5:5: tune.space.train.optimizer.lr: lies within `train.optimizer`")


WINDOWS = "corpus: {source: x.txt}\nstream: {kind: windows, length: 8}\ntune:\n  space:\n"


@pytest.mark.parametrize(
    "line",
    [
        "stream.length: {kind: int, low: 8, high: 16, step: 8}",
        "stream.stride: {kind: choice, values: [8, 1]}",
        "stream.targets: {kind: choice, values: [each, last]}",
        "stream: {kind: choice, values: [{kind: windows}, {kind: lanes}]}",
    ],
)
def test_what_validation_reads_may_not_vary(problems, line):
    (found,) = problems(f"{WINDOWS}    {line}\n")
    assert "trials could not be compared" in found
    assert "validation would read other windows" in found


def test_how_windows_are_trained_on_may_vary(load):
    space = (
        "    stream.batch: {kind: int, low: 8, high: 16}\n    stream.shuffle: {kind: choice, values: [true, false]}\n"
    )
    assert len(load(WINDOWS + space).config.tune.space) == 2


def test_an_empty_space_and_none_at_all(problems, load):
    assert "tune.space" in problems("corpus: {source: x.txt}\ntune: {trials: 3}\n")[0]
    assert "tune.space" in problems("corpus: {source: x.txt}\ntune: {space: {}}\n")[0]
    assert load("corpus: {source: x.txt}\n").config.tune is None


def test_every_kind_is_read_and_rendered_to_the_same(load):
    text = HEAD + (
        "    train.optimizer.lr: {kind: log, low: 1e-4, high: 1}\n"
        "    model.core.dropout: {high: 0.5, low: 0}\n"
        "    model.core.hidden: {kind: int, low: 4, high: 64, log: true}\n"
        "    train.early_stop: {kind: choice, values: [null, {patience: 3}]}\n"
    )
    loaded = load(text)
    rendered = render(loaded)
    assert "low: 0.0001" in rendered
    tree, wrong = yaml12.parse(rendered, Place(0, 1, 1, "x"))
    assert not wrong
    assert LanguageConfig.model_validate(tree.plain()) == loaded.config
    told = {tuple(part.strip() for part in line.split("  # ")) for line in rendered.splitlines() if "  # " in line}
    assert {("low: 0.0001", "demo.yaml:4"), ("kind: uniform", "default"), ("high: 64", "demo.yaml:6")} <= told


def test_a_file_that_extends_another_adds_to_its_space(load):
    base = "corpus: {source: x.txt}\ntune: {space: {train.optimizer.lr: {kind: log, low: 1e-4, high: 1}}}\n"
    own = "train.optimizer.lr: {kind: log, high: 2}, train.clip_norm: {low: 1, high: 2}"
    over = f"extends: base.yaml\ntune: {{space: {{{own}}}}}\n"
    space = load(over, base=base).config.tune.space
    assert list(space) == ["train.optimizer.lr", "train.clip_norm"]
    assert (space["train.optimizer.lr"].low, space["train.optimizer.lr"].high) == (1e-4, 2.0)


def test_an_override_is_checked_too(load):
    with pytest.raises(ConfigError, match=r"--set tune\.space.*no such key"):
        load("corpus: {source: x.txt}\n", "tune.space={train.optimizer.lrr: {low: 0.1, high: 1}}")


def test_a_varied_config_reads_no_file_again(load):
    loaded = load(HEAD + "    train.optimizer.lr: {kind: log, low: 1e-4, high: 1}\n", "model.core.hidden=8")
    Path("demo.yaml").unlink()
    varied = loaded.varied(["train.optimizer.lr=0.5"])
    assert (varied.config.train.optimizer.lr, varied.config.model.core.hidden) == (0.5, 8)
    assert (varied.name, varied.base, varied.origins["train.optimizer.lr"]) == (loaded.name, loaded.base, "--set")
    with pytest.raises(ConfigError, match="lrr"):
        loaded.varied(["train.optimizer.lrr=0.5"])


def test_the_copy_of_a_run_leaves_the_search_out(load, tmp_path):
    loaded = load(HEAD + "    model.core.kind: {kind: choice, values: [lstm, gru]}\n")
    copy = tmp_path / "run" / "config.yaml"
    copy.parent.mkdir()
    copy.write_text(render(loaded.anchored()))
    again = load_config(copy).config
    assert again.tune is None
    assert again == loaded.anchored().config
