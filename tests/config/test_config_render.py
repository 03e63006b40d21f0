import json
from pathlib import Path

import jsonschema
import pytest

from charrnn.config import yaml12
from charrnn.config.described import description
from charrnn.config.load import load_config
from charrnn.config.render import json_schema, render
from charrnn.config.schema import TASKS, LanguageConfig
from charrnn.config.shape import Shape
from charrnn.config.tree import Place

ROOT = Path(__file__).parents[2]
SHAPE = Shape(LanguageConfig)
MINIMAL = "corpus: {source: x.txt}\n"


@pytest.fixture(scope="module")
def validator():
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def plain(text):
    tree, problems = yaml12.parse(text, Place(0, 1, 1, "x.yaml"))
    assert not problems
    return tree.plain()


def test_each_value_has_its_origin_beside_it(load):
    lines = render(load(MINIMAL + "train:\n  seed: 7\n", "sample.seed=no: 'x'\n")).splitlines()
    values = [line for line in lines if not line.endswith(":")]
    told = {tuple(part.strip() for part in line.split("  # ")) for line in values}
    assert len(told) > 40
    assert {("seed: 7", "demo.yaml:3"), ("seed: \"no: 'x'\\n\"", "--set"), ("length: 320", "default")} <= told
    assert ("source: x.txt", "demo.yaml:1") in told


def test_an_origin_cannot_break_the_comment_that_holds_it(tmp_path):
    path = tmp_path / "a\nb.yaml"
    path.write_text(MINIMAL)
    text = render(load_config(path))
    assert "\\nb.yaml:1" in text
    assert plain(text)["corpus"]["source"] == "x.txt"


@pytest.mark.parametrize(
    "seed", ["", " ", "a ", "1", "null", "~", "no", "a: b", "a #b", "'", '"', "\\", "\x00\x85é\U0001f600"]
)
def test_texts_of_every_kind_come_back(load, seed):
    loaded = load(MINIMAL + f"sample: {{seed: {json.dumps(seed, ensure_ascii=True)}}}" if seed.isascii() else MINIMAL)
    if not seed.isascii():
        loaded = load(MINIMAL, f"sample.seed={seed}")
    assert plain(render(loaded))["sample"]["seed"] == seed


@pytest.mark.parametrize(
    "text",
    [
        "corpus: {source: x}",
        "extends: base.yaml",
        "extends: base.yaml\ncorpus: {unit: byte}\nmodel: {core: {nonlinearity: relu}}",
        "corpus: {source: x, split: [10, rest, 0], sha256: null}",
        "corpus: {source: x}\nmodel: {core: {hidden: 1}, input: {batchnorm: true}}",
        "corpus: {source: x}\nmodel: {core: {kind: gru, recurrent_dropout: {p: 0.1}}}",
        "corpus: {source: x}\nmodel: {core: {kind: elman, recurrent_dropout: 0.1}}",
        "corpus: {source: x}\ntrain: {optimizer: {lr: 1e-3}, schedule: {factor: 0.5, kind: plateau}, early_stop: null}",
        "corpus: {source: x}\nstream: {lanes: auto}\ntrain: {save: {every: epoch}, clip_norm: null}",
    ],
)
def test_editors_accept_every_valid_config(validator, text):
    validator.validate(plain(text))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "corpus: {unit: char}",
        "corpus: {source: x}\nstepz: 1",
        "corpus: {source: x, stepz: 1}",
        "corpus: {source: x}\nmodel: {core: {kind: gru, forget_bias: 1.0}}",
        "corpus: {source: x}\nmodel: {core: {kind: rnn}}",
        "corpus: {source: x}\ntrain: {epochs: ten}",
        "corpus: {source: x}\ntrain: {deterministic: yes}",
        "corpus: {source: x}\nmodel: {core: {dropout: 1}}",
        "corpus: {source: x, split: [1, rest]}",
        "extends: base.yaml\ncorpus: {sourze: x}",
        "extends: 3",
    ],
)
def test_editors_mark_what_the_loader_refuses(validator, text):
    assert not validator.is_valid(plain(text))


def test_every_key_is_described_in_one_line():
    def described(schema, path):
        for name, inner in schema.get("properties", {}).items():
            assert "$ref" in inner or "anyOf" in inner or name == "kind" or inner.get("description"), (path, name)
            assert "\n" not in inner.get("description", ""), (path, name)

    schema = json_schema()
    described(schema, "")
    for name, section in schema["$defs"].items():
        assert section["description"]
        assert section["additionalProperties"] is False
        described(section, name)


def test_a_value_that_may_be_null_or_of_several_kinds_is_described_too():
    undescribed = [
        ".".join((*path, name))
        for path in [(), ("corpus",), ("stream",), ("model", "core"), ("train",), ("evaluate",), ("sample",)]
        for section in SHAPE.sections(path)
        for name in section.model_fields
        if not description(section, name) and name != "kind" and not SHAPE.sections((*path, name))
    ]
    assert undescribed == []
    for config in TASKS.values():
        keys = json_schema()["$defs"][config.__name__]["properties"]
        assert list(keys) == ["extends", *config.model_fields]


def test_the_committed_schema_is_that_of_the_code():
    committed = json.loads((ROOT / "configs/charrnn.schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema(), "run `make schema`"


def shipped():
    return sorted((ROOT / "configs").rglob("*.yaml"))


@pytest.mark.parametrize("path", shipped(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_config_loads_and_names_the_schema_that_it_fits(path, validator):
    loaded = load_config(path)
    assert loaded.warnings == []
    text = path.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    named = path.parent / first.partition("$schema=")[2]
    assert json.loads(named.read_text(encoding="utf-8")) == json_schema()
    validator.validate(plain(text))
