"""What the units of a device multiply: which reduced precisions are fast there, and which are refused."""

from __future__ import annotations

import platform
from collections.abc import Collection
from dataclasses import dataclass

import torch

from charrnn.errors import DeviceError


@dataclass(frozen=True)
class Hardware:
    """A device, as far as the choice of a precision goes.

    Attributes:
        device: `cpu`, or `cuda:<number>`.
        name: what the machine calls it.
        reduced: those of fp16 and bf16 for which it has units.
    """

    device: torch.device
    name: str
    reduced: Collection[str]

    def refuse(self, precision: str) -> None:
        """Refuse a reduced precision that the device has no units for.

        Raises:
            DeviceError: it says what is lacking.
        """
        if precision not in ("fp16", "bf16") or precision in self.reduced:
            return
        lacking = {
            ("cpu", "bf16"): "its processor has neither avx512_bf16 nor AMX, and would take about three times as long "
            "as in fp32",
            ("cpu", "fp16"): "it is for CUDA: a processor has no units for it, or none that training is faster with",
            ("cuda", "bf16"): "its units know bf16 from compute capability 8.0 on",
            ("cuda", "fp16"): "its units know fp16 from compute capability 7.0 on",
        }
        raise DeviceError(
            f"{self.device} ({self.name}) does not compute in {precision}",
            where="train.precision",
            why=lacking[self.device.type, precision],
            hint="set train.precision to `auto`, which takes what is fast here, or to `fp32`",
        )


def hardware_of(device: torch.device) -> Hardware:
    """What is known of a device that exists here."""
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        found = [name for name, least in (("fp16", (7, 0)), ("bf16", (8, 0))) if capability >= least]
        return Hardware(device, torch.cuda.get_device_name(device), found)
    # Without them PyTorch still lets oneDNN compute in bf16, by turns of conversion and fp32.
    bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return Hardware(device, _processor(), ["bf16"] if bf16 else [])


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
