"""A machine that computes in fewer bits, for tests: PyTorch's autocast works on every processor, if slowly."""

from __future__ import annotations

import nursery
import pytest
import torch

from charrnn.runs import plan
from charrnn.runs.hardware import Hardware
from charrnn.train.precision import LossScale

LOW = 2.0**11
"""So low a loss scale does not overflow in a few steps."""


def willing(patch: pytest.MonkeyPatch, begin: float = 2.0**22) -> None:
    """Let this processor take every precision, and the loss scale move often from where it begins."""
    patch.setattr(plan, "hardware_of", lambda device: Hardware(torch.device(device), "made up", ("fp16", "bf16")))
    patch.setattr(LossScale, "PATIENCE", 5)
    patch.setattr(LossScale, "BEGIN", begin)


def charrnn_reducing(*arguments: str) -> None:
    """The program on such a machine."""
    with pytest.MonkeyPatch.context() as patch:
        willing(patch, LOW)
        nursery.charrnn(*arguments)
