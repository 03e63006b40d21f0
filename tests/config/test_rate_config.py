"""Configs over ratings: what is wrong is said at its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from charrnn.config.load import load_config
from charrnn.config.schema import RateConfig, is_identity
from charrnn.errors import ConfigError

LEAST = "task: rate\ncorpus: {source: r.csv}\n"


def test_two_lines_are_a_config(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(LEAST)
    config = load_config(tmp_path / "c.yaml").config
    assert isinstance(config, RateConfig)
    assert (config.model.kind, config.corpus.split.kind) == ("factors", "shares")


def test_the_copy_in_a_run_is_the_same_config(tmp_path: Path) -> None:
    from charrnn.config.render import render

    (tmp_path / "c.yaml").write_text(LEAST + "model: {kind: factors, biases: false, range: {low: 1.0}}\n")
    loaded = load_config(tmp_path / "c.yaml")
    (tmp_path / "copy.yaml").write_text(render(loaded.anchored()))
    copy = load_config(tmp_path / "copy.yaml").config
    assert copy.model == loaded.config.model
    assert copy.corpus.source == str(tmp_path / "r.csv")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.biases=false", None),
        ("model={biases: false, bias_l2: 0.1}", "no biases for `bias_l2`"),
        ("model={kind: histories, biases: false}", "biases"),
        ("model.hidden=[3]", "ratings-network"),
        ("model.range={low: 5.0, high: 1.0}", "`low` should be less than `high`"),
        ("corpus.split={shares: [0.5, 0.1, 0.1]}", "shares must sum to 1"),
        ("corpus.split={kind: mask, share: 0.0}", "more than 0"),
        ("corpus.columns={user: 1}", "by name, or by number"),
        ("corpus.columns={user: rating}", "three columns"),
        ('corpus.delimiter=";;"', "1"),
        ("corpus.encoding=base64", "no encoding"),
        ("sample.length=5", "sample"),
        ("train.scan=loop", "scan"),
        ("stream.lanes=4", "lanes"),
    ],
)
def test_a_mistake_is_said_at_its_key(tmp_path: Path, override: str, said: str | None) -> None:
    (tmp_path / "c.yaml").write_text(LEAST)
    if said is None:
        load_config(tmp_path / "c.yaml", [override])
        return
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path / "c.yaml", [override])


def test_what_makes_a_run_what_it_is(tmp_path: Path) -> None:
    assert is_identity("corpus.split.seed")
    assert is_identity("model.l2")
    assert not is_identity("train.epochs")
