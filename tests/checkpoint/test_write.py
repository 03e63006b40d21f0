from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from charrnn.checkpoint.layout import MANIFEST, checkpoints, step_name, step_of
from charrnn.checkpoint.read import Checkpoint
from charrnn.checkpoint.write import write_checkpoint
from charrnn.errors import DivergedError, StorageError
from charrnn.files import digest

DTYPES = ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint16", "uint64", "bool"]
MODEL = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3)}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def finite_arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    elements: dict[str, Any] = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    array: np.ndarray = draw(arrays_of.arrays(dtype, shape, elements=elements))
    # A transposed array is what a view of a tensor looks like: its rows do not lie one after the other.
    return draw(st.sampled_from([array, array.T, array[::-1] if array.ndim else array]))


def same(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> None:
    """The same names, types, shapes and bits (so that -0.0 is not 0.0)."""
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype
        assert a[name].shape == b[name].shape
        assert a[name].tobytes() == b[name].tobytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    group=st.dictionaries(st.text(min_size=1, max_size=20).filter(lambda n: n != "__metadata__"), finite_arrays()),
    document=json_values,
    step=st.integers(0, 10**12),
)
def test_what_is_written_is_read_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, group: dict[str, np.ndarray], document: object, step: int
) -> None:
    parent = tmp_path_factory.mktemp("checkpoints")
    folder = write_checkpoint(parent, step, {"model": group, "empty": {}}, {"notes": document, "other": None})
    assert folder == parent / step_name(step)
    opened = Checkpoint.open(folder)
    assert opened.step == step
    same(opened.tensors("model"), group)
    assert list(opened.tensors("model")) == sorted(group)
    assert opened.tensors("empty") == {}
    found = opened.document("notes")
    assert found == document
    assert repr(found) == repr(document)
    assert opened.document("other") is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_number_stays_a_number_and_an_empty_array_keeps_its_shape(tmp_path: Path, dtype: str) -> None:
    group = {"number": np.array(1, dtype), "empty": np.zeros((3, 0, 2), dtype), "one": np.ones((1,), dtype)}
    found = Checkpoint.open(write_checkpoint(tmp_path, 1, {"g": group}, {})).tensors("g")
    same(found, group)
    assert found["number"].shape == ()


def test_the_byte_order_of_the_machine_is_not_the_file_s(tmp_path: Path) -> None:
    group = {"swapped": np.arange(3, dtype=">f4")}
    found = Checkpoint.open(write_checkpoint(tmp_path, 1, {"g": group}, {})).tensors("g")
    assert found["swapped"].tolist() == [0.0, 1.0, 2.0]


def test_the_manifest_lists_size_and_digest_of_every_other_file(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, 1200, {"model": MODEL}, {"notes": {"ä": "漢字 \U0001f600"}})
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    names = ["model.safetensors", "notes.json"]
    assert sorted(os.listdir(folder)) == sorted([MANIFEST, *names])
    assert manifest == {
        "format": 2,
        "kind": "checkpoint",
        "step": 1200,
        "files": {
            name: {"bytes": (folder / name).stat().st_size, "sha256": digest.of_file(folder / name)} for name in names
        },
    }
    assert folder.name == "step-00001200"
    assert "漢字" in (folder / "notes.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_an_array_that_is_not_finite_is_refused_and_nothing_is_written(tmp_path: Path, dtype: str, bad: float) -> None:
    array = np.zeros((3, 4), dtype)
    array[2, 3] = bad
    with pytest.raises(DivergedError, match="optimizer 'w/exp_avg'") as caught:
        write_checkpoint(tmp_path / "c", 5, {"model": MODEL, "optimizer": {"w/exp_avg": array}}, {})
    assert caught.value.exit_code == 5
    assert os.listdir(tmp_path) == []


@pytest.mark.faults
def test_a_refused_checkpoint_leaves_the_one_of_the_same_step(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 5, {"model": MODEL}, {})
    with pytest.raises(DivergedError):
        write_checkpoint(tmp_path, 5, {"model": {"weight": np.array([np.nan])}}, {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_checkpoint(tmp_path, 5, {"model": {}}, {"notes": math.nan})
    same(Checkpoint.open(tmp_path / step_name(5)).tensors("model"), MODEL)
    assert os.listdir(tmp_path) == [step_name(5)]


def test_a_checkpoint_replaces_the_one_of_the_same_step_with_all_its_files(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 5, {"model": MODEL, "lanes": MODEL}, {"old": 1})
    folder = write_checkpoint(tmp_path, 5, {"model": {"weight": np.ones(2)}}, {"new": 2})
    assert sorted(os.listdir(folder)) == [MANIFEST, "model.safetensors", "new.json"]
    same(Checkpoint.open(folder).tensors("model"), {"weight": np.ones(2)})
    assert os.listdir(tmp_path) == [step_name(5)]


@pytest.mark.faults
@pytest.mark.parametrize("refused", range(4), ids=["manifest", "tensors", "document", "folder"])
def test_a_full_disk_at_any_file_leaves_the_earlier_checkpoints_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    write_checkpoint(tmp_path, 4, {"model": MODEL}, {"notes": 4})
    write_checkpoint(tmp_path, 5, {"model": MODEL}, {"notes": 5})
    real = os.fsync
    for step in (5, 6):
        calls = count()

        def fsync(descriptor: int, calls: Iterator[int] = calls) -> None:
            if next(calls) == refused:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(StorageError) as caught:
            write_checkpoint(tmp_path, step, {"model": {"weight": np.ones(9)}}, {"notes": None})
        assert (caught.value.exit_code, caught.value.why) == (7, "the disk is full")
        assert caught.value.where == str(tmp_path / step_name(step))
    assert sorted(os.listdir(tmp_path)) == [step_name(4), step_name(5)]
    for folder in checkpoints(tmp_path):
        same(Checkpoint.open(folder).tensors("model"), MODEL)
        assert Checkpoint.open(folder).document("notes") == step_of(folder)


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from charrnn.checkpoint.write import write_checkpoint
from charrnn.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    write_checkpoint(Path(sys.argv[1]), 5, {"model": {"weight": np.ones(5000)}}, {"notes": 5})
except StorageError as error:
    print(error.why)
    sys.exit(error.exit_code)
"""


@pytest.mark.faults
def test_a_write_that_the_kernel_stops_half_way_leaves_the_earlier_checkpoint_alone(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 5, {"model": MODEL}, {"notes": 5})
    command = [sys.executable, "-c", LIMITED, str(tmp_path), "20000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "the file would be larger than is allowed here\n", "")
    same(Checkpoint.open(tmp_path / step_name(5)).tensors("model"), MODEL)
    assert os.listdir(tmp_path) == [step_name(5)]


def test_unfinished_folders_and_strangers_are_not_checkpoints(tmp_path: Path) -> None:
    whole = write_checkpoint(tmp_path, 7, {"model": MODEL}, {})
    (tmp_path / step_name(8)).mkdir()
    (tmp_path / step_name(8) / "model.safetensors").write_bytes(b"half")
    (tmp_path / step_name(9)).write_bytes(b"a file")
    (tmp_path / step_name(10) / MANIFEST).mkdir(parents=True)
    for name in ("best", "step-12", "step-00000012.bak", "step-00000012\n", "step-٠٠٠٠٠٠٠١", ".tmp-step-00000012-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MANIFEST).write_text("{}")
        assert step_of(tmp_path / name) is None
    assert checkpoints(tmp_path) == [whole]
    assert checkpoints(tmp_path / "none") == []
    assert checkpoints(whole / MANIFEST) == []


def test_checkpoints_come_by_step_as_numbers(tmp_path: Path) -> None:
    steps = [100_000_000, 99_999_999, 3, 1_000_000_000, 20]
    for step in steps:
        write_checkpoint(tmp_path, step, {}, {})
    assert [step_of(folder) for folder in checkpoints(tmp_path)] == sorted(steps)
    assert sorted(os.listdir(tmp_path)) != [step_name(step) for step in sorted(steps)]
