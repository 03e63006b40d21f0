"""A run that begins with the weights of another: symbol by symbol, and exactly."""

from __future__ import annotations

import shutil
from io import StringIO
from typing import Any

import numpy as np
import pytest
import torch
from lab import TEXT, Lab, Stopper, same_run

from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.config.schema import Network as NetworkConfig
from charrnn.errors import CharRnnError, CheckpointError, ConfigError, UsageError
from charrnn.logs.console import Console
from charrnn.models.build import build_model
from charrnn.models.network import Network
from charrnn.runs.check import dry_run
from charrnn.runs.outset import new_state
from charrnn.runs.start import train_run
from charrnn.runs.transfer import Transfer, origin_of, transfer
from charrnn.tasks.language import LanguageTask
from charrnn.text.vocabulary import Vocabulary
from charrnn.train.evaluate import evaluate
from charrnn.train.interrupt import Interrupt
from charrnn.train.state import model_arrays

CPU = torch.device("cpu")
EMBEDDED = {"input": {"size": 5, "batchnorm": True}, "core": {"hidden": 6, "layers": 2}, "head": {"hidden": [4]}}
TIED = {"input": {"size": 6}, "core": {"hidden": 6}, "head": {"tie": True}}
ONE_HOT = {"input": {"kind": "one-hot"}, "core": {"kind": "gru", "hidden": 6}}
AXES = {
    "embedded": {"input.table": 0, "head.output.weight": 0, "head.output.bias": 0},
    "tied": {"input.table": 0, "head.output.bias": 0},
    "one-hot": {"layers.0.weight_ih": 1, "head.output.weight": 0, "head.output.bias": 0},
}
NETWORKS = {"embedded": EMBEDDED, "tied": TIED, "one-hot": ONE_HOT}


def chars(symbols: str, spelled: bool = False) -> Vocabulary:
    return Vocabulary("char", tuple(range(256)) if spelled else (), tuple(sorted(symbols)))


def trained(config: dict[str, Any], symbols: int, seed: int = 1) -> Network:
    """A network no tensor of which is as it began."""
    model = build_model(NetworkConfig.model_validate(config), symbols, seed, torch.float32)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in [*model.parameters(), *(buffer for name, buffer in model.named_buffers() if "running" in name)]:
            tensor.normal_(generator=generator)
    return model


def rows(array: np.ndarray, axis: int) -> list[list[float]]:
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1).tolist()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        ("abcd", "abcd", Transfer(4, 0, 0)),
        ("abcd", "bd", Transfer(2, 0, 2)),
        ("bd", "abcde", Transfer(2, 3, 0)),
        ("aceg", "bcdgz", Transfer(2, 3, 2)),
        ("ab", "xy", Transfer(0, 2, 2)),
    ],
)
def test_symbols_keep_their_rows_and_all_else_is_taken(name: str, theirs: str, ours: str, expected: Transfer) -> None:
    one, other = chars(theirs), chars(ours)
    source = model_arrays(trained(NETWORKS[name], one.size))
    model = build_model(NetworkConfig.model_validate(NETWORKS[name]), other.size, 7, torch.float32)
    fresh = {key: array.copy() for key, array in model_arrays(model).items()}
    assert model.symbol_axes() == AXES[name]
    assert transfer(model, source, one, other) == expected
    after = model_arrays(model)
    for key, array in after.items():
        if key not in AXES[name]:
            np.testing.assert_array_equal(array, source[key], err_msg=key)
            continue
        given, mine = rows(source[key], AXES[name][key]), rows(fresh[key], AXES[name][key])
        wanted = [given[0]] + [given[1 + theirs.index(c)] if c in theirs else mine[1 + i] for i, c in enumerate(ours)]
        assert rows(array, AXES[name][key]) == wanted, key


def test_a_tied_table_stays_tied() -> None:
    model = build_model(NetworkConfig.model_validate(TIED), 4, 7, torch.float32)
    transfer(model, model_arrays(trained(TIED, 3)), chars("ab"), chars("abc"))
    assert model.head.output.weight is model.input.table


def test_bytes_that_spell_are_symbols_of_their_own() -> None:
    one, other = chars("ab"), chars("ab", spelled=True)
    source = model_arrays(trained(EMBEDDED, one.size))
    model = build_model(NetworkConfig.model_validate(EMBEDDED), other.size, 7, torch.float32)
    assert transfer(model, source, one, other) == Transfer(2, 256, 0)
    table = model_arrays(model)["input.table"]
    assert table[[0, 257, 258]].tolist() == source["input.table"].tolist()
    again = build_model(NetworkConfig.model_validate(EMBEDDED), other.size, 8, torch.float32)
    assert transfer(again, model_arrays(model), other, other) == Transfer(258, 0, 0)
    assert model_arrays(again)["input.table"].tolist() == table.tolist()


def test_ascii_means_the_same_in_bytes_characters_and_words() -> None:
    of_bytes = Vocabulary("byte", (0x41, 0x62, 0xC3), ())
    of_words = Vocabulary("word", (), ("A", "b", "word"))
    source = model_arrays(trained(EMBEDDED, of_bytes.size))
    model = build_model(NetworkConfig.model_validate(EMBEDDED), of_words.size, 7, torch.float32)
    assert transfer(model, source, of_bytes, of_words) == Transfer(2, 1, 1)
    assert model_arrays(model)["input.table"][:3].tolist() == source["input.table"][:3].tolist()


def test_another_precision_is_converted() -> None:
    source = model_arrays(trained(EMBEDDED, 3))
    model = build_model(NetworkConfig.model_validate(EMBEDDED), 4, 7, torch.float64)
    transfer(model, source, chars("ab"), chars("abc"))
    assert model.input.table.dtype == torch.float64
    assert model_arrays(model)["input.table"][:3].tolist() == source["input.table"].tolist()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"core": {"hidden": 7, "layers": 2}}, "layers.0.weight_hh: checkpoint (24, 6), config (28, 7)"),
        ({"core": {"hidden": 6}}, "layers.1.bias_hh: checkpoint (24,), config None"),
        ({"input": {"size": 5}}, "input.norm.running_mean: checkpoint (5,), config None"),
        ({"input": {"size": 4, "batchnorm": True}}, "input.table: checkpoint (3, 5), config (4, 4)"),
        ({"head": {}}, "head.dense.0.weight: checkpoint (4, 6), config None"),
    ],
)
def test_another_model_is_refused_with_both_shapes(change: dict[str, Any], line: str) -> None:
    source = model_arrays(trained(EMBEDDED, 3))
    model = build_model(NetworkConfig.model_validate(EMBEDDED | change), 4, 7, torch.float32)
    before = {key: array.copy() for key, array in model_arrays(model).items()}
    with pytest.raises(CheckpointError, match="another model") as caught:
        transfer(model, source, chars("ab"), chars("abc"), where="there")
    assert line in str(caught.value.why).splitlines()
    assert len(str(caught.value.why).splitlines()) <= 10
    assert caught.value.where == "there"
    for key, array in model_arrays(model).items():
        np.testing.assert_array_equal(array, before[key])


def test_no_more_than_ten_differences_are_named() -> None:
    source = model_arrays(trained(EMBEDDED | {"core": {"hidden": 6, "layers": 4}}, 3))
    model = build_model(NetworkConfig.model_validate(EMBEDDED), 3, 7, torch.float32)
    with pytest.raises(CheckpointError) as caught:
        transfer(model, source, chars("ab"), chars("ab"))
    assert len(str(caught.value.why).splitlines()) == 8
    source |= {f"layers.9.{i}": np.zeros(1) for i in range(9)}
    with pytest.raises(CheckpointError) as caught:
        transfer(model, source, chars("ab"), chars("ab"))
    assert len(str(caught.value.why).splitlines()) == 10


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((83, 5, 2), "83 symbols keep their weights, 5 are new, 2 are no longer used"),
        ((1, 1, 1), "1 symbol keeps its weights, 1 is new, 1 is no longer used"),
        ((0, 0, 0), "0 symbols keep their weights, 0 are new, 0 are no longer used"),
    ],
)
def test_how_it_is_said(counts: tuple[int, int, int], text: str) -> None:
    assert str(Transfer(*counts)) == text


SHORT = "train.epochs=2"
OTHER = "".join({"m": "Q", "l": "R"}.get(c, c) for c in TEXT) + "0 1"


@pytest.fixture
def source(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> str:
    """A trained run in the current folder; the setting that starts from it."""
    monkeypatch.chdir(lab.path)
    lab.train("source", "new", None, SHORT)
    (lab.path / "other.txt").write_text(OTHER)
    return f"train.start_from={lab.path / 'source'}"


def said(lab: Lab, name: str, *overrides: str, check: bool = False) -> str:
    """What a user reads while a run is trained."""
    stream, loaded = StringIO(), load_config(lab.path / "config.yaml", overrides)
    with Console(stream=stream) as console:
        if check:
            dry_run(loaded, lab.path / "corpora", console, Interrupt())
        else:
            train_run(loaded, lab.path / name, "new", lab.path / "corpora", console, Interrupt())
    return stream.getvalue()


def test_on_the_same_alphabet_it_begins_where_the_other_was_best(lab: Lab, source: str) -> None:
    from charrnn.runs.corpus import prepared

    best = (lab.path / "source" / "best").read_text().strip()
    history = Checkpoint.open(lab.path / "source" / "checkpoints" / best).document("train")["history"]
    assert history[-1]["step"] == int(best.removeprefix("step-"))
    loaded = load_config(lab.path / "config.yaml", [source])
    with Console(quiet=True) as console:
        corpus = prepared(loaded, lab.path / "corpora", console, lambda: None).corpus
    task = LanguageTask(loaded.config, corpus)
    state = new_state(task, CPU, origin_of(loaded.config))
    result = evaluate(task, state.model, "valid", CPU, lambda: None)
    assert result is not None
    assert result.mean == history[-1]["nats"]
    assert (state.step, state.history, state.optimizer.state_dict()["state"]) == (0, [], {})
    assert not any(tensor.any() for tensor in state.lanes.values())


def test_a_new_run_over_another_alphabet(lab: Lab, source: str) -> None:
    text = said(lab, "tuned", source, SHORT, "corpus.source=other.txt")
    best = (lab.path / "source" / "best").read_text().strip()
    began = f"starting from source/checkpoints/{best} (best): "
    assert began + "12 symbols keep their weights, 5 are new, 2 are no longer used\n" in text
    assert "not as in that run" not in text
    records = lab.records("tuned")
    assert records[0]["step"] == 7
    last = Checkpoint.open(checkpoints(lab.path / "tuned" / "checkpoints")[-1])
    assert last.document("config")["from"] == {
        "checkpoint": str(lab.path / "source" / "checkpoints" / best),
        "step": int(best.removeprefix("step-")),
        "which": "best",
    }
    assert "from" not in Checkpoint.open(lab.path / "source" / "checkpoints" / best).document("config")


def test_a_checkpoint_may_be_named_and_a_run_without_a_best_gives_its_last(lab: Lab, source: str) -> None:
    first = checkpoints(lab.path / "source" / "checkpoints")[0]
    text = said(lab, "one", f"train.start_from={first}", SHORT)
    assert f"{first.name} (named): 14 symbols keep" in text
    (lab.path / "source" / "best").unlink()
    text = said(lab, "two", source, SHORT)
    assert f"{(lab.path / 'source' / 'last').read_text().strip()} (last): 14 symbols keep" in text


def test_what_else_differs_is_said(lab: Lab, source: str) -> None:
    text = said(lab, "tuned", source, SHORT, "corpus.case=lower", "model.head.dropout=0.3", "train.optimizer.lr=1e-3")
    assert "not as in that run: corpus.case: keep → lower, model.head.dropout: 0.2 → 0.3\n" in text


def test_check_starts_from_it_too(lab: Lab, source: str) -> None:
    text = said(lab, "none", source, "corpus.source=other.txt", check=True)
    assert "12 symbols keep their weights, 5 are new" in text
    assert not (lab.path / "none").exists()


@pytest.mark.parametrize("hard", [False, True], ids=["sigterm", "sigkill"])
def test_stopped_and_resumed_without_the_other_run(lab: Lab, source: str, hard: bool) -> None:
    settings = (source, SHORT, "corpus.source=other.txt")
    lab.train("unbroken", "new", None, *settings)
    with pytest.raises((Stopper.Killed, CharRnnError)):
        lab.train("broken", "new", Stopper(45, hard), *settings)
    assert checkpoints(lab.path / "broken" / "checkpoints")
    shutil.rmtree(lab.path / "source")
    lab.train("broken", "resume", None, *settings)
    same_run(lab, "unbroken", "broken")


def test_where_it_started_from_may_not_change_on_resume(lab: Lab, source: str) -> None:
    with pytest.raises((Stopper.Killed, CharRnnError)):
        lab.train("run", "new", Stopper(45), source, SHORT)
    for override in ("train.start_from=null", f"train.start_from={lab.path}"):
        with pytest.raises(ConfigError) as caught:
            lab.train("run", "resume", None, override, SHORT)
        assert "train.start_from" in str(caught.value.why)


def test_the_runs_own_config_resumes_it(lab: Lab, source: str) -> None:
    with pytest.raises((Stopper.Killed, CharRnnError)):
        lab.train("run", "new", Stopper(45), source, SHORT)
    loaded = load_config(lab.path / "run" / "config.yaml")
    with Console(quiet=True) as console:
        outcome = train_run(loaded, lab.path / "run", "resume", lab.path / "corpora", console, Interrupt())
    assert outcome["ended"] == "all steps are done"


def test_weights_and_not_the_seed_decide_where_it_begins(lab: Lab, source: str) -> None:
    lab.train("one", "new", None, source, SHORT)
    lab.train("scratch", "new", None, SHORT)
    assert lab.records("one")[0]["nats"] < lab.records("scratch")[0]["nats"]


def test_a_run_never_starts_from_itself(lab: Lab, source: str) -> None:
    (lab.path / "link").symlink_to(lab.path / "source")
    before = {path: path.read_bytes() for path in (lab.path / "source").rglob("*") if path.is_file()}
    named = f"source/checkpoints/{(lab.path / 'source' / 'last').read_text().strip()}"
    for place in ("source", "./source/.", "link", named, str(lab.path / named)):
        for mode in ("new", "force"):
            with pytest.raises(UsageError, match="cannot start from itself"):
                lab.train("source", mode, None, f"train.start_from={place}")
    assert {path: path.read_bytes() for path in (lab.path / "source").rglob("*") if path.is_file()} == before


def test_a_run_below_the_folder_of_the_new_one_is_another(lab: Lab, source: str) -> None:
    (lab.path / "new").mkdir()
    shutil.move(lab.path / "source", lab.path / "new" / "source")
    lab.train("new", "new", None, f"train.start_from={lab.path / 'new' / 'source'}", SHORT)
    assert (lab.path / "new" / "source" / "best").exists()


def test_what_cannot_be_started_from_leaves_folders_as_they_were(lab: Lab, source: str) -> None:
    lab.train("old", "new", None, SHORT)
    before = sorted(path.name for path in (lab.path / "old").rglob("*"))
    for error, text, settings in [
        (UsageError, "there is no such run", ("train.start_from=nowhere",)),
        (UsageError, "holds no run", ("train.start_from=corpora",)),
        (CheckpointError, "another model", (source, "model.core.kind=gru")),
        (CheckpointError, "another model", (source, "model.core.hidden=9")),
    ]:
        for name, mode in (("new", "new"), ("old", "force")):
            with pytest.raises(error, match=text):
                lab.train(name, mode, None, *settings)
    assert not (lab.path / "new").exists()
    assert sorted(path.name for path in (lab.path / "old").rglob("*")) == before


def test_a_damaged_checkpoint_is_not_started_from(lab: Lab, source: str) -> None:
    best = lab.path / "source" / "checkpoints" / (lab.path / "source" / "best").read_text().strip()
    data = bytearray((best / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (best / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged") as caught:
        lab.train("new", "new", None, source)
    assert "model.safetensors" in str(caught.value.where)


def test_a_kind_of_cell_is_compared_by_name(lab: Lab, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.runs.transfer.load_arrays", lambda *arguments: None)
    with pytest.raises(CheckpointError) as caught:
        lab.train("new", "new", None, source, "model.core.kind=gru")
    assert caught.value.why == "model.core.kind: checkpoint lstm, config gru"
