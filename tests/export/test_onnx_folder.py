"""What `--format onnx` leaves behind, and what it refuses to."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from exporting import LETTERS, network, saved

from charrnn.errors import DataError, Interrupted, MissingExtraError, UsageError
from charrnn.export.heldout import Measure, held_out
from charrnn.export.onnx_folder import export_onnx
from charrnn.export.tables import tables_of
from charrnn.runs.use import OpenModel

FILES = ["README.md", "interface.json", "model.onnx", "parity.json", "vocabulary.json"]


def no_check() -> None:
    pass


@pytest.fixture
def model(tmp_path: Path) -> OpenModel:
    return saved(tmp_path / "runs" / "letters", network("lstm"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_says_all_that_a_stranger_must_know(model: OpenModel, tmp_path: Path) -> None:
    report = export_onnx(model, tmp_path / "out", None, no_check)
    assert names(tmp_path / "out") == FILES
    assert report["files"] == {name: (tmp_path / "out" / name).stat().st_size for name in report["files"]}
    about = json.loads((tmp_path / "out" / "interface.json").read_text())
    assert about["origin"]["run"] == "letters"
    assert about["origin"]["step"] == 7
    assert len(about["origin"]["weights_sha256"]) == 64
    assert about["symbols"]["start"] == 0
    assert len(about["state"][0]["initial"]) == 8
    words = json.loads((tmp_path / "out" / "vocabulary.json").read_text())
    assert words == LETTERS.to_json()
    inside = {each.key: json.loads(each.value) for each in onnx.load(tmp_path / "out" / "model.onnx").metadata_props}
    assert inside == {"interface": about, "vocabulary": words}


@pytest.mark.parametrize(
    ("core", "stream"),
    [("lstm", {"kind": "lanes"}), ("window-relu", {"kind": "windows", "length": 4})],
    ids=["carried", "windows"],
)
def test_the_program_in_the_readme_runs_and_agrees(tmp_path: Path, core: str, stream: dict[str, Any]) -> None:
    export_onnx(saved(tmp_path / "run", network(core), stream=stream), tmp_path / "out", None, no_check)
    found = re.search(r"```python\n(.*?)```", (tmp_path / "out" / "README.md").read_text(), re.DOTALL)
    assert found is not None
    command = [sys.executable, "-c", found[1]]
    done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, check=True)
    told, _, worst = done.stdout.strip().rpartition(" ")
    assert told == "largest difference in nats:"
    assert float(worst) < 1e-4


def test_eight_bits_stand_beside_the_whole_with_what_they_cost(
    model: OpenModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("abc def ghij " * 60)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a program that has set up nothing
    report = export_onnx(model, tmp_path / "out", Measure(tmp_path, tmp_path / "text.txt"), no_check)
    assert (logging.getLogger().handlers, logging.root.manager.disable) == ([], 0)
    cost = report["int8"]
    assert names(tmp_path / "out") == sorted([*FILES, "model.int8.onnx"])
    assert cost["text"] == "12 × 65 symbols of text.txt"
    assert cost["lost_nats"] == cost["int8_nats"] - cost["fp32_nats"] != 0.0
    assert abs(cost["lost_nats"]) < 0.1
    assert "model.int8.onnx" in (tmp_path / "out" / "README.md").read_text()


def test_an_earlier_export_is_replaced_and_nothing_else(model: OpenModel, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_onnx(model, out, None, no_check)
    (out / "model.int8.onnx").write_bytes(b"an old one")
    export_onnx(model, out, None, no_check)
    assert names(out) == FILES
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="holds other things"):
        export_onnx(model, out, None, no_check)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="a file, not a folder"):
        export_onnx(model, tmp_path / "file", None, no_check)


def test_a_stop_on_the_way_leaves_nothing(model: OpenModel, tmp_path: Path) -> None:
    def stop() -> None:
        raise Interrupted(15)

    with pytest.raises(Interrupted):
        export_onnx(model, tmp_path / "out", None, stop)
    assert names(tmp_path) == ["runs"]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(
    model: OpenModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    find = sys.meta_path[:]

    class Without:
        def find_spec(self, name: str, *_: object) -> None:
            if name == missing:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Without(), *find])
    with pytest.raises(MissingExtraError, match=missing) as caught:
        export_onnx(model, tmp_path / "out", None, no_check)
    assert caught.value.hint == "pip install 'charrnn[export]'"
    assert not (tmp_path / "out").exists()


def test_what_is_measured_on_is_spread_over_the_whole_text(model: OpenModel, tmp_path: Path) -> None:
    text = "abcdefghij" * 26 + "jihgfedcba" * 26
    (tmp_path / "text.txt").write_text(text)
    passages = held_out(model, tables_of(model), Measure(tmp_path, tmp_path / "text.txt"))
    assert passages.source == "text.txt"
    rows = [LETTERS.decode(ids) for ids in passages.ids_BN]
    assert rows == [text[at : at + 65] for at in range(0, 520, 65)]


def test_what_there_is_to_measure_on(model: OpenModel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no text to measure the loss on"):
        export_onnx(model, tmp_path / "out", Measure(tmp_path, None), no_check)
    for name, content, what in (
        ("empty.txt", b"", "empty.txt is empty"),
        ("other.txt", b"abc XYZ", "lacks 3 symbols"),
        ("broken.txt", b"abc \xff", "not UTF-8"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=what):
            export_onnx(model, tmp_path / "out", Measure(tmp_path, tmp_path / name), no_check)
    with pytest.raises(UsageError, match="cannot read the text"):
        export_onnx(model, tmp_path / "out", Measure(tmp_path, tmp_path / "none.txt"), no_check)
    assert not (tmp_path / "out").exists()
