"""`stream.mix` in a config: its names, its kinds, its places."""

from __future__ import annotations

from pathlib import Path

import pytest

from charrnn.config.load import flatten, load_config
from charrnn.config.render import render
from charrnn.config.schema import is_by_content, is_identity
from charrnn.errors import ConfigError

ITEMS = """\
task: classify
corpus: {source: a.csv}
stream:
  mix:
    pseudo: {source: labels.csv, ramp: 2}
    checked: {kind: split, rows: 4}
"""
RATINGS = "task: rate\ncorpus: {source: a.csv}\nstream: {mix: {pseudo: {source: ratings.csv, rows: 64, weight: 0.5}}}\n"


@pytest.fixture(params=[ITEMS, RATINGS], ids=["classify", "rate"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(request.param, encoding="utf-8")
    return path


def test_a_file_lies_beside_the_config_and_is_the_same_one_from_the_run_s_folder(config: Path, tmp_path: Path) -> None:
    loaded = load_config(config, ["stream.mix.more.source=here.csv"])
    source = loaded.config.stream.mix["pseudo"].source  # type: ignore[attr-defined]
    assert Path(source).parent == tmp_path
    assert flatten(loaded.config)["stream.mix.more.source"] == str(Path("here.csv").absolute())
    copy = tmp_path / "run" / "config.yaml"
    copy.parent.mkdir()
    copy.write_text(render(loaded.anchored()), encoding="utf-8")
    assert load_config(copy).config.stream == loaded.config.stream


@pytest.mark.parametrize("nothing", ["null", "{}"])
def test_nothing_mixed_in_is_written_and_read_as_such(config: Path, nothing: str, tmp_path: Path) -> None:
    loaded = load_config(config, [f"stream.mix={nothing}"])
    assert loaded.config.stream.mix is None  # type: ignore[attr-defined]
    copy = tmp_path / "copy.yaml"
    copy.write_text(render(loaded), encoding="utf-8")
    assert load_config(copy).config == loaded.config


def test_what_a_part_is_may_not_change_and_where_its_file_lies_may() -> None:
    assert is_identity("stream.mix.pseudo.rows")
    assert is_identity("stream.mix.pseudo.source")
    assert is_by_content("stream.mix.pseudo.source")
    assert not is_by_content("stream.mix.pseudo.rows")
    assert not is_by_content("stream.mix")


BAD = {
    "stream.mix.pseudo.rows=0": "stream.mix.pseudo.rows: should be 1 or more",
    "stream.mix.pseudo.weight=0": "more than 0",
    "stream.mix.pseudo.temperature=2": "set `targets: soft`",
    "stream.mix.checked.split=test": "should be `valid`, not the text 'test'",
    "stream.mix.checked.source=a.csv": "belongs to kind `labels`",
    "stream.mix.train={source: a.csv}": "a part cannot be named `train`",
    "stream.mix.nats={source: a.csv}": "a part cannot be named `nats`",
    "stream.mix.A={source: a.csv}": "`A` is no name for a part",
    "stream.mix.x={rows: 2}": "stream.mix.x.source: is missing",
    "stream.mix.x={kind: foo}": "known kinds: `labels`, `split`",
    "stream.mix.pseudo.sorce=a": "did you mean `source`?",
    "stream.mix.pseudo=3": "should be a group of keys",
}


@pytest.mark.parametrize("override", BAD)
def test_mistakes_are_told(override: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(ITEMS, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "config.yaml", [override])
    assert BAD[override] in caught.value.what


def test_what_the_records_of_a_task_call_a_figure_is_no_name(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(RATINGS, encoding="utf-8")
    for name in ("rmse", "l2", "ratings_per_second"):
        with pytest.raises(ConfigError, match="records call something else so"):
            load_config(tmp_path / "config.yaml", [f"stream.mix.{name}={{source: a.csv}}"])
