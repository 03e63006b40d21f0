"""`stream.mix` of language models: what is understood, what is refused, and where paths begin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from charrnn.config.load import Loaded, flatten, load_config
from charrnn.config.render import render
from charrnn.config.schema import Lanes, is_by_content, is_identity
from charrnn.config.schema.mixed_text import MixedText

TEXT = "corpus: {source: x.txt}\nstream:\n  mix:\n    other: "


def mix_of(loaded: Loaded) -> dict[str, MixedText]:
    stream = loaded.config.stream
    assert isinstance(stream, Lanes)
    assert stream.mix is not None
    return stream.mix


def test_a_part_has_defaults(load: Callable[..., Loaded]) -> None:
    (part,) = mix_of(load(TEXT + "{corpus: {source: y.txt}}")).values()
    assert (part.lanes, part.weight, part.teacher, part.temperature) == (16, 1.0, None, 2.0)
    assert part.corpus is not None
    assert part.corpus.split == (1.0, 0.0, 0.0)
    assert mix_of(load(TEXT + "{teacher: runs/big}"))["other"].corpus is None


def test_paths_begin_at_the_file_that_names_them(load: Callable[..., Loaded], tmp_path: Path) -> None:
    Path("inner").mkdir()
    Path("inner/base.yaml").write_text(TEXT + "{corpus: {source: y.txt}, teacher: big}", encoding="utf-8")
    Path("inner/over.yaml").write_text("extends: base.yaml\nstream: {mix: {more: {corpus: {source: named:nietzsche}}}}")
    parts = mix_of(load_config(Path("inner/over.yaml"), ["stream.mix.typed={teacher: t}"]))
    assert parts["other"].corpus is not None
    assert parts["more"].corpus is not None
    assert parts["other"].corpus.source == str(tmp_path / "inner" / "y.txt")
    assert parts["other"].teacher == str(tmp_path / "inner" / "big")
    assert parts["more"].corpus.source == "named:nietzsche"
    assert parts["typed"].teacher == str(tmp_path / "t")


def test_a_copy_of_the_config_reads_the_same(load: Callable[..., Loaded], tmp_path: Path) -> None:
    first = load(TEXT + "{corpus: {source: y.txt, documents: {text: '--'}}, weight: 0.5, teacher: big}")
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / "config.yaml"
    copy.write_text(render(first.anchored()), encoding="utf-8")
    assert mix_of(load_config(copy)) == mix_of(first)
    alone = load("corpus: {source: x.txt}")
    copy.write_text(render(alone.anchored()), encoding="utf-8")
    assert load_config(copy).config.stream == alone.config.stream


def test_places_are_compared_by_content_and_all_else_is_what_a_run_is(load: Callable[..., Loaded]) -> None:
    keys = [key for key in flatten(load(TEXT + "{corpus: {source: y.txt}}").config) if key.startswith("stream.mix")]
    places = [key.removeprefix("stream.mix.other.") for key in keys if is_by_content(key)]
    assert places == ["corpus.source", "corpus.sha256", "teacher"]
    assert all(map(is_identity, keys))
    assert not is_by_content("stream.mix.other.corpus.split")


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("{lanes: 3}", "these lanes need a `corpus`, a `teacher`, or both"),
        ("{corpus: {source: y.txt}, temperature: 3.0}", "`temperature` is for what a teacher says"),
        ("{teacher: t, weight: 0}", "should be more than 0, not 0"),
        ("{teacher: t, lane: 3}", "no such key — did you mean `lanes`?"),
        ("{corpus: {source: y.txt, unit: byte}}", "no such key — did you mean `corpus.unit`?"),
        ("{corpus: {source: y.txt, split: [1, 1, 1]}}", "one of three counts must be `rest`"),
        ("{corpus: {encoding: utf-8}}", "is missing. A file (plain or .gz), a folder"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(
    problems: Callable[..., list[str]], part: str, text: str
) -> None:
    (line,) = problems(TEXT + part)
    assert line.startswith("demo.yaml:4:")
    assert "stream.mix.other" in line
    assert text in line


@pytest.mark.parametrize("name", ["train", "lr", "nats", "label_smoothing"])
def test_a_name_that_records_know_is_taken(problems: Callable[..., list[str]], name: str) -> None:
    (line,) = problems(f"corpus: {{source: x.txt}}\nstream: {{mix: {{{name}: {{teacher: t}}}}}}")
    assert f"a part cannot be named `{name}`" in line


@pytest.mark.parametrize("name", ["Other", "a.b", "'a b'", "9"])
def test_a_name_is_one_word(problems: Callable[..., list[str]], name: str) -> None:
    lines = problems(f"corpus: {{source: x.txt}}\nstream: {{mix: {{{name}: {{teacher: t}}}}}}")
    assert "is no name" in lines[0]


def test_a_mix_of_nothing_is_none(load: Callable[..., Loaded]) -> None:
    stream = load("corpus: {source: x.txt}\nstream: {mix: {}}").config.stream
    assert isinstance(stream, Lanes)
    assert stream.mix is None


def test_windows_have_no_mix(problems: Callable[..., list[str]]) -> None:
    (line,) = problems("corpus: {source: x.txt}\nstream: {kind: windows, mix: {soft: {teacher: t}}}")
    assert "kind `windows` has no such key; it belongs to kind `lanes`" in line


def test_bytes_are_read_as_they_are_everywhere(problems: Callable[..., list[str]]) -> None:
    (line,) = problems(TEXT + "{corpus: {source: y.txt, encoding: latin-1}}", "corpus.unit=byte")
    assert "remove encoding and errors from stream.mix.other.corpus" in line
