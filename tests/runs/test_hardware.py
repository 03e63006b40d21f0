from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from charrnn.config.schema.train import LanguageTrain, RecurrentTrain, Train
from charrnn.errors import DeviceError
from charrnn.runs import plan
from charrnn.runs.hardware import Hardware, hardware_of
from charrnn.runs.plan import make_plan

CPU = torch.device("cpu")


def machine(*reduced: str) -> Hardware:
    return Hardware(CPU, "a processor", reduced)


@pytest.mark.parametrize(
    ("precision", "lacking"), [("bf16", "neither avx512_bf16 nor AMX"), ("fp16", "it is for CUDA")]
)
def test_what_a_processor_has_no_units_for_is_refused_with_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, precision: str, lacking: str
) -> None:
    monkeypatch.setattr(plan, "hardware_of", lambda device: machine())
    settings = RecurrentTrain.model_validate({"device": "cpu", "precision": precision})
    with pytest.raises(DeviceError, match=f"a processor.*does not compute in {precision}") as error:
        make_plan(settings)
    assert lacking in str(error.value.why)
    assert (error.value.exit_code, error.value.where) == (2, "train.precision")
    monkeypatch.setattr(plan, "hardware_of", lambda device: machine(precision))
    assert make_plan(settings).precision == precision


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_gpu_without_units_is_refused_too(precision: str) -> None:
    with pytest.raises(DeviceError, match="an old one"):
        Hardware(torch.device("cuda:0"), "an old one", ()).refuse(precision)


@pytest.mark.parametrize("flag", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_a_processor_is_asked_for_both_of_its_units_for_bf16(monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    assert list(hardware_of(CPU).reduced) == []
    monkeypatch.setattr(torch.cpu, flag, lambda: True)
    assert list(hardware_of(CPU).reduced) == ["bf16"]


def test_on_a_cpu_auto_is_fp32_whatever_its_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "hardware_of", lambda device: machine("bf16", "fp16"))
    assert make_plan(RecurrentTrain(device="cpu")).precision == "fp32"


def test_a_trained_model_is_measured_in_fp32_wherever_it_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "hardware_of", lambda device: machine())
    found = [
        make_plan(RecurrentTrain.model_validate({"device": "cpu", "precision": precision}), training=False).precision
        for precision in ("fp16", "bf16", "fp32", "fp64", "auto")
    ]
    assert found == ["fp32", "fp32", "fp32", "fp64", "fp32"]
    now = make_plan(Train(device="cpu", threads=2))
    former = {**vars(now), "precision": "fp16", "padded": True, "threads": 3}
    assert now.differences_in_measuring(former) == ["threads: 3 → 2"]


def test_fewer_bits_are_for_what_is_trained_by_pytorch_s_products() -> None:
    with pytest.raises(ValidationError, match="ratings and of word vectors"):
        Train(precision="fp16")
    with pytest.raises(ValidationError, match="engine: scratch"):
        LanguageTrain(precision="bf16", engine="scratch")
    assert LanguageTrain(precision="bf16").precision == "bf16"
