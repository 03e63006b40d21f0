"""What only a GPU can show of drawing there: that a graph of many steps writes what NumPy writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bursting import CORES, LETTERS, config_for, engines, texts
from lab import Lab

from charrnn.config.schema import Sample
from charrnn.runs.on_device import open_on
from charrnn.runs.use import open_model
from charrnn.sample.bursts import BurstStreams
from charrnn.sample.stream import Drawn

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

OPTIONS = {
    "plain": Sample(length=1100),
    "top-k": Sample(length=1100, top_k=5, temperature=(2.0, 0.5)),
    "top-p": Sample(length=1100, top_p=0.9),
    "min-p": Sample(length=1100, min_p=0.05, ban="abc"),
    "all": Sample(length=1100, top_k=9, top_p=0.95, min_p=0.01, only="abcdefghij", temperature=1.5),
    "greedy": Sample(length=1100, greedy=True),
}


@pytest.mark.parametrize("core", CORES)
def test_every_cell_writes_what_it_writes_in_numpy(core: str) -> None:
    in_numpy, on_gpu = engines(config_for(CORES[core]), device="cuda")
    options = Sample(length=1100, temperature=1.5, top_p=0.98)
    assert texts(on_gpu, options, [3, 1, 4], (0, 4)) == texts(in_numpy, options, [3, 1, 4], (0, 4))


@pytest.mark.parametrize("name", OPTIONS)
def test_every_filter_acts_as_in_numpy(name: str) -> None:
    in_numpy, on_gpu = engines(config_for({"kind": "lstm"}), device="cuda")
    assert texts(on_gpu, OPTIONS[name], [2] * 90, range(3)) == texts(in_numpy, OPTIONS[name], [2] * 90, range(3))


def test_windows_are_read_as_in_numpy() -> None:
    config = config_for({"kind": "lstm"}, stream={"kind": "windows", "length": 5})
    in_numpy, on_gpu = engines(config, device="cuda")
    options = Sample(length=300, temperature=1.5)
    assert texts(on_gpu, options, [3, 1], (0, 1)) == texts(in_numpy, options, [3, 1], (0, 1))


def test_what_the_host_has_to_see_goes_by_symbols() -> None:
    in_numpy, on_gpu = engines(config_for({"kind": "lstm"}), device="cuda")
    for options in (Sample(length=60, require=("hello",)), Sample(length=20, beam=3)):
        assert texts(on_gpu, options) == texts(in_numpy, options)


def test_streams_join_and_leave_while_graphs_are_recorded_anew() -> None:
    """More rows move to other places in memory, and other filters are another graph: neither disturbs who is there."""
    in_numpy, on_gpu = engines(config_for({"kind": "gru"}), device="cuda")
    assert on_gpu.bursts is not None
    made, told, asked = BurstStreams(on_gpu.bursts, on_gpu.network, LETTERS), list[Drawn](), list(OPTIONS.values())
    for number, options in enumerate(asked):
        made.add([1, 2, 3], options, (number,))
        told += made.step()
    while len(made):
        told += made.step()
    for number, options in enumerate(asked):
        expected = [one.symbol for one in texts(in_numpy, options, [1, 2, 3], (number,))[0]]
        assert [one.symbol for one in told if one.stream == number] == expected


def test_sixty_four_texts_in_fp32_part_from_those_of_numpy_rarely() -> None:
    in_numpy, on_gpu = engines(config_for({"kind": "lstm", "layers": 2}), dtype=torch.float32, device="cuda")
    options = Sample(length=1000)
    pairs = zip(texts(on_gpu, options, numbers=range(64)), texts(in_numpy, options, numbers=range(64)), strict=True)
    assert sum(one == other for one, other in pairs) >= 48


def test_a_run_is_opened_on_a_gpu(tmp_path: Path) -> None:
    from lab import CONFIG, TEXT

    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    lab = Lab(tmp_path)
    lab.train("run", "new", None, "train.epochs=1", "train.device=cpu", "train.precision=fp64")
    model = open_on(tmp_path / "run", tmp_path, "cuda")
    assert (model.device, model.bursts is not None) == ("cuda:0", True)
    options = model.options({"length": 500})
    one, other = (
        "".join(drawn.piece for drawn in opened.samples(options, (0,)))
        for opened in (model, open_model(tmp_path / "run", tmp_path))
    )
    assert one == other
