from __future__ import annotations

import pytest
import torch

from charrnn.config.schema import Train
from charrnn.errors import DeviceError
from charrnn.runs.plan import apply_plan, make_plan


def test_a_resumed_run_keeps_its_number_of_threads() -> None:
    assert make_plan(Train(), {"threads": 7}).threads == 7
    assert make_plan(Train(threads=3), {"threads": 7}).threads == 3
    assert make_plan(Train()).threads == torch.get_num_threads()


def test_what_is_no_longer_as_it_was_is_said() -> None:
    plan = make_plan(Train(device="cpu", threads=2))
    former = {**vars(plan), "torch": "1.0", "threads": 4}
    assert plan.differences(former) == ["threads: 4 → 2", f"torch: 1.0 → {torch.__version__}"]
    assert plan.differences(vars(plan)) == []


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
