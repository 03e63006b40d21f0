"""The scan on CUDA as one kernel: the package accelerated-scan, the extra `scan`, loaded here and only when it is used.

Of the package's kernels it is the one in Triton (`accelerated_scan.scalar`), which is compiled at its first launch and
asks for no CUDA compiler. It takes sequences of any length that lie in memory one behind the other, begins each at
zero, computes in fp32, and counts elements with 32 bits.

Shapes: B rows, T steps, H units, S = T − 1 links between neighbouring steps, N = B × H sequences.
"""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor

from charrnn.errors import ConfigError, MissingExtraError, UsageError

_ELEMENTS = 2**31 - 1
"""At most so many in one launch."""


def obstacle(device: torch.device, precision: str) -> UsageError | None:
    """What keeps the kernel from running there, to be raised by who insists on it; None where it runs.

    Args:
        device: where the scan will run.
        precision: `fp32` or `fp64`.
    """
    another = "set train.scan to `tree`, which differs by rounding, or to `auto`"
    if device.type != "cuda":
        return ConfigError("scans by `kernel` need a CUDA device", why=f"this run computes on `{device}`", hint=another)
    if precision != "fp32":
        return ConfigError(
            "scans by `kernel` compute in fp32", why=f"this run computes in {precision}, on `{device}`", hint=another
        )
    if not _installed("accelerated_scan.scalar"):
        return MissingExtraError(
            "scans by `kernel` need accelerated-scan (0.3 or newer), which is not installed",
            hint=f"pip install 'charrnn[scan]', or {another}",
        )
    if not _installed("triton"):
        return MissingExtraError(
            "scans by `kernel` need Triton, which is not installed",
            hint=f"take a CUDA build of PyTorch for Linux, which brings it, or {another}",
        )
    return None


def kernel_scan(links_BSH: Tensor, b_BTH: Tensor, first_BH: Tensor, backwards: bool) -> Tensor:
    """The recurrence from `first_BH`, which stands in place of the first (or last) of b.

    In front of it the kernel sees a zero, and a link of zero to it.
    """
    rows, steps, units = b_BTH.shape
    if backwards:
        links_BSH, b_BTH = links_BSH.flip(1), b_BTH.flip(1)
    a_BHT, b_BHT = (b_BTH.new_empty(rows, units, steps) for _ in range(2))
    a_BHT[..., 0] = 0.0
    a_BHT[..., 1:] = links_BSH.transpose(1, 2)
    b_BHT[..., 0] = first_BH
    b_BHT[..., 1:] = b_BTH[:, 1:].transpose(1, 2)
    h_BTH = _from_zero(a_BHT.view(-1, 1, steps), b_BHT.view(-1, 1, steps)).view(rows, units, steps).transpose(1, 2)
    return (h_BTH.flip(1) if backwards else h_BTH).contiguous()


def _from_zero(a_N1T: Tensor, b_N1T: Tensor) -> Tensor:
    """The sequences in as few launches as the kernel's indices allow."""
    from accelerated_scan.scalar import scan

    sequences = _ELEMENTS // a_N1T.shape[-1]
    with torch.cuda.device_of(a_N1T):  # Triton launches on the current device, wherever the tensors are
        parts = [scan(a, b) for a, b in zip(a_N1T.split(sequences), b_N1T.split(sequences), strict=True)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _installed(module: str) -> bool:
    """Whether it can be found; it is not loaded, though the package that it is in may be."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
