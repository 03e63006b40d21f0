from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from charrnn.checkpoint.forms import problem
from charrnn.checkpoint.layout import MANIFEST
from charrnn.checkpoint.read import Checkpoint
from charrnn.checkpoint.write import write_checkpoint
from charrnn.errors import CheckpointError
from charrnn.files import digest

TRAIN: dict[str, Any] = {
    "step": 3,
    "skipped": 0,
    "rate_scale": 0.5,
    "averaged": 0,
    "seed": 1,
    "history": [{"step": 3, "loss": 2.5, "nats": 2, "best": True}],
    "interval": {"sum": 1.5, "count": 4, "parts": {"temporal": 0.5}, "beside": {"mixed": [1.0, 3]}},
    "epoch": {},
    "ended": None,
    "records": {"metrics.jsonl": 4},
}
PLAN = {"device": "cuda:0", "threads": 2, "scan": "tree"}
CONFIG: dict[str, Any] = {
    "config": {},
    "corpus_digest": "ab" * 32,
    "plan": PLAN,
    "mix": {"a": {"file": "x.csv", "sha256": "0" * 64, "items": 3}, "b": {"corpus_digest": "0" * 64, "teacher": None}},
    "pretrained": {"file": "x", "sha256": "0" * 64},
}


@pytest.mark.parametrize(("name", "document"), [("train", TRAIN), ("config", CONFIG), ("labels", ["a"]), ("other", 1)])
def test_what_is_written_has_its_form(name: str, document: Any) -> None:
    assert problem(name, document) is None


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("train", "step", -1), ("train", "step", True), ("train", "step", 10**18), ("train", "rate_scale", 0),
        ("train", "seed", 2**63), ("train", "history", [{"step": 1}]), ("train", "history", [{"step": 1, "loss": "x"}]),
        ("train", "interval", {"count": 1.5}), ("train", "interval", {"more": 1}),
        ("train", "epoch", {"beside": {"a": [1]}}), ("train", "ended", 1), ("train", "interval", {"sum": 1e999}),
        ("train", "records", {"metrics.jsonl": -1}), ("config", "corpus_digest", "../x"),
        ("config", "plan", {"threads": 0}), ("config", "plan", {"device": "x"}),
        ("config", "mix", {"a": {"file": "x"}}),
        ("config", "mix", {"b": {"corpus_digest": "00", "teacher": {}}}), ("config", "pretrained", None),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_its_key(name: str, key: str, value: Any) -> None:
    whole = TRAIN if name == "train" else CONFIG
    assert problem(name, whole | {key: value}) == f"its `{key}` is not what stands there"


def test_a_missing_key_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, 3, {}, {"train": {"step": 3}})
    document = Checkpoint.open(folder).document("train")
    assert (document["step"], document.get("ended")) == (3, None)
    with pytest.raises(CheckpointError, match="damaged") as caught:
        document["ended"]
    assert (caught.value.where, caught.value.why) == (str(folder / "train.json"), "it lacks `ended`")


def test_a_document_that_is_not_of_its_form_is_not_handed_out(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, 3, {}, {"train": {"step": "3"}})
    with pytest.raises(CheckpointError, match="damaged") as caught:
        Checkpoint.open(folder).document("train")
    assert caught.value.why == "its `step` is not what stands there"


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a": -Infinity}'])
def test_json_that_two_readers_could_take_for_different_things_is_refused(tmp_path: Path, text: str) -> None:
    folder = write_checkpoint(tmp_path, 3, {}, {"other": 1})
    (folder / "other.json").write_text(text)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["other.json"] = {"bytes": len(text), "sha256": digest.of_bytes(text.encode())}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError):
        Checkpoint.open(folder).document("other")
