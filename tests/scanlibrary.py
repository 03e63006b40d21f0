"""A stand-in for the package accelerated-scan, on a CPU, step by step, and as hard to please as the real one."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
import torch
from torch import Tensor


class ScanLibrary:
    """The package as it can be found and imported, and Triton as it can be found.

    Attributes:
        elements: how many one launch can count.
        shapes: of all launches so far.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.elements = 2**31 - 1
        self.shapes: list[tuple[int, ...]] = []
        self._monkeypatch = monkeypatch
        for name in ("accelerated_scan", "accelerated_scan.scalar", "triton"):
            module = ModuleType(name)
            module.__spec__ = ModuleSpec(name, None)
            module.__path__ = []
            monkeypatch.setitem(sys.modules, name, module)
        vars(sys.modules["accelerated_scan.scalar"])["scan"] = self.scan

    def remove(self, module: str) -> None:
        """Let a module be not installed, with all that it holds."""
        for name in list(sys.modules):
            if name == module or name.startswith(f"{module}."):
                self._monkeypatch.setitem(sys.modules, name, None)

    def scan(self, forget: Tensor, inputs: Tensor) -> Tensor:
        """h_t = forget_t h_(t−1) + inputs_t along the last of three dimensions, from zero."""
        rows, channels, steps = forget.shape
        assert inputs.shape == (rows, channels, steps)
        assert forget.is_contiguous()
        assert inputs.is_contiguous()
        if {forget.dtype, inputs.dtype} != {torch.float32}:
            raise TypeError("Loop-carried variable h0 has initial type fp32 but is re-assigned to fp64 in loop!")
        if channels > 2**16 - 1:
            raise RuntimeError("Triton Error [CUDA]: invalid argument")
        # The real one says nothing here, and reads elsewhere.
        assert forget.numel() <= self.elements, "indices of more than 32 bits"
        self.shapes.append((rows, channels, steps))
        states, state = torch.empty_like(inputs), torch.zeros(rows, channels)
        for t in range(steps):
            state = torch.addcmul(inputs[..., t], forget[..., t], state)
            states[..., t] = state
        return states
