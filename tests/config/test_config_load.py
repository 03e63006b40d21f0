import json
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn.config.load import config_from_source, flatten, load_config
from charrnn.config.render import render
from charrnn.config.schema import LanguageConfig
from charrnn.config.schema.model import LstmCore
from charrnn.errors import ConfigError

MINIMAL = "corpus: {source: x.txt}\n"


def test_three_lines_are_a_config(load):
    loaded = load("corpus:\n  source: x.txt\n  case: lower\n")
    assert loaded.config == LanguageConfig.model_validate({"corpus": {"source": "x.txt", "case": "lower"}})
    assert loaded.name == "demo"
    assert loaded.base == Path.cwd()
    assert loaded.warnings == []


def test_numbers_of_yaml_1_2_reach_the_config(load):
    loaded = load(MINIMAL + "train: {optimizer: {lr: 1e-3}, seed: 010}\nsample: {seed: no}")
    assert loaded.config.train.optimizer.lr == 0.001
    assert loaded.config.train.seed == 10
    assert loaded.config.sample.seed == "no"


def test_a_byte_order_mark_is_no_part_of_the_first_key(load):
    assert load("\ufeff" + MINIMAL).config.corpus.source == "x.txt"


def test_a_byte_order_mark_does_not_shift_the_columns(problems):
    assert problems("\ufeffcorpus: {source: x, split: 1}") == ["demo.yaml:1:21: corpus.split: should be a list, not 1"]


def test_a_union_without_kind_means_the_usual_one(load):
    config = load(MINIMAL + "model: {core: {forget_bias: 2.0}}").config
    assert config.model.core == LstmCore(forget_bias=2.0)


def test_origins_name_the_line_of_every_leaf(load):
    loaded = load("corpus:\n  source: x.txt\ntrain:\n  max_steps: null\n  seed:\n    7\n", "sample.length=9")
    assert set(loaded.origins) == set(flatten(loaded.config))
    told = {key: origin for key, origin in loaded.origins.items() if origin != "default"}
    assert told == {"corpus.source": "demo.yaml:2", "train.seed": "demo.yaml:5", "sample.length": "--set"}
    assert loaded.config.train.max_steps == 5000, "null asks for the default, so the default is its origin"


def test_flatten_gives_json_values_and_whole_lists(load):
    flat = flatten(load(MINIMAL + "model: {core: {recurrent_dropout: {p: 0.5}}}").config)
    assert flat["corpus.split"] == [0.9, 0.05, 0.05]
    assert flat["model.head.hidden"] == []
    assert flat["model.core.recurrent_dropout.kind"] == "weight"
    assert flat["sample.seed"] is None
    assert json.loads(json.dumps(flat)) == flat


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "demo.yaml:1:1: the file is empty; a config needs at least `corpus: {source: …}`"),
        ("# a comment", "demo.yaml:1:1: the file is empty; a config needs at least `corpus: {source: …}`"),
        ("- 1", "demo.yaml:1:1: a config is a group of keys, not a list"),
        ("x.txt", "demo.yaml:1:1: a config is a group of keys, not the text 'x.txt'"),
        ("corpus: x.txt", "demo.yaml:1:1: corpus: should be a group of keys, not the text 'x.txt'"),
        (MINIMAL + "train:", "demo.yaml:2:1: train: should be a group of keys, not nothing (null)"),
        (MINIMAL + "a: *b", "demo.yaml:2:4: aliases (`*b`) are not allowed: write the value out"),
    ],
)
def test_a_file_that_is_no_config(problems, text, line):
    assert problems(text) == [line]


def test_a_missing_key_is_named_and_explained(problems):
    (line,) = problems("\ncorpus: {unit: char}\n")
    assert line.startswith("demo.yaml:2:1: corpus.source: is missing. A file (plain or .gz)")
    (line,) = problems("train: {seed: 1}\n")
    assert line.startswith("demo.yaml:1:1: corpus.source: is missing. ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("train: {epochs: ten}", "9: train.epochs: should be a whole number, not the text 'ten'"),
        ("train: {epochs: '10'}", "9: train.epochs: should be a whole number, not the text '10'"),
        ("train: {epochs: 1.5}", "9: train.epochs: should be a whole number, not 1.5"),
        ("train: {epochs: true}", "9: train.epochs: should be a whole number, not `true`"),
        ("train: {epochs: 0}", "9: train.epochs: should be 1 or more, not 0"),
        ("train: {clip_norm: 0}", "9: train.clip_norm: should be more than 0, not 0"),
        ("train: {clip_norm: .nan}", "9: train.clip_norm: should be a finite number, not nan"),
        ("train: {deterministic: yes}", "9: train.deterministic: should be `true` or `false`, not the text 'yes'"),
        ("train: {early_stop: 3}", "9: train.early_stop: should be a group of keys, not 3"),
        ("stream: {lanes: many}", "10: stream.lanes: should be a whole number or `auto`, not the text 'many'"),
        ("stream: {lanes: -1}", "10: stream.lanes: should be 1 or more or `auto`, not -1"),
        (
            "stream: {lanes: atuo}",
            "10: stream.lanes: should be a whole number or `auto`, not the text 'atuo' — did you mean `auto`?",
        ),
        (
            "stream: {kind: lane}",
            "10: stream.kind: there is no kind `lane`; known kinds: `lanes`, `windows` — did you mean `lanes`?",
        ),
        (
            "stream: {kind: windows, chunk: 3}",
            "25: stream.chunk: kind `windows` has no such key; it belongs to kind `lanes`",
        ),
        (
            "stream: {kind: windows, stride: 9}",
            "1: stream: stride (9) must be at most length (8): the text between would never be read",
        ),
        ("sample: {seed: 3}", "10: sample.seed: should be text, not 3"),
        ("sample: {top_p: 2}", "10: sample.top_p: should be 1 or less, not 2"),
        ("sample: {stop: x}", "10: sample.stop: should be a list, not the text 'x'"),
        ("sample: {stop: [x, '']}", "20: sample.stop[1]: should not be empty"),
        ("sample: {temperature: hot}", "10: sample.temperature: should be a number or a list, not the text 'hot'"),
        ("sample: {temperature: [1, -2]}", "27: sample.temperature[1]: should be more than 0, not -2"),
        ("sample: {beam: 2, top_k: 3}", "1: sample: `beam` searches and draws nothing: it goes without top_k"),
        ("model: {core: {dropout: 1}}", "16: model.core.dropout: should be less than 1, not 1"),
        ("model: {core: lstm}", "9: model.core: should be a group of keys, not the text 'lstm'"),
        (
            "model: {core: {kind: rnn}}",
            "16: model.core.kind: there is no kind `rnn`; known kinds: `lstm`, `gru`, `elman`, `jordan`, "
            "`window`, `ln-lstm`, `mingru`, `minlstm`",
        ),
        (
            "model: {core: {kind: null}}",
            "16: model.core.kind: there is no kind nothing (null); known kinds: `lstm`, `gru`, `elman`, `jordan`, "
            "`window`, `ln-lstm`, `mingru`, `minlstm`",
        ),
        (
            "model: {core: {recurrent_dropout: x}}",
            "16: model.core.recurrent_dropout: should be a number or a group of keys, not the text 'x'",
        ),
        ("model: {core: {recurrent_dropout: 2}}", "16: model.core.recurrent_dropout: should be less than 1, not 2"),
        (
            "model: {core: {recurrent_dropout: {kind: state, p: 2}}}",
            "49: model.core.recurrent_dropout.p: should be less than 1, not 2",
        ),
        (
            "model: {core: {recurrent_dropout: {kind: state}}}",
            "16: model.core.recurrent_dropout.p: is missing. The share of units dropped.",
        ),
        (
            "model: {core: {recurrent_dropout: {kind: x}}}",
            "36: model.core.recurrent_dropout.kind: there is no kind `x`; known kinds: `weight`, `state`",
        ),
        (
            "model: {head: {tie: true}}",
            "1: model: head.tie needs equal sizes: the embedding has 64, the layer before the output 256",
        ),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence(problems, text, line):
    assert problems(MINIMAL + text) == [f"demo.yaml:2:{line}"]


def test_symbols_are_not_drawn_from_predictions_that_are_never_trained(problems, load):
    drawn = MINIMAL + "train: {scheduled_sampling: {kind: linear}}\nstream: {kind: windows, targets: "
    (found,) = problems(drawn + "last}")
    assert found.startswith("demo.yaml:1:1: train.scheduled_sampling draws from the prediction after each symbol")
    assert load(drawn + "each}").config.train.scheduled_sampling is not None


@pytest.mark.parametrize(
    ("inside", "line"),
    [
        ("split: [0.9, x, 0.1]", "16: corpus.split[1]: should be a number or `rest`, not the text 'x'"),
        ("split: [0.9, 0.1]", "3: corpus.split: should have 3 values, not 2"),
        ("split: [1, rest, 0, 0]", "3: corpus.split: should have 3 values, not 4"),
        (
            "split: [0.9, 0.2, 0.1]",
            "3: corpus.split: fractions must sum to 1 (or give counts of tokens, one of them `rest`)",
        ),
        (
            "unit: chars",
            "3: corpus.unit: should be `char`, `byte` or `word`, not the text 'chars' — did you mean `char`?",
        ),
        ("encoding: base64", "3: corpus.encoding: Python knows no encoding named 'base64'"),
        ("encoding: idna", "3: corpus.encoding: 'idna' is for the names of hosts: it cannot be read piece by piece"),
        ("encoding: utf-9", "3: corpus.encoding: Python knows no encoding named 'utf-9'"),
        (
            "sha256: abc",
            "3: corpus.sha256: the text 'abc' is not of the form `^[0-9a-f]{64}$`."
            " The SHA-256 that the source must have where it is a single file; required for a URL.",
        ),
        ('bom: "\\ud800"', "3: corpus.bom: should be text in UTF-8, not the text '\\ud800'"),
    ],
)
def test_a_wrong_value_of_the_corpus_is_told_in_a_sentence(problems, inside, line):
    assert problems(f"corpus:\n  source: x.txt\n  {inside}") == [f"demo.yaml:3:{line}"]


@pytest.mark.parametrize(
    ("text", "key", "end"),
    [
        ("train: {epoch: 1}", "train.epoch", "did you mean `epochs`?"),
        ("sample: {top-k: 1}", "sample.top-k", "did you mean `top_k`?"),
        ("lr: 1e-3", "lr", "did you mean `train.optimizer.lr` or `evaluate.dynamic.lr`?"),
        ("train: {lr: 1e-3}", "train.lr", "did you mean `train.optimizer.lr`?"),
        ("optimizer: {lr: 1e-3}", "optimizer", "did you mean `train.optimizer`?"),
        (
            "train: {patience: 1}",
            "train.patience",
            "did you mean `train.schedule.patience`, `train.average.patience` or `train.early_stop.patience`?",
        ),
        ("model: {core: {hidden_size: 1}}", "model.core.hidden_size", "did you mean `hidden`?"),
        ("train: {optimizer: {LR: 1}}", "train.optimizer.LR", "did you mean `lr`?"),
        ("train: {minutes: 3}", "train.minutes", "did you mean `train.save.minutes`?"),
        (
            "model: {core: {kind: gru, forget_bais: 1}}",
            "model.core.forget_bais",
            "no such key — did you mean `model.core.forget_bias`?",
        ),
        ("xyzzy: 1", "xyzzy", "no such key"),
        ("extend: x", "extend", "no such key"),
        (
            "model: {core: {kind: gru, forget_bias: 1}}",
            "model.core.forget_bias",
            "kind `gru` has no such key; it belongs to kind `lstm` or `ln-lstm`",
        ),
        (
            "model: {core: {kind: mingru, recurrent_dropout: 0.2}}",
            "model.core.recurrent_dropout",
            "kind `mingru` has no such key; it belongs to kind `lstm`, `gru`, `elman`, `jordan`, `window` or `ln-lstm`",
        ),
        (
            "model: {core: {kind: elman, outputs: 9}}",
            "model.core.outputs",
            "kind `elman` has no such key; it belongs to kind `jordan`",
        ),
        ("model: {core: {lstm: {hidden: 1}}}", "model.core.lstm", "no such key"),
        (
            "train: {optimizer: {kind: adam, momentum: 0.9}}",
            "train.optimizer.momentum",
            "it belongs to kind `sgd`",
        ),
    ],
)
def test_an_unknown_key_is_told_with_what_was_meant(problems, text, key, end):
    (line,) = problems(MINIMAL + text)
    assert f": {key}: " in line
    assert line.endswith(end)


def test_all_problems_are_told_at_once_in_the_order_of_the_file(problems):
    lines = problems("stepz: 1\ncorpus:\n  unit: x\n  unit: char\ntrain: {seed: a, lr: 2}\n", "a=1", "sample.length=0")
    assert [line.partition(": ")[0] for line in lines] == [
        "demo.yaml:1:1",
        "demo.yaml:2:1",
        "demo.yaml:4:3",
        "demo.yaml:5:9",
        "demo.yaml:5:18",
        "--set a=1",
        "--set sample.length=0",
    ]


def test_an_error_cannot_steer_the_terminal_or_fill_it(problems):
    nasty = "\\e[31m" + "x" * 1000
    lines = problems(MINIMAL + f'task: "{nasty}"\nstream: {{kind: "{nasty}"}}', "train.seed=\x1b[31m" + "x" * 1000)
    assert len(lines) == 3
    assert all(len(line) < 250 and line.isprintable() and "x1b[31mxxx" in line for line in lines)


def test_files_that_cannot_be_read(tmp_path):
    def error(path):
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        return caught.value.what

    assert error(Path("no.yaml")) == "cannot read `no.yaml`: no such file or directory"
    assert error(Path("..")) == "cannot read `..`: is a directory"
    assert error(Path("a\0b")) == "cannot read `a\\x00b`: embedded null byte"
    Path("latin.yaml").write_bytes("corpus:\n  source: café".encode("latin-1"))
    assert error(Path("latin.yaml")) == "latin.yaml:2:14: the byte 0xe9 is not UTF-8"
    Path("big.yaml").write_bytes(b"#" * (1 << 20) + b"\n")
    assert error(Path("big.yaml")) == "big.yaml:1:1: a config of more than 1 MiB is none"


def test_the_run_to_start_from_is_absolute_wherever_it_is_named(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/base.yaml").write_text("corpus: {source: x}\ntrain: {start_from: runs/of-base}")
    extending = "extends: sub/base.yaml\n"
    (tmp_path / "sub/own.yaml").write_text("corpus: {source: x}\ntrain: {start_from: ../runs/own}")
    for loaded, expected in [
        (load("corpus: {source: x}"), None),
        (load("corpus: {source: x}\ntrain: {start_from: null}"), None),
        (load_config(Path("sub/own.yaml")), f"{tmp_path}/sub/../runs/own"),
        (load(extending), f"{tmp_path}/sub/runs/of-base"),
        (load(extending + "train: {start_from: runs/mine}"), f"{tmp_path}/runs/mine"),
        (load_config(Path("sub/own.yaml"), ["train.start_from=runs/typed"]), f"{tmp_path}/runs/typed"),
        (load_config(Path("sub/own.yaml"), ["train.start_from=/elsewhere"]), "/elsewhere"),
        (load(extending + "train: {start_from: ~/runs/home}"), f"{tmp_path}/home/runs/home"),
    ]:
        assert loaded.config.train.start_from == expected
    loaded = load(extending)
    assert loaded.origins["train.start_from"] == "sub/base.yaml:2"
    Path("copy").mkdir()
    Path("copy/config.yaml").write_text(render(loaded.anchored()))
    assert load_config(Path("copy/config.yaml")).config.train == loaded.config.train


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("3", "demo.yaml:2:9: train.start_from: should be text, not 3"),
        ('""', "demo.yaml:2:9: train.start_from: should not be empty"),
    ],
)
def test_a_run_to_start_from_that_is_none(problems, value, line):
    assert problems(f"corpus: {{source: x}}\ntrain: {{start_from: {value}}}") == [line]


class TestSource:
    def test_it_refers_to_the_current_folder(self):
        loaded = config_from_source("data/x.txt", ["train.seed=3"])
        assert loaded.config.corpus.source == "data/x.txt"
        assert loaded.base == Path.cwd()
        assert loaded.origins["corpus.source"] == "SOURCE"
        assert loaded.origins["train.seed"] == "--set"

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("data/nietzsche.txt.gz", "nietzsche"),
            ("named:tiny-shakespeare", "tiny-shakespeare"),
            ("builtin:python-reference", "python-reference"),
            ("https://example.org/a/b.txt?raw=1#top", "b"),
            ("-", "stdin"),
            ("*.txt", "text"),
            ("a b/c d!.txt", "c-d"),
            ("folder/", "folder"),
            ("v1.2", "v1.2"),
            ("/", "text"),
        ],
    )
    def test_the_name_is_taken_from_it(self, source, name):
        assert config_from_source(source).name == name

    def test_a_source_that_is_none(self):
        with pytest.raises(ConfigError, match=r"^SOURCE: corpus.source: should not be empty$"):
            config_from_source("")
        with pytest.raises(ConfigError, match=r"^SOURCE \\udcff: corpus.source: should be text in UTF-8"):
            config_from_source("\udcff")


def test_loading_is_light():
    code = (
        "import sys; from charrnn.config.load import config_from_source; from charrnn.config import render;"
        "config_from_source('x'); render.json_schema();"
        "sys.exit(', '.join({'torch', 'numpy', 'rich'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")
