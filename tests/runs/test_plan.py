from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scanlibrary import ScanLibrary

from charrnn.config.schema import LanguageConfig, Train, Windows
from charrnn.errors import ConfigError, DeviceError, MissingExtraError
from charrnn.runs import plan
from charrnn.runs.plan import apply_plan, make_plan, with_scan
from charrnn.stream.gather import TokenStream
from charrnn.stream.lanes import LanePlan
from charrnn.stream.windows import window_plan


def test_a_resumed_run_keeps_its_number_of_threads() -> None:
    assert make_plan(Train(), {"threads": 7}).threads == 7
    assert make_plan(Train(threads=3), {"threads": 7}).threads == 3
    assert make_plan(Train()).threads == torch.get_num_threads()


def scanned(scan: str = "auto", **keys: Any) -> LanguageConfig:
    sections = {"model": {"core": {"kind": "mingru", "hidden": 4}}, "train": {"device": "cpu", "scan": scan}}
    return LanguageConfig.model_validate({"corpus": {"source": "x"}, "stream": {"chunk": 6}} | sections | keys)


def stream_of(config: LanguageConfig) -> TokenStream:
    """A text of three rows, read as the config says."""
    settings, tokens = config.stream, np.zeros(60, np.uint8)
    if isinstance(settings, Windows):
        return TokenStream(tokens, window_plan(settings, 60, np.zeros(1, np.int64), 1, training=True))
    return TokenStream(tokens, LanePlan(60, 3, settings.chunk, settings.reach))


def planned(config: LanguageConfig, former: dict[str, Any] | None = None) -> str | None:
    return with_scan(make_plan(config.train, former), config, stream_of(config), former).scan


def test_a_model_without_a_scan_has_no_form_of_one() -> None:
    assert planned(scanned("tree", model={})) is None


def test_the_form_of_a_scan_is_the_config_s_then_the_former_then_what_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(plan, "fastest_form", lambda *sizes: asked.append(sizes) or "tree")
    former = {"device": "cpu", "scan": "loop"}
    assert planned(scanned("tree"), former) == "tree"
    assert planned(scanned(), former) == "loop"
    assert planned(scanned(train={"device": "cpu", "deterministic": True})) == "loop"
    assert asked == []
    assert planned(scanned()) == "tree"
    assert planned(scanned(stream={"chunk": 6, "reach": 9}), {"device": "cuda:0", "scan": "loop"}) == "tree"
    assert asked == [(3, 6, 4, torch.device("cpu"), "fp32"), (3, 9, 4, torch.device("cpu"), "fp32")]


def on_cuda(config: LanguageConfig, former: dict[str, Any] | None = None) -> str | None:
    """Planned for a CUDA device, whatever there is here."""
    return with_scan(replace(make_plan(config.train, former), device="cuda:0"), config, stream_of(config), former).scan


def test_the_kernel_is_taken_on_cuda_where_it_is_installed(scan_library: ScanLibrary) -> None:
    former = {"device": "cuda:1", "scan": "kernel"}
    assert [on_cuda(scanned("kernel")), on_cuda(scanned()), on_cuda(scanned(), former)] == ["kernel"] * 3
    assert on_cuda(scanned(), former | {"scan": "tree"}) == "tree"
    assert on_cuda(scanned(train={"device": "cpu", "precision": "fp64"})) == "tree"
    scan_library.remove("accelerated_scan")
    assert on_cuda(scanned()) == "tree"
    assert planned(scanned(), {"device": "cuda:1", "scan": "kernel"}) in ("loop", "tree")  # another kind of device


def test_a_kernel_that_is_asked_for_and_does_not_run_is_refused_with_who_asks(scan_library: ScanLibrary) -> None:
    with pytest.raises(ConfigError, match="fp32") as error:
        on_cuda(scanned(train={"device": "cpu", "scan": "kernel", "precision": "fp64"}))
    assert error.value.where == "train.scan"
    scan_library.remove("accelerated_scan")
    former = {"device": "cuda:0", "scan": "kernel"}
    asked = [(scanned("kernel"), None, "train.scan"), (scanned(), former, "the plan in the checkpoint's config.json")]
    for config, plan_before, where in asked:
        with pytest.raises(MissingExtraError) as missing:
            on_cuda(config, plan_before)
        assert (missing.value.where, missing.value.exit_code) == (where, 2)
    assert planned(scanned("kernel", model={})) is None  # without a scan nothing is asked for


def test_a_scan_over_windows_is_as_long_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(plan, "fastest_form", lambda rows, steps, *_: asked.append(steps) or "tree")
    assert planned(scanned(stream={"kind": "windows", "length": 5})) == "tree"
    assert asked == [5]


def test_a_plan_from_before_there_were_scans_is_no_change() -> None:
    now = make_plan(Train(device="cpu", threads=2))
    assert now.differences({name: value for name, value in vars(now).items() if name != "scan"}) == []


def test_what_is_no_longer_as_it_was_is_said() -> None:
    now = make_plan(Train(device="cpu", threads=2))
    former = {**vars(now), "torch": "1.0", "threads": 4}
    assert now.differences(former) == ["threads: 4 → 2", f"torch: 1.0 → {torch.__version__}"]
    assert now.differences(vars(now)) == []


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match="cuda:77") as error:
        make_plan(Train(device="cuda:77"))
    assert error.value.exit_code == 2


def test_deterministic_is_switched_on_and_off() -> None:
    before = torch.get_num_threads()
    try:
        apply_plan(make_plan(Train(deterministic=True, device="cpu")))
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        apply_plan(make_plan(Train(device="cpu", threads=before)))
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_auto_takes_the_gpu() -> None:
    assert make_plan(Train()).device == "cuda:0"
